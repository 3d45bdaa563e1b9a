//! One tree in a LAN: who feeds it, and when to do that oneself ([`Stripe`]).

use core::net::SocketAddr;
use p2p_core::{Duration, Instant};

/// A tree is silent after so long at least: three beacons of a forwarder that has nothing to send.
pub(crate) const LEASE: Duration = Duration::from_millis(160);
/// The next but one waits longer, and so on.
const STAGGER: Duration = Duration::from_millis(100);
/// However slow the stream, it is looked after the forwarder then.
const LONGEST: Duration = Duration::from_secs(3);
/// Hosts behind the first one that have a parent that rests.
pub(crate) const STANDBYS: usize = 2;
/// Nobody sent anything yet: the first one is given so long to find a parent.
const FIRST: Duration = Duration::from_secs(4);
/// Who looked after a silent forwarder, and found nothing new, rests again after so long.
const CHECK: Duration = Duration::from_millis(400);
/// How old the generation is that a forwarder is to be past: what it claims is some 200 ms old.
const LAG: Duration = Duration::from_millis(300);
/// A tree that is so many generations behind the others is silent, whatever is said of it.
const BEHIND: u64 = 8;
/// Nobody has said for so long that it sends.
const UNCLAIMED: Duration = Duration::from_millis(400);
/// Who was given a tree, and is silent again within so long, lied.
const BOAST: Duration = Duration::from_secs(2);

/// What is known of a tree in the LAN when it is decided who is to feed it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sight {
    pub(crate) now: Instant,
    /// Hosts that go before us.
    pub(crate) rank: usize,
    /// Anybody is there.
    pub(crate) has_peers: bool,
    /// We take part.
    pub(crate) is_willing: bool,
    /// Who goes before us and says that it sends: where, and how far it is.
    pub(crate) better: Option<(SocketAddr, u64)>,
    /// Anybody says that it sends, or did a moment ago: a forwarder says so no more while it asks whether its parent is
    /// there.
    pub(crate) any_claim: bool,
    /// The newest generation of this tree that anybody says it has.
    pub(crate) claimed: Option<u64>,
    /// One behind the newest generation that was heard of in any tree.
    pub(crate) heard: u64,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Stay,
    /// Be fed from outside.
    Wake,
    /// Leave it to the group.
    Rest,
}

/// One tree.
#[derive(Clone, Debug)]
pub(crate) struct Stripe {
    /// It is fed from outside, or is to be.
    pub(crate) is_own: bool,
    /// It is sent to the group.
    pub(crate) is_active: bool,
    /// It has, or looks for, a parent that rests.
    pub(crate) is_standby: bool,
    /// What was asked of a parent last: to rest.
    pub(crate) asked_to_rest: bool,
    /// When a symbol came by the group.
    fed: Option<Instant>,
    /// It was left to the group then.
    since: Instant,
    /// When anybody said last that it sends it.
    claimed: Option<Instant>,
    /// The newest generation that came by the group.
    pub(crate) newest: Option<u64>,
    /// The newest one that came from outside since it is.
    pub(crate) mine: Option<u64>,
    /// What `mine` was a while ago, and before that.
    earlier: [(Instant, Option<u64>); 2],
    pause: Duration,
    /// It was silent: when that was seen.
    woke: Option<Instant>,
    /// Checks in a row that found nothing new.
    checks: u32,
    /// To whom it was left because of what that one says.
    left_to: Option<(SocketAddr, Instant)>,
    /// Who may have boasted.
    pub(crate) suspect: Option<SocketAddr>,
}

impl Stripe {
    pub(crate) const fn new(now: Instant) -> Self {
        Self {
            is_own: false,
            is_active: false,
            is_standby: false,
            asked_to_rest: false,
            fed: None,
            since: now,
            claimed: None,
            newest: None,
            mine: None,
            earlier: [(now, None); 2],
            pause: Duration::ZERO,
            woke: None,
            checks: 0,
            left_to: None,
            suspect: None,
        }
    }

    /// Whether it comes by the group.
    pub(crate) fn is_fed(&self, now: Instant) -> bool {
        self.fed.is_some_and(|at| now.since(at) < self.lease() + STAGGER)
    }

    /// How long it may be silent.
    fn lease(&self) -> Duration {
        (self.pause * 3 / 2).clamp(LEASE, LONGEST)
    }

