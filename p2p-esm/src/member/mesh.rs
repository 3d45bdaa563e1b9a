//! What a member does for the mesh ([`Policy::Mesh`](crate::Policy::Mesh)): it looks for neighbours, tells them how far
//! everybody is, adds links that shorten many ways and drops those that few lead over.

use super::{Context, Esm, State};
use crate::member::questions::{Purpose, UNKNOWN};
use crate::mesh::{LEAST, Mesh, Survey};
use crate::policy::Policy;
use crate::wire::{Answer, Ask, Known, MemberId, ROUTES, Refusal, Route, Tell};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::net::SocketAddr;
use p2p_core::{Duration, Instant};

/// How often neighbours are told how far everybody is, as in the papers' runs of Narada.
const REFRESH: Duration = Duration::from_secs(10);
/// How often somebody is asked to be a neighbour, as long as there are too few.
const LINK: Duration = Duration::from_secs(1);
/// Without a parent for so many rounds, new neighbours are looked for.
const VAIN: u8 = 5;
/// Who told nothing for so long is asked whether it is there, if others need its place.
const QUIET: Duration = Duration::from_secs(2);
/// Who was named is asked so soon.
const AGAIN: Duration = Duration::from_millis(100);
/// How often it is looked whether a link is worth adding, or one dropping.
const LOOK: Duration = Duration::from_secs(10);
/// Neighbours at most.
const MOST: usize = 6;

impl super::Live {
    /// Neighbours that it may have: each may be a child, but for the parent.
    fn most_neighbours(&self) -> usize {
        let children = usize::from(self.copies) / self.trees.len();
        let parent = usize::from(self.source.is_none());
        (children + parent).clamp(1, MOST)
    }

    /// When it is to look after its links.
    pub(super) fn mesh_at(&self) -> Option<Instant> {
        let mesh = self.mesh.as_ref()?;
        Some(mesh.next_refresh.min(mesh.next_link).min(mesh.next_look))
    }
}

impl Esm {
    fn mesh(&mut self) -> Option<&mut Mesh> {
        self.live()?.mesh.as_deref_mut()
    }

    /// What the policy needs.
    pub(super) fn new_mesh(&self, is_source: bool) -> Option<Box<Mesh>> {
        (self.config.policy == Policy::Mesh).then(|| Box::new(Mesh::new(self.me, is_source)))
    }

    /// Whether parents follow from a mesh.
    pub(super) fn has_mesh(&self) -> bool {
        matches!(&self.state, State::Live(live) if live.mesh.is_some())
    }

    /// Who could be the parent: neighbours, by how far the source is by them. `None` if there is no mesh.
    pub(super) fn mesh_offers(&self, tree: u8, now: Instant) -> Option<Vec<(u32, SocketAddr)>> {
        let State::Live(live) = &self.state else { return None };
        let mesh = live.mesh.as_ref()?;
        let children = &live.trees[usize::from(tree)].children;
        let is_open = |addr: SocketAddr| {
            children.iter().all(|child| child.addr != addr)
                && self.view.get(addr).is_none_or(|known| known.shunned <= now)
        };
        let offers = mesh.to_source().filter(|(_, addr)| is_open(*addr));
        Some(offers.map(|(delay, addr)| (u32::from(delay), addr)).collect())
    }

    /// Whether a child is taken: if it is a neighbour. `None` if there is no mesh.
    pub(super) fn is_taken_by_mesh(&self, child: SocketAddr) -> Option<bool> {
        let State::Live(live) = &self.state else { return None };
        live.mesh.as_ref().map(|mesh| mesh.is_neighbour(child))
    }

