//! The client's side of one torrent: [`Announcer`], which says when to ask which of its trackers.

use super::attempt::{Answer, Ask, Attempt, Progress};
use super::identity::{Identity, Policy};
use super::{Announce, AnnounceReply, Event, Retry, Scraped};
use crate::InfoHash;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use p2p_core::http::UrlError;
use p2p_core::{ConnId, Cx, Datagram, Duration, Instant, IoError, LookupId, Machine, Rng, StreamInput};

/// Trackers of one torrent that are kept: real torrents name up to some fifty, and each costs memory and time.
pub const TRACKERS_MOST: usize = 64;

/// What a torrent has transferred.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Bytes sent to peers since the start.
    pub uploaded: u64,
    /// Bytes received from peers since the start.
    pub downloaded: u64,
    /// Bytes lacking; `None` if not known yet.
    pub left: Option<u64>,
}

/// What the owner lends an announcer for one call.
#[derive(Debug)]
pub struct Owner<'a> {
    /// The client's.
    pub identity: &'a mut Identity,
    /// The torrent's, as of now.
    pub totals: Totals,
    /// Where news go.
    pub news: &'a mut Vec<Update>,
}

/// News of an announcer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Update {
    /// A tracker answered.
    Announced {
        /// Its URL.
        tracker: Arc<str>,
        /// Peers, numbers, the address it saw, a warning.
        reply: AnnounceReply,
        /// When it is asked again.
        next: Instant,
    },
    /// A tracker's numbers, asked for with [`Announcer::scrape`].
    Scraped {
        /// Its URL.
        tracker: Arc<str>,
        /// The numbers.
        counts: Scraped,
    },
    /// A tracker did not answer, or refused. The next one, or a repetition, follows by itself.
    Failed {
        /// Its URL.
        tracker: Arc<str>,
        /// Why.
        why: Failure,
    },
    /// All trackers that knew of this client were told good-bye, or did not listen.
    Stopped,
}

/// Why a tracker could not be asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// Its URL is none, or of another scheme.
    #[error("not a tracker's URL: {0}")]
    Url(UrlError),
    /// Its name could not be resolved.
    #[error("name not resolved: {0}")]
    Unresolved(IoError),
    /// The rules against requests to a computer's own network forbid it.
    #[error("this URL may not be asked at this address")]
    Forbidden,
    /// There is no UDP socket of its address family.
    #[error("no socket for this kind of address")]
    NoSocket,
    /// It answered with garbage lately and is left alone until then.
    #[error("left alone after an answer that was none")]
    LeftAlone(Instant),
    /// The connection failed.
    #[error("connection failed: {0}")]
    Connection(IoError),
    /// It took too long.
    #[error("no answer in time")]
    TimedOut,
    /// It answered with an error of HTTP.
    #[error("HTTP status {0}")]
    Status(u16),
    /// It redirected more than five times.
    #[error("too many redirects")]
    Redirects,
    /// What it sent is no answer, or too long for one.
    #[error("the answer is not a tracker's")]
    Garbage,
    /// It refused.
    #[error("refused: {reason}")]
    Refused {
        /// In its words.
        reason: String,
        /// When to come back, if it said so.
        retry: Option<Retry>,
    },
    /// Its URL does not say where to scrape.
    #[error("cannot be scraped")]
    NoScrape,
}

impl Failure {
    /// Whether the address answered with something that no tracker says: after this it is asked three times an hour at
    /// most, whatever the number of torrents and URLs that lead to it.
    pub(super) const fn is_garbage(&self) -> bool {
        matches!(self, Self::Garbage | Self::Status(_) | Self::Redirects)
    }

    /// Whether there is no use in trying again.
    const fn is_final(&self) -> bool {
        matches!(self, Self::Url(_) | Self::Refused { retry: Some(Retry::Never), .. })
    }
}

/// What an announcer waits for, so that its owner finds it when it comes. There is one thing at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pending {
    /// An `Input::Resolved` of this.
    Lookup(LookupId),
    /// An `Input::Stream` of this.
    Conn(ConnId),
    /// A datagram with this transaction (see [`udp::transaction_of`](super::udp::transaction_of)).
    Transaction(u32),
}

