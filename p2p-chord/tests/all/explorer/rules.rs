//! What the explorer is told of Chord: [`Zave`], after Zave 2017, "Reasoning about identifier spaces: how to make Chord
//! correct".

use p2p_chord::wire::{Answer, Ask, Packet};
use p2p_chord::{Chord, Command, Config, NetworkId, Peer, Place, Timer};
use p2p_sim::explore::{Letter, Node, Nudge, Rules, World};
use std::hash::{Hash as _, Hasher};

/// How much is left out, because it can be shown to lead nowhere else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Detail {
    /// Nothing: questions and answers travel one by one.
    Full,
    /// What commutes with all that may happen before it happens at once: see [`Zave::is_prompt`].
    Movers,
}

/// When nodes may crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Crashes {
    /// Unless somebody's list would have no live entry left, or a list that is on its way to somebody: Zave's operating
    /// assumption.
    Sparing,
    /// While nobody is on its way in, and two others are members.
    Quiet,
}

/// Nodes around a ring, in order, some of which never crash.
#[derive(Clone, Debug)]
pub(crate) struct Zave {
    pub(crate) config: Config,
    pub(crate) peers: Vec<Peer>,
    /// The base: r + 1 members that stay.
    pub(crate) base: Vec<bool>,
    /// Nodes join by this one.
    pub(crate) door: usize,
    pub(crate) detail: Detail,
    /// Nodes that wait for an answer at a time; no more begin to stabilise meanwhile.
    pub(crate) overlap: usize,
    /// When nodes that are not of the base may crash.
    pub(crate) crashes: Crashes,
    /// Whether the invariant is looked at, and not only the goal.
    pub(crate) checks: bool,
}

/// A datagram's kind, number.
pub(crate) fn head(letter: &Letter) -> (bool, u32) {
    let number = [letter.data[6], letter.data[7], letter.data[8], letter.data[9]];
    (letter.data[5] == 0, u32::from_le_bytes(number))
}

impl Zave {
    pub(crate) const fn network(&self) -> NetworkId {
        self.config.network
    }

    pub(crate) fn number(&self, peer: Peer) -> usize {
        self.peers.iter().position(|at| *at == peer).unwrap()
    }

    fn named(&self, place: Place) -> usize {
        self.number(place.peer(self.network()).unwrap())
    }

    pub(crate) fn node(&self, number: usize) -> Chord {
        let mut config = self.config.clone();
        config.listen = self.peers[number].addr();
        // Nothing is stored, so copies need no comparing.
        config.replicas = 1;
        // So nobody calls it back before it joins, which would only put off the join.
        config.advertised = Some(config.listen);
        Chord::new(config)
    }

    /// A member of a ring that is as it should be.
    pub(crate) fn settled(&self, members: &[usize], number: usize) -> Chord {
        let at = members.iter().position(|member| *member == number).unwrap();
        let around = |steps: usize| self.peers[members[(at + steps) % members.len()]];
        let successors: Vec<Peer> = (1..=self.config.successors).map(around).collect();
        let mut config = self.config.clone();
        config.listen = self.peers[number].addr();
        // Nothing is stored, so copies need no comparing.
        config.replicas = 1;
        Chord::settled(config, self.peers[number], around(members.len() - 1), &successors, [])
    }

    /// What whoever hears of this waits for, if it does; of a question: what its sender does.
    pub(crate) fn purpose(&self, letter: &Letter, world: &World<Chord>) -> Option<&'static str> {
        let (is_ask, number) = head(letter);
        let (asker, asked) = if is_ask { (letter.from, letter.to) } else { (letter.to, letter.from) };
        let mut questions = world.machine(asker)?.questions();
        let peer = self.peers[asked];
        questions.find(|(at, to, _)| *at == number && *to == peer).map(|(.., what)| what)
    }

    /// Whether a node cannot crash before it is a member at least.
    pub(crate) fn stays(&self, node: usize, world: &World<Chord>) -> bool {
        let waits = self.crashes == Crashes::Quiet && !Self::is_member(world, node);
        waits || self.base[node] || world.crashes_left() == 0
    }

    pub(crate) fn is_member(world: &World<Chord>, node: usize) -> bool {
        world.machine(node).is_some_and(Chord::is_member)
    }

    fn members<'a>(&self, world: &'a World<Chord>) -> impl Iterator<Item = (usize, &'a Chord)> {
        let members = (0..world.len()).filter_map(|node| Some((node, world.machine(node)?)));
        members.filter(|(_, chord)| chord.is_member())
    }

    /// Whether everybody's list has a live entry but for this node, and every list that is on its way.
    fn is_spared(&self, node: usize, world: &World<Chord>) -> bool {
        let is_live = |peer: Peer| {
            let number = self.number(peer);
            number != node && Self::is_member(world, number)
        };
        let lists = self.members(world).filter(|(at, _)| *at != node);
        if !lists.into_iter().all(|(_, chord)| chord.successors().any(is_live)) {
            return false;
        }
        world.letters().iter().all(|letter| {
            let Ok(Packet::Answer { answer, .. }) = Packet::decode(&letter.data, self.network()) else {
                return true;
            };
            let Answer::Neighbours { successors: Some(list), .. } = answer else { return true };
            let rest = list.into_iter().take(self.config.successors - 1);
            let mut list = rest.filter_map(|place| place.peer(self.network()));
            is_live(self.peers[letter.from]) || list.any(is_live)
        })
    }

    /// Members that no member's extended list leaves out.
    fn principals(&self, world: &World<Chord>) -> usize {
        let is_skipped = |id: p2p_chord::RingId| {
            self.members(world).any(|(node, chord)| {
                let mut last = self.peers[node].id();
                chord.successors().any(|next| {
                    let skips = id.between(last, next.id());
                    last = next.id();
                    skips
                })
            })
        };
        self.members(world).filter(|(node, _)| !is_skipped(self.peers[*node].id())).count()
    }
}