    pub(super) fn tend_mesh(&mut self, cx: &mut Context<'_>) {
        let now = cx.now();
        let State::Live(live) = &mut self.state else { return };
        let (most, is_source, is_leaving) =
            (live.most_neighbours(), live.source.is_some(), live.leaving.is_some());
        let parents: Vec<_> = live.parents().into_iter().map(|(addr, _)| addr).collect();
        let children = live.trees.iter().flat_map(|tree| &tree.children).map(|child| child.addr);
        let needed: Vec<_> = children.chain(parents).collect();
        // Ways that are told of may be of before the failure for which there is no parent.
        let vain = live.trees.iter().any(|tree| tree.seek.as_ref().is_some_and(|seek| seek.rounds >= VAIN));
        let Some(mesh) = live.mesh.as_deref_mut() else { return };
        if mesh.next_refresh <= now {
            mesh.next_refresh = now + REFRESH / 2 + cx.rng().phase(REFRESH);
            let silent = mesh.refresh(now);
            silent.into_iter().for_each(|addr| self.tell_known(addr, Tell::Unlink, cx));
            self.tell_neighbours(None, cx);
            self.measure_neighbours(cx);
        }
        let Some(mesh) = self.mesh() else { return };
        let few = mesh.neighbours().len() < LEAST.min(most);
        let is_astray = !is_source && (vain || mesh.to_source().next().is_none());
        let mut ask = None;
        if mesh.next_link <= now {
            mesh.next_link = now + LINK / 2 + cx.rng().phase(LINK);
            ask = mesh.cut_off(cx.rng(), now).filter(|_| cx.rng().chance(0.1));
            if is_astray {
                // Who is where the source is knows others there, if it has no room itself.
                ask = mesh.named.pop();
                ask = ask.or_else(|| self.door(cx));
            } else if few && !is_source {
                // Who was met at the door, until the mesh names more.
                ask = mesh.stranger(cx.rng()).or_else(|| self.acquaintance(cx));
            }
        }
        let Some(mesh) = self.mesh() else { return };
        if mesh.next_look <= now {
            mesh.next_look = now + LOOK / 2 + cx.rng().phase(LOOK);
            let count = mesh.neighbours().len();
            if count > LEAST.min(most)
                && let Some(useless) = mesh.useless(&needed, now)
            {
                self.unlink(useless, cx);
            } else if !few
                // A newcomer is to find room.
                && count + 1 < most
                && let Some(addr) = mesh.stranger(cx.rng())
            {
                mesh.survey = Some(Survey::new(addr));
                self.ask(addr, Ask::Routes(MemberId(0)), Purpose::Survey, cx);
            }
        }
        if let Some(addr) = ask.filter(|_| !is_leaving) {
            self.ask_for_link(addr, cx);
        }
    }

    /// Somebody to join by.
    fn door(&self, cx: &mut Context<'_>) -> Option<SocketAddr> {
        let State::Live(live) = &self.state else { return None };
        cx.rng().choose(&live.doors).copied()
    }

    /// Neighbours that asked us, and were never asked themselves, are: their answers take as long as the way there and back.
    fn measure_neighbours(&mut self, cx: &mut Context<'_>) {
        let Some(mesh) = self.mesh() else { return };
        let addrs: Vec<_> = mesh.neighbours().iter().map(|neighbour| neighbour.addr).collect();
        for addr in addrs {
            if self.view.get(addr).is_none_or(|known| known.round_trip.is_none()) {
                self.ask(addr, Ask::Probe, Purpose::Probe, cx);
            }
        }
    }

    /// Somebody did not answer: if it is gone, it is no neighbour.
    pub(super) fn is_silent(&mut self, addr: SocketAddr, cx: &mut Context<'_>) {
        if self.has_mesh() && self.view.iter().all(|known| known.addr != addr) {
            self.unlinked(addr, cx);
        }
    }

    /// Whoever was asked has no room for a neighbour.
    pub(super) fn not_linked(&mut self, instead: &[Known], now: Instant) {
        self.view.learn(instead, now);
        let me = self.me;
        if let Some(mesh) = self.mesh() {
            mesh.named = instead.iter().filter(|known| known.id != me).map(|known| known.addr).collect();
            mesh.next_link = mesh.next_link.min(now + AGAIN);
        }
    }