/// A tracker of a torrent: 56 bytes.
#[derive(Debug)]
struct Endpoint {
    url: Arc<str>,
    tracker_id: Option<Box<[u8]>>,
    not_before: Instant,
    tier: u16,
    failures: u8,
    /// It knows that this client takes part.
    told: bool,
    dead: bool,
}

/// The trackers of one torrent, and when to ask which.
///
/// It is a part of a client's machine, not one of its own: the owner lends it a context, passes on what belongs to it
/// ([`Pending`] says what), and calls [`tick`](Self::tick) when [`next_due`](Self::next_due) has come.
///
/// ```text
///   start --> ask the first tracker that may be asked --> answer: wait for its interval, then again
///                 ^                |
///                 |                v
///                 +--- no answer: the next one; if none is left, wait (5 s, doubling up to 1 h)
/// ```
///
/// As BEP 12 says, each tier is put into a random order once, trackers are tried in order, tier by tier, and one that
/// answers moves to the front of its tier. One exchange is under way at a time.
#[derive(Debug)]
pub struct Announcer {
    info_hash: InfoHash,
    endpoints: Vec<Endpoint>,
    attempt: Option<Box<Attempt>>,
    due: Option<Instant>,
    /// Before this no announce is welcome.
    earliest: Instant,
    state: State,
    completed: bool,
    scrape: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Idle,
    Running,
    Stopping,
}

impl Announcer {
    /// The announcer of a torrent with these trackers, in tiers; [`TRACKERS_MOST`] of them are kept, each once.
    #[must_use]
    pub fn new<T, U>(info_hash: InfoHash, tiers: T, rng: &mut Rng) -> Self
    where
        T: IntoIterator<Item = U>,
        U: IntoIterator<Item = Arc<str>>,
    {
        let mut endpoints: Vec<Endpoint> = Vec::new();
        for (tier, urls) in tiers.into_iter().take(TRACKERS_MOST).enumerate() {
            let from = endpoints.len();
            for url in urls {
                if endpoints.len() >= TRACKERS_MOST {
                    break;
                }
                if endpoints.iter().all(|known| known.url != url) {
                    endpoints.push(Endpoint::new(url, tier as u16));
                }
            }
            rng.shuffle(endpoints.get_mut(from..).unwrap_or_default());
        }
        endpoints.shrink_to_fit();
        Self {
            info_hash,
            endpoints,
            attempt: None,
            due: None,
            earliest: Instant::ZERO,
            state: State::Idle,
            completed: false,
            scrape: false,
        }
    }

    /// Adds a tracker, in a tier of its own behind the others (a magnet link's, or one that a peer named). False if it
    /// is known, or there are too many.
    pub fn add(&mut self, url: Arc<str>, now: Instant) -> bool {
        if self.endpoints.len() >= TRACKERS_MOST || self.endpoints.iter().any(|known| known.url == url) {
            return false;
        }
        let tier = self.endpoints.last().map_or(0, |last| last.tier.saturating_add(1));
        self.endpoints.push(Endpoint::new(url, tier));
        if self.state == State::Running && self.due.is_none() {
            self.due = Some(now);
        }
        true
    }

    /// The trackers, in the order in which they are tried.
    pub fn trackers(&self) -> impl Iterator<Item = &Arc<str>> {
        self.endpoints.iter().map(|endpoint| &endpoint.url)
    }

    /// When [`tick`](Self::tick) is to be called: the owner needs one timer per torrent.
    #[must_use]
    pub fn next_due(&self) -> Option<Instant> {
        match &self.attempt {
            Some(attempt) => Some(attempt.deadline),
            None => self.due,
        }
    }

    /// What it waits for. Ask after each call.
    #[must_use]
    pub fn pending(&self) -> Option<Pending> {
        self.attempt.as_ref().and_then(|attempt| attempt.pending())
    }