impl Rules<Chord> for Zave {
    fn node(&self, node: &Node<Chord>, mut into: &mut dyn Hasher) {
        match self.detail {
            Detail::Full => {
                node.machine().essence(into);
                node.life().hash(&mut into);
            }
            Detail::Movers => node.machine().outline(into),
        }
        (node.is_set(Timer::Join), node.is_set(Timer::Stabilise)).hash(&mut into);
    }

    fn rest(&self, node: &Node<Chord>, into: &mut dyn Hasher) {
        node.machine().outline(into);
    }

    fn letter(&self, letter: &Letter, world: &World<Chord>, mut into: &mut dyn Hasher) {
        let into = &mut into;
        self.purpose(letter, world).hash(into);
        match self.detail {
            Detail::Full => (letter.unprompted, &letter.data[..6], &letter.data[10..]).hash(into),
            Detail::Movers => self.outline(letter, world, into),
        }
    }

    fn is_prompt(&self, letter: &Letter, world: &World<Chord>) -> bool {
        match self.detail {
            Detail::Full => !head(letter).0 && self.purpose(letter, world).is_none(),
            Detail::Movers => self.moves(letter, world),
        }
    }

    fn prompt_nudge(&self, lost: &Letter, world: &World<Chord>) -> Option<Nudge<Timer>> {
        let is_prompt = self.detail == Detail::Movers && self.is_given_up(lost, world);
        let nudge = Nudge { timer: Timer::Due, why: "gives up", about: Some(lost.to), periodic: false };
        is_prompt.then_some(nudge)
    }

    fn nudges(&self, node: usize, world: &World<Chord>) -> Vec<Nudge<Timer>> {
        let Some(up) = world.node(node) else { return Vec::new() };
        let chord = up.machine();
        let mut nudges = Vec::new();
        let is_asking = chord.questions().any(|(.., what)| matches!(what, "stabilise" | "next" | "nearer"));
        let may_begin = || {
            let waits =
                |node: &usize| world.machine(*node).is_some_and(|chord| chord.questions().next().is_some());
            (0..world.len()).filter(|at| *at != node).filter(waits).count() < self.overlap
        };
        if up.is_set(Timer::Stabilise) && !is_asking && may_begin() {
            nudges.push(Nudge { timer: Timer::Stabilise, why: "stabilises", about: None, periodic: true });
        }
        if up.is_set(Timer::Join) {
            nudges.push(Nudge {
                timer: Timer::Join,
                why: "tries again to join",
                about: None,
                periodic: true,
            });
        }
        for (number, to, _) in chord.questions() {
            let about = self.number(to);
            let is_on_its_way = || {
                world.letters().iter().any(|letter| {
                    let is_between = (letter.from, letter.to) == (node, about)
                        || (letter.from, letter.to) == (about, node);
                    is_between && head(letter).1 == number
                })
            };
            let why = match world.is_up(about) {
                false if world.letters().iter().any(|letter| letter.from == about) => continue,
                false => "gives up",
                true if !is_on_its_way() => "asks again",
                true => continue,
            };
            let nudge = Nudge { timer: Timer::Due, why, about: Some(about), periodic: false };
            if !nudges.contains(&nudge) {
                nudges.push(nudge);
            }
        }
        nudges
    }

