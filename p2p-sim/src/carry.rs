//! Carrying out the effects of machines, except those of streams and datagrams.

use crate::node::{NodeIx, Port};
use crate::sim::{Happening, Sim, Working};
use crate::storage::{Disk, Doing};
use core::net::{IpAddr, SocketAddr};
use p2p_core::{
    Duration, Effect, FileId, Input, IoError, Job, JobId, ListenerId, Machine, Security, Span, UnixTime,
};

impl<M: Machine> Sim<M> {
    pub(crate) fn carry_out(&mut self, node: u32, effect: Effect<M>) {
        match effect {
            Effect::Send(id, data) => self.send(node, id, data),
            Effect::SendTo(id, datagram) => self.send_datagram(node, id, datagram),
            Effect::SetTimer(name, at) => {
                let at = at.max(self.now);
                if let Some(mark) = self.nodes[node as usize].timers.set(name, at) {
                    self.push_at(at, Happening::Timer { node, mark, name });
                }
            }
            Effect::ClearTimer(name) => self.nodes[node as usize].timers.clear(&name),
            Effect::Event(op, event) => self.heard(node, op, event),
            Effect::Finish(op, result) => self.finished(op, result),
            Effect::Run(id, job) => self.run_job(node, id, job),
            Effect::Connect(id, target, security) => self.connect(node, id, target, &security),
            Effect::Pause(id, paused) => self.pause(node, id, paused),
            Effect::Close(id) => self.close(node, id, false),
            Effect::Abort(id) => self.close(node, id, true),
            Effect::Secure(id, _, unread) => self.secure(node, id, unread),
            Effect::Listen(id, at, security) => self.listen(node, id, at, &security),
            Effect::Unlisten(id) => self.nodes[node as usize].listeners.retain(|port| port.id != id),
            Effect::Bind(id, at) => self.bind(node, id, at),
            Effect::Unbind(id) => self.unbind(node, id),
            Effect::JoinGroup(id, group) => self.join_group(node, id, group),
            Effect::LeaveGroup(id, group) => self.leave_group(node, id, group.addr),
            Effect::Resolve(id, host, port) => {
                let found = self.lookup(&host);
                let found = found.map(|ips| ips.into_iter().map(|ip| SocketAddr::new(ip, port)).collect());
                self.answer(node, self.options.resolve_time, Input::Resolved(id, found));
            }
            Effect::Halt => self.end(node, false),
        }
    }

    /// The addresses of a host; an address as text is its own.
    pub(crate) fn lookup(&self, host: &str) -> Result<Vec<IpAddr>, IoError> {
        if let Ok(addr) = host.parse() {
            return Ok(vec![addr]);
        }
        self.names.get(host).cloned().ok_or(IoError::Unresolved)
    }

    /// Whether the machine still holds what an answer is about.
    pub(crate) fn still_wanted(&self, node: u32, input: &Input<M>) -> bool {
        let place = &self.nodes[node as usize];
        match input {
            Input::Listener(id, Ok(_)) => place.listeners.iter().any(|port| port.id == *id),
            Input::Bound(id, Ok(_)) => place.sockets.iter().any(|socket| socket.id == *id),
            _ => true,
        }
    }

    /// The port to bind, and whether it is for this node alone.
    pub(crate) fn local_port(
        &mut self,
        node: u32,
        at: SocketAddr,
        taken: impl Fn(u16) -> bool,
    ) -> Result<(u16, bool), IoError> {
        let place = &mut self.nodes[node as usize];
        let ip = at.ip();
        if !(ip.is_unspecified() || ip.is_loopback() || ip.is_multicast() || ip == place.addr) {
            return Err(IoError::NotFound);
        }
        match at.port() {
            0 => Ok((place.free_port(), ip.is_loopback())),
            port if taken(port) => Err(IoError::InUse),
            port => Ok((port, ip.is_loopback())),
        }
    }

    fn listen(&mut self, node: u32, id: ListenerId, at: SocketAddr, security: &Security) {
        let ports: Vec<u16> = self.nodes[node as usize].listeners.iter().map(|port| port.port).collect();
        let bound = self.local_port(node, at, |port| ports.contains(&port)).map(|(port, local)| {
            let secured = *security != Security::None;
            self.nodes[node as usize].listeners.push(Port { id, port, local, secured });
            SocketAddr::new(at.ip(), port)
        });
        self.answer(node, Duration::ZERO, Input::Listener(id, bound));
    }

    fn civil(&self, node: u32) -> UnixTime {
        let civil = self.options.epoch.as_nanos().saturating_add(self.now.as_nanos());
        UnixTime::from_nanos(civil.saturating_add_signed(self.nodes[node as usize].clock))
    }

    fn run_job(&mut self, node: u32, id: JobId, job: Job) {
        let at = self.now + self.options.job_time;
        let at = match on_disk(&job) {
            Some(bytes) => self.disk(NodeIx::new(node)).done_at(bytes, at),
            None => at,
        };
        let life = self.nodes[node as usize].life;
        let working = Working { node, life, id, job };
        if at <= self.now {
            return self.at_once.push_back(working);
        }
        let working = Some(working);
        let place = match self.free_jobs.pop() {
            Some(place) => {
                self.jobs[place as usize] = working;
                place
            }
            None => {
                self.jobs.push(working);
                (self.jobs.len() - 1) as u32
            }
        };
        self.push_at(at, Happening::Job { place });
    }

    /// A job is done when it ends: a crash before leaves nothing of it.
    pub(crate) fn job_done(&mut self, place: u32) {
        let Some(working) = self.jobs[place as usize].take() else { return };
        self.free_jobs.push(place);
        if let Some((node, input)) = self.work(working) {
            self.give(node, input);
        }
    }

    /// Does a job; what its node is to be told, if it is still there.
    pub(crate) fn work(&mut self, working: Working) -> Option<(u32, Input<M>)> {
        let Working { node, life, id, job } = working;
        if self.nodes[node as usize].life != life {
            return None;
        }
        self.traffic.jobs += 1;
        let civil = self.civil(node);
        let content = self.options.content;
        let disk = self.nodes[node as usize].disk.get_or_insert_with(|| Box::new(Disk::new(content)));
        let mut doing =
            Doing { civil, faults: self.world.faults.disk, rng: &mut self.world.rng, known: &mut self.known };
        let done = disk.run(job, &mut doing);
        Some((node, Input::Job(id, done)))
    }
}

/// The bytes that a job moves to or from the disk; `None` if it needs no disk.
fn on_disk(job: &Job) -> Option<u64> {
    let sum = |spans: &[Span]| spans.iter().map(|span| span.len).sum();
    let none = |_: &FileId| 0;
    Some(match job {
        Job::Read { spans } | Job::Write { spans, .. } | Job::DigestSpans { spans, .. } => sum(spans),
        Job::Replace { data, .. } => data.len() as u64,
        Job::Load { file, .. } | Job::Sync { file } | Job::Stat { file } | Job::Remove { file } => none(file),
        Job::List { dir, .. } => none(dir),
        Job::Rename { from, .. } => none(from),
        Job::Truncate { file, .. } => none(file),
        Job::Digest { .. } | Job::Derive { .. } => return None,
    })
}
