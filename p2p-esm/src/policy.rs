//! How members find their parents: [`Policy`].

/// How members find their parents. All of a group do it in the same way.
///
/// Whom a member may have as a parent, and what that costs, follows from the policy, and so does whom it takes for a child
/// and what members tell each other of who is there. All else is the same: parents are asked in the same words, doubted
/// and lost in the same way, and the path to the source goes with every greeting, so no policy can make a loop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Policy {
    /// The tree first (Chu et al. 2004): members are known in part, by gossip; some are asked how they are, and who has
    /// room and is nearest to the source is the parent.
    #[default]
    Tree,
    /// A mesh first, as in Narada (Chu et al. 2000): everybody knows everybody, and has a few neighbours who tell each
    /// other how far everybody is. The parent is the neighbour by whom the source is nearest. A link that would shorten
    /// many ways is added, one that few ways lead over is dropped. What members say grows with how many there are, so this
    /// is for groups of some hundreds, and to compare with.
    Mesh,
}