    /// A symbol came by the group, of one who is trusted.
    pub(crate) fn came_by_group(&mut self, generation: u64, now: Instant) {
        if self.newest.is_none_or(|newest| newest < generation) {
            if let Some(fed) = self.fed {
                let pause = now.since(fed);
                // As for a parent: a hundred symbols later, a third of a pause is left of it.
                self.pause = if pause > self.pause {
                    // A failure is not the stream's own pace: what is far too long counts in part.
                    pause.min(self.lease() * 2)
                } else {
                    self.pause - self.pause / 100
                };
            }
            self.fed = Some(now);
            self.newest = Some(generation);
            if !self.is_own {
                self.checks = 0;
            }
        }
    }

    /// Whether anybody says that it sends, or did a moment ago.
    pub(crate) fn is_claimed(&mut self, claimed: bool, now: Instant) -> bool {
        if claimed {
            self.claimed = Some(now);
        }
        self.claimed.is_some_and(|at| now.since(at) < UNCLAIMED)
    }

    /// A symbol came from outside.
    pub(crate) fn came_from_outside(&mut self, generation: u64, now: Instant) {
        self.mine = self.mine.max(Some(generation));
        if now.since(self.earlier[0].0) >= LAG {
            self.earlier = [(now, self.mine), self.earlier[0]];
        }
    }

    /// What a forwarder is to be past: our own newest generation a while ago.
    fn bar(&self, now: Instant) -> Option<u64> {
        let old = self.earlier.iter().find(|(at, _)| now.since(*at) >= LAG);
        old.and_then(|(_, newest)| *newest)
    }

    pub(crate) fn decide(&self, see: &Sight) -> Step {
        let now = see.now;
        if !see.is_willing || !see.has_peers || see.rank == 0 {
            return if self.is_own { Step::Stay } else { Step::Wake };
        }
        if self.is_own {
            let Some((_, newest)) = see.better else { return Step::Stay };
            let is_level = self.bar(now).is_none_or(|bar| newest >= bar);
            // What is said ends no check, what is heard does.
            let is_over = self.woke.is_none_or(|at| now.since(at) >= CHECK || self.fed > Some(at));
            return if is_level && is_over { Step::Rest } else { Step::Stay };
        }
        let silence = now.since(self.fed.unwrap_or(self.since).max(self.since));
        // Nobody waits longer for many that go before it: those may be invented.
        let place = u32::try_from(see.rank.min(8)).unwrap_or(8) - 1;
        let is_silent = if self.fed.is_none() && self.woke.is_none() {
            silence >= FIRST + STAGGER * place && !see.any_claim || silence >= 2 * FIRST + STAGGER * place
        } else if see.rank <= STANDBYS {
            // It costs two datagrams to ask; less often while it is found that nothing is new.
            // Who begins is not known to be good before the first manifest.
            let begins = self.left_to.is_some_and(|(_, at)| now.since(at) < BOAST);
            let lease = if begins { 3 * self.lease() } else { self.lease() };
            silence >= (lease * (1 << self.checks.min(5)) + STAGGER * place).min(2 * LONGEST)
        } else {
            let flows =
                see.claimed > self.newest || self.newest.is_some_and(|newest| see.heard > newest + BEHIND);
            silence >= self.lease() + STAGGER * (place + 1) && !see.any_claim
                || silence >= 4 * self.lease() + STAGGER * place && flows
        };
        if is_silent { Step::Wake } else { Step::Stay }
    }

    /// It is to be fed from outside.
    pub(crate) fn wake(&mut self, see: &Sight) {
        self.is_own = true;
        self.mine = None;
        self.earlier = [(see.now, None); 2];
        // Only who was not first, nor alone, took it because of silence.
        if see.is_willing && see.has_peers && see.rank > 0 {
            self.woke = Some(see.now);
            self.checks += 1;
            // It says that it has much more than anybody heard of it.
            let bound = self.newest.map(|newest| newest + BEHIND);
            let boasts = see.better.filter(|(_, claimed)| bound.is_some_and(|bound| *claimed > bound));
            self.suspect = boasts.map(|(who, _)| who);
        } else {
            (self.woke, self.suspect) = (None, None);
        }
    }