    /// Whether nothing is under way and nothing will be: after [`stop`](Self::stop), when all good-byes are said.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.state == State::Idle && self.attempt.is_none()
    }

    /// Begins to announce.
    pub fn start<M: Machine>(&mut self, cx: &mut Cx<'_, M>, owner: Owner<'_>) {
        if self.state == State::Stopping {
            self.abandon(cx);
        }
        self.state = State::Running;
        self.due = Some(cx.now());
        self.tick(cx, owner);
    }

    /// The download is complete: tells the tracker at once.
    pub fn complete<M: Machine>(&mut self, cx: &mut Cx<'_, M>, owner: Owner<'_>) {
        self.completed = true;
        if self.state == State::Running && self.endpoints.iter().any(|endpoint| endpoint.told) {
            self.due = Some(cx.now());
            self.tick(cx, owner);
        }
    }

    /// More peers are wanted: announces as soon as the tracker allows. The owner still waits for
    /// [`next_due`](Self::next_due).
    pub fn request_more(&mut self, now: Instant) {
        if let Some(due) = self.due {
            self.due = Some(due.min(self.earliest.max(now)));
        }
    }

    /// Asks the first tracker for its numbers, after what is under way.
    pub fn scrape<M: Machine>(&mut self, cx: &mut Cx<'_, M>, owner: Owner<'_>) {
        self.scrape = true;
        self.tick(cx, owner);
    }

    /// Ends it: every tracker that knows of this client is told, once and without much waiting. `Update::Stopped`
    /// follows.
    pub fn stop<M: Machine>(&mut self, cx: &mut Cx<'_, M>, owner: Owner<'_>) {
        if self.state == State::Idle && self.attempt.is_none() {
            owner.news.push(Update::Stopped);
            return;
        }
        // An announce under way may have been read already.
        if let Some(attempt) = &self.attempt
            && attempt.ask.event() == Some(Event::Started)
            && let Some(endpoint) = self.endpoints.get_mut(attempt.endpoint)
        {
            endpoint.told = true;
        }
        self.abandon(cx);
        (self.state, self.due, self.scrape, self.completed) = (State::Stopping, Some(cx.now()), false, false);
        self.tick(cx, owner);
    }

    fn abandon<M: Machine>(&mut self, cx: &mut Cx<'_, M>) {
        if let Some(mut attempt) = self.attempt.take() {
            attempt.abandon(cx);
        }
    }

    /// Does what is due.
    pub fn tick<M: Machine>(&mut self, cx: &mut Cx<'_, M>, mut owner: Owner<'_>) {
        if let Some(attempt) = &mut self.attempt
            && attempt.deadline <= cx.now()
        {
            let progress = attempt.timed_out(cx, owner.identity);
            self.conclude(cx, &mut owner, progress);
        }
        self.advance(cx, &mut owner);
    }

    /// The answer to a look-up, if it is this announcer's.
    pub fn resolved<M: Machine>(
        &mut self,
        cx: &mut Cx<'_, M>,
        mut owner: Owner<'_>,
        lookup: LookupId,
        found: Result<Vec<SocketAddr>, IoError>,
    ) {
        if let Some(attempt) =
            self.attempt.as_mut().filter(|is| is.pending() == Some(Pending::Lookup(lookup)))
        {
            let progress = attempt.resolved(cx, owner.identity, found);
            self.conclude(cx, &mut owner, progress);
            self.advance(cx, &mut owner);
        }
    }

    /// Something happened to a stream, if it is this announcer's.
    pub fn stream<M: Machine>(
        &mut self,
        cx: &mut Cx<'_, M>,
        mut owner: Owner<'_>,
        conn: ConnId,
        input: StreamInput,
    ) {
        if let Some(attempt) = self.attempt.as_mut().filter(|is| is.pending() == Some(Pending::Conn(conn))) {
            let progress = attempt.stream(cx, owner.identity, input);
            self.conclude(cx, &mut owner, progress);
            self.advance(cx, &mut owner);
        }
    }

    /// A datagram came, perhaps for this announcer.
    pub fn datagram<M: Machine>(&mut self, cx: &mut Cx<'_, M>, mut owner: Owner<'_>, datagram: &Datagram) {
        if let Some(attempt) = &mut self.attempt {
            let progress = attempt.datagram(cx, owner.identity, datagram);
            self.conclude(cx, &mut owner, progress);
            self.advance(cx, &mut owner);
        }
    }

    /// Begins exchanges until one is under way or none is due. Each that cannot begin makes its tracker wait, so this
    /// ends after one try per tracker.
    fn advance<M: Machine>(&mut self, cx: &mut Cx<'_, M>, owner: &mut Owner<'_>) {
        while self.attempt.is_none() {
            let Some((endpoint, ask)) = self.next_ask(cx.now(), owner) else { return };
            let Some(tracker) = self.endpoints.get(endpoint) else { return };
            let turn = usize::from(tracker.failures);
            match Attempt::begin(cx, owner.identity, &tracker.url, ask.clone(), (endpoint, turn)) {
                Ok(attempt) => self.attempt = Some(Box::new(attempt)),
                Err(why) => self.failed(cx, owner, endpoint, &ask, why),
            }
        }
    }

    /// Whom to ask what now; sets the time of the next try if nobody.
    fn next_ask(&mut self, now: Instant, owner: &mut Owner<'_>) -> Option<(usize, Ask)> {
        if self.scrape && self.state != State::Stopping {
            self.scrape = false;
            if let Some(first) = self.endpoints.iter().position(|endpoint| !endpoint.dead) {
                return Some((first, Ask::Scrape(self.info_hash)));
            }
        }
        if self.due.is_none_or(|due| due > now) {
            return None;
        }
        let stopping = self.state == State::Stopping;
        let may = |endpoint: &Endpoint| match stopping {
            true => endpoint.told,
            false => !endpoint.dead && endpoint.not_before <= now,
        };
        if let Some(at) = self.endpoints.iter().position(may) {
            return Some((at, Ask::Announce(self.announce(at, owner))));
        }
        if stopping {
            (self.state, self.due) = (State::Idle, None);
            owner.news.push(Update::Stopped);
        } else {
            let alive = self.endpoints.iter().filter(|endpoint| !endpoint.dead);
            self.due = alive.map(|endpoint| endpoint.not_before).min();
        }
        None
    }

    fn announce(&self, at: usize, owner: &Owner<'_>) -> Announce {
        let (identity, totals) = (&*owner.identity, owner.totals);
        let endpoint = self.endpoints.get(at);
        let event = match endpoint {
            _ if self.state == State::Stopping => Event::Stopped,
            Some(endpoint) if !endpoint.told => Event::Started,
            _ if self.completed => Event::Completed,
            _ => Event::Regular,
        };
        Announce {
            uploaded: totals.uploaded,
            downloaded: totals.downloaded,
            left: totals.left,
            event,
            want: Some(if event == Event::Stopped { 0 } else { identity.policy.want }),
            key: Some(identity.key),
            tracker_id: endpoint.and_then(|endpoint| endpoint.tracker_id.clone()),
            ..Announce::new(self.info_hash, identity.peer_id, identity.port)
        }
    }

    fn conclude<M: Machine>(&mut self, cx: &mut Cx<'_, M>, owner: &mut Owner<'_>, progress: Progress) {
        let Some(outcome) = progress else { return };
        let Some(attempt) = self.attempt.take() else { return };
        match outcome {
            Ok(Answer::Announced(reply)) => self.announced(cx.now(), owner, &attempt, reply),
            Ok(Answer::Scraped(counts)) => {
                if let Some(endpoint) = self.endpoints.get(attempt.endpoint) {
                    owner.news.push(Update::Scraped { tracker: endpoint.url.clone(), counts });
                }
            }
            Err(why) => self.failed(cx, owner, attempt.endpoint, &attempt.ask, why),
        }
    }

    fn announced(&mut self, now: Instant, owner: &mut Owner<'_>, attempt: &Attempt, reply: AnnounceReply) {
        let policy = &owner.identity.policy;
        let event = attempt.ask.event();
        let at = attempt.endpoint;
        let Some(endpoint) = self.endpoints.get_mut(at) else { return };
        endpoint.told = event != Some(Event::Stopped);
        endpoint.failures = 0;
        endpoint.not_before = now;
        if reply.tracker_id.is_some() {
            endpoint.tracker_id.clone_from(&reply.tracker_id);
        }
        if self.state == State::Stopping {
            return;
        }
        let (tracker, tier) = (endpoint.url.clone(), endpoint.tier);
        let clamp = |secs: Option<u64>, default| {
            let span = secs.map_or(default, Duration::from_secs);
            span.clamp(policy.interval_least, policy.interval_most)
        };
        let least = clamp(reply.min_interval, policy.interval_least);
        let next = now + clamp(reply.interval, policy.interval_default).max(least);
        self.earliest = now + least;
        // The word `completed` follows `started` at once if both are owed.
        if event == Some(Event::Completed) {
            self.completed = false;
        }
        self.due = Some(if self.completed { now } else { next });
        let first = self.endpoints.iter().position(|endpoint| endpoint.tier == tier).unwrap_or(at);
        if let Some(tier) = self.endpoints.get_mut(first..=at) {
            tier.rotate_right(1);
        }
        owner.news.push(Update::Announced { tracker, reply, next });
    }

    fn failed<M: Machine>(
        &mut self,
        cx: &mut Cx<'_, M>,
        owner: &mut Owner<'_>,
        at: usize,
        ask: &Ask,
        why: Failure,
    ) {
        let Some(endpoint) = self.endpoints.get_mut(at) else { return };
        let tracker = endpoint.url.clone();
        if ask.event() == Some(Event::Stopped) {
            endpoint.told = false;
        } else if ask.event().is_some() {
            endpoint.dead = why.is_final();
            endpoint.not_before = retry_at(cx, &owner.identity.policy, &why, endpoint.failures);
            endpoint.failures = endpoint.failures.saturating_add(1);
        }
        owner.news.push(Update::Failed { tracker, why });
    }

    /// What it takes of memory beside the URLs' own text, in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        let ids =
            self.endpoints.iter().filter_map(|endpoint| endpoint.tracker_id.as_ref()).map(|id| id.len());
        size_of::<Self>()
            + self.endpoints.capacity() * size_of::<Endpoint>()
            + ids.sum::<usize>()
            + self.attempt.as_ref().map_or(0, |_| size_of::<Attempt>())
    }
}

