//! The machines of a simulated swarm: a client, one that lies, or the tracker.

use p2p_bittorrent::tracker::{Tracker, TrackerTimer};
use p2p_bittorrent::{Client, Command, Error, Event, Timer};
use p2p_core::{Bytes, Cx, Effect, Input, Machine, Own, Rng};
use p2p_sim::Either;

/// A member of the swarm.
pub enum Member {
    /// A client.
    Peer(Box<Peer>),
    /// The tracker.
    Tracker(Box<Tracker>),
}

/// A client, as it is or lying.
pub struct Peer {
    pub(super) client: Client,
    lie: Option<Lie>,
    effects: Vec<Effect<Client>>,
}

/// What a liar sends in place of blocks, how often, and how it decides.
struct Lie {
    rubbish: Bytes,
    share: f64,
    dice: Rng,
}

/// Bytes of a block's payload, and of nothing else that is sent.
const BLOCK: usize = 16 * 1024;

impl Member {
    /// An honest client.
    pub fn client(client: Client) -> Self {
        Self::Peer(Box::new(Peer { client, lie: None, effects: Vec::new() }))
    }

    /// A client of whose blocks this share is replaced by rubbish as they are sent.
    pub fn liar(client: Client, share: f64, seed: u64) -> Self {
        let mut dice = Rng::fast_from(seed);
        let mut rubbish = vec![0; BLOCK];
        dice.fill(&mut rubbish);
        let lie = Some(Lie { rubbish: rubbish.into(), share, dice });
        Self::Peer(Box::new(Peer { client, lie, effects: Vec::new() }))
    }

    /// The client, if it is one.
    #[must_use]
    pub const fn peer(&self) -> Option<&Client> {
        match self {
            Self::Peer(peer) => Some(&peer.client),
            Self::Tracker(_) => None,
        }
    }
}

impl Machine for Member {
    type Command = Command;
    type Event = Event;
    type Error = Error;
    type Timer = Either<Timer, TrackerTimer>;

    fn handle(&mut self, input: Input<Self>, cx: &mut Cx<'_, Self>) {
        match self {
            Self::Peer(peer) => peer.handle(input, cx),
            Self::Tracker(tracker) => track(tracker, input, cx),
        }
    }
}

impl Peer {
    fn handle(&mut self, input: Input<Member>, cx: &mut Cx<'_, Member>) {
        let left = |timer| match timer {
            Either::Left(timer) => Some(timer),
            Either::Right(_) => None,
        };
        let Some(input) = input.narrow::<Client>(left, Some) else { return };
        let mut effects = core::mem::take(&mut self.effects);
        cx.lend(&mut effects, |cx| self.client.handle(input, cx));
        for effect in effects.drain(..) {
            let own = |own| {
                Some(match own {
                    Own::Event(op, event) => Effect::Event(op, event),
                    Own::Finish(op, result) => Effect::Finish(op, result),
                    Own::Halt => Effect::Halt,
                })
            };
            let effect = match (effect, &mut self.lie) {
                (Effect::Send(conn, data), Some(lie)) if data.len() == BLOCK => {
                    Effect::Send(conn, if lie.dice.chance(lie.share) { lie.rubbish.clone() } else { data })
                }
                (effect, _) => effect,
            };
            if let Some(effect) = effect.lift(Either::Left, own) {
                cx.push(effect);
            }
        }
        self.effects = effects;
    }
}

fn track(tracker: &mut Tracker, input: Input<Member>, cx: &mut Cx<'_, Member>) {
    let right = |timer| match timer {
        Either::Left(_) => None,
        Either::Right(timer) => Some(timer),
    };
    let Some(input) = input.narrow::<Tracker>(right, |_| None) else { return };
    let mut effects = Vec::new();
    cx.lend(&mut effects, |cx| tracker.handle(input, cx));
    for effect in effects {
        // Its news are of no interest, and nothing is asked of it.
        let own = |own| matches!(own, Own::Halt).then_some(Effect::Halt);
        if let Some(effect) = effect.lift(Either::Right, own) {
            cx.push(effect);
        }
    }
}