    /// Somebody who is known by gossip and is no neighbour.
    fn acquaintance(&self, cx: &mut Context<'_>) -> Option<SocketAddr> {
        let State::Live(live) = &self.state else { return None };
        let mesh = live.mesh.as_ref()?;
        let others = self.view.iter().map(|known| known.addr).filter(|addr| !mesh.is_neighbour(*addr));
        let others: Vec<_> = others.collect();
        cx.rng().choose(&others).copied()
    }

    fn ask_for_link(&mut self, to: SocketAddr, cx: &mut Context<'_>) {
        let ask = self.link_me(to, cx.now());
        self.ask(to, ask, Purpose::Link, cx);
    }

    pub(super) fn link_me(&self, to: SocketAddr, now: Instant) -> Ask {
        let State::Live(live) = &self.state else { return Ask::Probe };
        let vain = live.trees.iter().any(|tree| tree.seek.as_ref().is_some_and(|seek| seek.rounds >= VAIN));
        let astray = vain || live.mesh.as_ref().is_none_or(|mesh| mesh.to_source().next().is_none());
        Ask::Link { token: self.tokens.of(to, now), astray }
    }

    /// What is asked of who is looked at.
    pub(super) fn survey_next(&self) -> Ask {
        let State::Live(live) = &self.state else { return Ask::Probe };
        let survey = live.mesh.as_ref().and_then(|mesh| mesh.survey);
        Ask::Routes(survey.map_or(MemberId(0), |survey| survey.after))
    }

    /// The answer to [`Ask::Link`].
    pub(super) fn link_asked(
        &mut self,
        (id, peer): (MemberId, SocketAddr),
        token: u32,
        astray: bool,
        cx: &mut Context<'_>,
    ) -> Answer {
        let (now, refuse) = (cx.now(), |why| Answer::Refused { why, instead: Vec::new() });
        let round_trip = self.view.get(peer).and_then(|known| known.round_trip).unwrap_or(UNKNOWN);
        let State::Live(live) = &mut self.state else { return Answer::Nothing };
        // Who is cut off is let in all the same, and one more is dropped when it is looked next.
        let most = live.most_neighbours() + usize::from(astray && live.source.is_none());
        let Some(mesh) = live.mesh.as_deref_mut() else { return Answer::Nothing };
        if live.leaving.is_some() {
            return refuse(Refusal::Leaving);
        }
        if !mesh.is_neighbour(peer) && mesh.neighbours().len() >= most {
            let instead = mesh.some(peer, cx.rng());
            let quiet = if astray { mesh.quiet(QUIET, now) } else { Vec::new() };
            quiet.into_iter().for_each(|addr| self.ask(addr, Ask::Probe, Purpose::Probe, cx));
            return Answer::Refused { why: Refusal::Full, instead };
        }
        mesh.link((id, peer), token, round_trip, now);
        // It is told everybody as soon as it has heard that.
        mesh.next_refresh = mesh.next_refresh.min(now + round_trip);
        Answer::Linked
    }

    /// The answer to [`Ask::Routes`].
    pub(super) fn routes_asked(&self, after: MemberId) -> Answer {
        let State::Live(live) = &self.state else { return Answer::Nothing };
        live.mesh.as_ref().map_or(Answer::Nothing, |mesh| Answer::Routes(mesh.page(after)))
    }

    /// Somebody is our neighbour.
    pub(super) fn linked(&mut self, (id, addr): (MemberId, SocketAddr), cx: &mut Context<'_>) {
        let now = cx.now();
        let known = self.view.get(addr).map(|known| (known.token, known.round_trip));
        let (token, round_trip) = known.unwrap_or((0, None));
        let Some(mesh) = self.mesh() else { return };
        mesh.link((id, addr), token, round_trip.unwrap_or(UNKNOWN), now);
        self.tell_neighbours(Some(addr), cx);
    }