impl Endpoint {
    const fn new(url: Arc<str>, tier: u16) -> Self {
        Self { url, tracker_id: None, not_before: Instant::ZERO, tier, failures: 0, told: false, dead: false }
    }
}

/// When a tracker may be asked again: later with each failure, and not at the same moment as by everybody else whom
/// its failure hit.
fn retry_at<M: Machine>(cx: &mut Cx<'_, M>, policy: &Policy, why: &Failure, failures: u8) -> Instant {
    let now = cx.now();
    let doubled = policy.retry_first.saturating_mul(1 << failures.min(16)).min(policy.retry_most);
    let wait = match why {
        Failure::LeftAlone(until) => return *until + cx.rng().phase(policy.retry_first),
        Failure::Refused { retry: Some(Retry::After(after)), .. } => {
            (*after).clamp(policy.interval_least, policy.interval_most)
        }
        // It works, and will hardly change its mind within seconds.
        Failure::Refused { .. } | Failure::Forbidden => doubled.max(policy.interval_least),
        // Its address is left alone for so long anyway.
        why if why.is_garbage() => doubled.max(super::guard::GARBAGE_PENALTY),
        _ => doubled,
    };
    now + wait + cx.rng().phase(wait / 4)
}

/// An external address that answers agree on is worth more than one: what a client may conclude from an update.
impl Update {
    /// The client's own address as a tracker saw it (BEP 24), if this says so.
    #[must_use]
    pub const fn external_ip(&self) -> Option<IpAddr> {
        match self {
            Self::Announced { reply, .. } => reply.external_ip,
            _ => None,
        }
    }
}