    /// It is left to the group.
    pub(crate) fn rest(&mut self, see: &Sight) {
        (self.is_own, self.is_active, self.woke, self.suspect) = (false, false, None, None);
        self.newest = self.newest.max(self.mine);
        self.since = see.now;
        self.fed = self.fed.or(Some(see.now));
        self.left_to = see.better.map(|(who, _)| (who, see.now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn see(millis: u64, rank: usize) -> Sight {
        let now = Instant::ZERO + Duration::from_millis(millis);
        let (better, claimed) = (None, None);
        Sight { now, rank, has_peers: true, is_willing: true, better, any_claim: false, claimed, heard: 0 }
    }

    fn at(millis: u64) -> Instant {
        Instant::ZERO + Duration::from_millis(millis)
    }

    fn other() -> SocketAddr {
        SocketAddr::from(([10, 0, 0, 1], 1))
    }

    #[test]
    fn the_first_and_the_lonely_feed_themselves() {
        let stripe = Stripe::new(at(0));
        assert_eq!(stripe.decide(&see(0, 0)), Step::Wake);
        assert_eq!(stripe.decide(&Sight { has_peers: false, ..see(0, 3) }), Step::Wake);
        assert_eq!(stripe.decide(&Sight { is_willing: false, ..see(0, 3) }), Step::Wake);
        assert_eq!(stripe.decide(&see(0, 1)), Step::Stay);
    }

    #[test]
    fn one_after_the_other_when_it_is_silent() {
        let mut stripe = Stripe::new(at(0));
        for n in 0..50 {
            stripe.came_by_group(n, at(n * 20));
        }
        let silent_after = |rank| {
            (980..).find(|millis| stripe.decide(&see(*millis, rank)) == Step::Wake).map(|millis| millis - 980)
        };
        let waits: Vec<_> = (1..=4).map(silent_after).collect();
        assert_eq!(waits, [Some(160), Some(260), Some(460), Some(560)]);
        // Whoever is no stand-by leaves it to who says that it sends; unless the other trees are well ahead.
        assert_eq!(stripe.decide(&Sight { any_claim: true, ..see(2_000, 4) }), Step::Stay);
        assert_eq!(stripe.decide(&Sight { any_claim: true, heard: 60, ..see(2_000, 4) }), Step::Wake);
        // Or who says so has more than is heard of it.
        let claimed = |newest| Sight { any_claim: true, claimed: Some(newest), ..see(2_000, 4) };
        assert_eq!((stripe.decide(&claimed(49)), stripe.decide(&claimed(50))), (Step::Stay, Step::Wake));
    }

    #[test]
    fn slow_streams_are_given_time() {
        let mut stripe = Stripe::new(at(0));
        for n in 0..5 {
            stripe.came_by_group(n, at(n * 400));
        }
        assert_eq!(stripe.decide(&see(2_100, 1)), Step::Stay);
        assert_eq!(stripe.decide(&see(2_200, 1)), Step::Wake);
    }

    #[test]
    fn it_is_given_back_to_who_is_as_far() {
        let mut stripe = Stripe::new(at(0));
        stripe.came_by_group(9, at(0));
        stripe.wake(&see(200, 1));
        for n in 0..40 {
            stripe.came_from_outside(10 + n, at(250 + 20 * n));
        }
        let better = |newest| Sight { better: Some((other(), newest)), ..see(1_050, 1) };
        assert_eq!(stripe.decide(&see(1_050, 1)), Step::Stay);
        assert_eq!(stripe.decide(&better(9)), Step::Stay, "it is cut off");
        assert_eq!(stripe.decide(&better(47)), Step::Rest);
        stripe.rest(&better(47));
        assert_eq!((stripe.newest, stripe.is_own), (Some(49), false));
        // It said so, and is silent all the same.
        stripe.wake(&Sight { better: Some((other(), 60)), ..see(1_600, 1) });
        assert_eq!(stripe.suspect, Some(other()));
    }

    #[test]
    fn a_pause_of_the_stream_is_asked_about_less_and_less() {
        let mut stripe = Stripe::new(at(0));
        stripe.came_by_group(9, at(0));
        let (mut now, mut asked) = (0, 0);
        while now < 60_000 {
            now += 20;
            let mut see = see(now, 1);
            see.better = Some((other(), 9));
            see.any_claim = true;
            match stripe.decide(&see) {
                Step::Wake => {
                    asked += 1;
                    stripe.wake(&see);
                }
                Step::Rest => stripe.rest(&see),
                Step::Stay => {}
            }
        }
        assert!((5..20).contains(&asked), "{asked} times in a minute");
    }
}