    fn prepare(&self, nudge: &Nudge<Timer>, machine: &mut Chord) {
        machine.hears_all();
        if let Some(about) = nudge.about {
            machine.hasten(self.peers[about], nudge.why == "gives up");
        }
    }

    fn may_crash(&self, node: usize, world: &World<Chord>) -> bool {
        let may = || match self.crashes {
            Crashes::Sparing => self.is_spared(node, world),
            Crashes::Quiet => {
                let up = (0..world.len()).filter(|node| world.is_up(*node)).count();
                up > 2 && self.members(world).count() == up
            }
        };
        !self.base[node] && may()
    }

    fn boots(&self, _node: usize, _world: &World<Chord>) -> usize {
        1
    }

    fn boot(&self, node: usize, _variant: usize) -> (Chord, Command) {
        (self.node(node), Command::Join(vec![self.peers[self.door].addr()]))
    }

    fn check(&self, world: &World<Chord>) -> Result<(), String> {
        if !self.checks {
            return Ok(());
        }
        for (node, chord) in self.members(world) {
            chord.check().map_err(|broken| format!("{node}: {broken}"))?;
            if chord.is_small() {
                return Err(format!("{node} holds the ring for small"));
            }
            if !chord.successors().any(|peer| Self::is_member(world, self.number(peer))) {
                return Err(format!("{node} has no live successor"));
            }
        }
        match self.principals(world) {
            enough if enough > self.config.successors => Ok(()),
            too_few => Err(format!("only {too_few} members are skipped by nobody")),
        }
    }

    fn goal(&self, world: &World<Chord>) -> Result<(), String> {
        let members: Vec<usize> = self.members(world).map(|(node, _)| node).collect();
        // Whoever found no way in was told so, and is no part of the ring.
        let joins = |node: &usize| {
            let up = world.node(*node).filter(|node| !node.machine().is_member());
            up.is_some_and(|up| up.is_set(Timer::Join) || up.machine().questions().next().is_some())
        };
        if let Some(node) = (0..world.len()).find(joins) {
            return Err(format!("{node} is no member"));
        }
        for (at, node) in members.iter().enumerate() {
            let chord = world.machine(*node).unwrap();
            let around = |steps: usize| self.peers[members[(at + steps) % members.len()]];
            let length = if chord.is_small() { members.len() - 1 } else { self.config.successors };
            let right: Vec<Peer> = (1..=length).map(around).collect();
            let has: Vec<Peer> = chord.successors().collect();
            let numbers =
                |list: &[Peer]| -> Vec<usize> { list.iter().map(|peer| self.number(*peer)).collect() };
            if has != right {
                return Err(format!("{node} has successors {:?}, not {:?}", numbers(&has), numbers(&right)));
            }
            if members.len() > 1 && chord.predecessor() != Some(around(members.len() - 1)) {
                return Err(format!("{node} has another predecessor"));
            }
        }
        Ok(())
    }

    fn describe(&self, letter: &Letter, world: &World<Chord>) -> String {
        let what = self.purpose(letter, world).unwrap_or("nobody waits");
        let list =
            |places: Vec<Place>| -> Vec<usize> { places.into_iter().map(|at| self.named(at)).collect() };
        let words = match Packet::decode(&letter.data, self.network()).unwrap() {
            Packet::Ask { ask: Ask::Step(_), .. } => String::from("who is there?"),
            Packet::Ask { ask, .. } => format!("{ask:?}?"),
            Packet::Answer { answer, .. } => match answer {
                Answer::Pong(_) => String::from("here"),
                Answer::Neighbours { predecessor, successors, .. } => format!(
                    "predecessor {:?}, successors {:?}",
                    predecessor.map(|at| self.named(at)),
                    successors.map(list),
                ),
                Answer::Owners(places) => format!("owners {:?}", list(places)),
                Answer::Closer(places) => format!("nearer {:?}", list(places)),
                other => format!("{other:?}"),
            },
        };
        format!("{words} ({what})")
    }

    fn picture(&self, world: &World<Chord>) -> String {
        let mut lines = Vec::new();
        for node in 0..world.len() {
            let Some(chord) = world.machine(node) else { continue };
            let before = chord.predecessor().map(|peer| self.number(peer));
            let list: Vec<usize> = chord.successors().map(|peer| self.number(peer)).collect();
            let member = if chord.is_member() { "" } else { " (joining)" };
            let waits: Vec<_> = chord.questions().map(|(_, to, what)| (what, self.number(to))).collect();
            lines.push(format!(
                "     {node}{member}: before {before:?}, behind {list:?}, waits for {waits:?}"
            ));
        }
        lines.join("\n")
    }
}