    /// A page of who may be a good neighbour.
    pub(super) fn surveyed(&mut self, addr: SocketAddr, page: &[Route], cx: &mut Context<'_>) {
        let round_trip = self.view.get(addr).and_then(|known| known.round_trip).unwrap_or(UNKNOWN);
        let Some(mesh) = self.mesh() else { return };
        match mesh.surveyed(addr, page, round_trip) {
            Some(true) => self.ask_for_link(addr, cx),
            None if page.len() == ROUTES => {
                let next = self.survey_next();
                self.ask(addr, next, Purpose::Survey, cx);
            }
            Some(false) | None => {}
        }
    }

    /// A neighbour tells how far everybody is.
    pub(super) fn routes_told(
        &mut self,
        from: SocketAddr,
        (source, uses): (Option<MemberId>, u16),
        routes: &[Route],
        cx: &mut Context<'_>,
    ) {
        let now = cx.now();
        let known = self.view.get(from).and_then(|known| known.round_trip);
        let Some(live) = self.live() else { return };
        let Some(mesh) = live.mesh.as_deref_mut() else { return };
        if let Some(round_trip) = known {
            mesh.measured(from, round_trip);
        }
        if mesh.hear(from, source, uses, routes, now) {
            // Who is nearer now is taken as soon as that is known.
            live.next_better = live.next_better.min(now);
            self.tell_way(cx);
            self.seek_all(cx);
        } else {
            self.tell_known(from, Tell::Unlink, cx);
        }
    }

    /// There is no link any more.
    pub(super) fn unlinked(&mut self, addr: SocketAddr, cx: &mut Context<'_>) {
        if self.mesh().is_some_and(|mesh| mesh.unlink(addr)) {
            self.tell_way(cx);
        }
    }

    fn unlink(&mut self, addr: SocketAddr, cx: &mut Context<'_>) {
        self.unlinked(addr, cx);
        self.tell_known(addr, Tell::Unlink, cx);
    }

    /// We leave: neighbours are not to wait for us.
    pub(super) fn unlink_all(&mut self, cx: &mut Context<'_>) {
        let Some(mesh) = self.mesh() else { return };
        let neighbours: Vec<_> = mesh.neighbours().iter().map(|neighbour| neighbour.addr).collect();
        neighbours.into_iter().for_each(|addr| self.unlink(addr, cx));
    }

    /// Tells neighbours by whom the source is reached now, if that is news.
    fn tell_way(&mut self, cx: &mut Context<'_>) {
        let Some(mesh) = self.mesh() else { return };
        let Some(news) = mesh.news_of_source() else { return };
        let (source, neighbours) = (mesh.source(), mesh.neighbours().iter());
        let told: Vec<_> = neighbours
            .map(|neighbour| (neighbour.addr, neighbour.token, mesh.news_to(neighbour.addr, news)))
            .collect();
        for (addr, token, (uses, route)) in told {
            self.tell(addr, token, Tell::Routes { source, uses, routes: [route].into() }, cx);
        }
    }

    /// Tells neighbours, or one, how far everybody is.
    fn tell_neighbours(&mut self, only: Option<SocketAddr>, cx: &mut Context<'_>) {
        let Some(mesh) = self.mesh() else { return };
        let source = mesh.source();
        let told: Vec<_> = mesh
            .neighbours()
            .iter()
            .filter(|neighbour| only.is_none_or(|only| only == neighbour.addr))
            .map(|neighbour| (neighbour.addr, neighbour.token, mesh.told_to(neighbour.addr)))
            .collect();
        for (addr, token, (uses, routes)) in told {
            for routes in routes.chunks(ROUTES) {
                self.tell(addr, token, Tell::Routes { source, uses, routes: routes.to_vec() }, cx);
            }
        }
    }
}
