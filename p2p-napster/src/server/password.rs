//! Passwords on their way through argon2id: [`Passwords`], jobs of which few run at once, and who waits for each.

use super::login::Entry;
use super::{Server, State};
use crate::wire::Level;
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use bytes::Bytes;
use p2p_core::{ConnId, Cost, Cx, IoError, Job, JobDone, JobId, OpId};

/// What a password is hashed for.
#[derive(Debug)]
pub(super) enum Purpose {
    /// Somebody logs in with a registered nick.
    Login(ConnId, Box<Entry>),
    /// Somebody registers.
    Register(ConnId, Box<Entry>),
    /// Somebody asks whether a password is right (11).
    Check(ConnId, Box<[u8]>),
    /// An account gets another password.
    Change(Box<[u8]>),
    /// The application registers a nick.
    Command(OpId, Box<[u8]>, Level),
}

impl Purpose {
    const fn conn(&self) -> Option<ConnId> {
        match self {
            Self::Login(conn, _) | Self::Register(conn, _) | Self::Check(conn, _) => Some(*conn),
            Self::Change(_) | Self::Command(..) => None,
        }
    }
}

/// With what a password is hashed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Salt {
    pub(super) salt: [u8; 16],
    pub(super) cost: Cost,
}

/// A password that waits. Not `Debug`: it is in no log.
struct Queued {
    purpose: Purpose,
    password: Bytes,
    salt: Salt,
}

/// Passwords being hashed, and those that wait for it.
#[derive(Default)]
pub(super) struct Passwords {
    running: BTreeMap<JobId, (Purpose, Salt)>,
    queue: VecDeque<Queued>,
}

impl core::fmt::Debug for Passwords {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Passwords")
            .field("running", &self.running.len())
            .field("queue", &self.queue.len())
            .finish()
    }
}

impl Server {
    /// A salt of its own for a new password.
    pub(super) fn new_salt(&self, cx: &mut Cx<'_, Self>) -> Salt {
        Salt { salt: cx.rng().bytes(), cost: self.config.cost }
    }

    /// Hashes a password, in its turn; false if too many wait already.
    pub(super) fn derive(
        &mut self,
        cx: &mut Cx<'_, Self>,
        purpose: Purpose,
        password: &[u8],
        salt: Salt,
    ) -> bool {
        if self.passwords.queue.len() >= self.config.limits.derivations_waiting {
            self.stats.throttled += 1;
            return false;
        }
        if let Some(conn) = purpose.conn() {
            self.set_checking(cx, conn);
        }
        // A copy: a slice would hold the receive buffer while it waits.
        let password = Bytes::copy_from_slice(password);
        self.passwords.queue.push_back(Queued { purpose, password, salt });
        self.run_derivations(cx);
        true
    }

    fn run_derivations(&mut self, cx: &mut Cx<'_, Self>) {
        while self.passwords.running.len() < self.config.limits.derivations.max(1) {
            let Some(next) = self.passwords.queue.pop_front() else { return };
            // Whoever left need not be served.
            if next.purpose.conn().is_some_and(|conn| !self.sessions.contains_key(&conn)) {
                self.not_derived(&next.purpose);
                continue;
            }
            let Salt { salt, cost } = next.salt;
            let job = cx.run(Job::Derive { password: next.password, salt, cost });
            self.passwords.running.insert(job, (next.purpose, next.salt));
        }
    }

    pub(super) fn job(&mut self, cx: &mut Cx<'_, Self>, job: JobId, done: JobDone) {
        match done {
            JobDone::Derived(hash) => self.derived(cx, job, hash),
            // A driver that answers another thing than was asked for: the password cannot be checked.
            _ => self.derived(cx, job, Err(IoError::Other)),
        }
    }

    /// A password was hashed, or not.
    fn derived(&mut self, cx: &mut Cx<'_, Self>, job: JobId, hash: Result<[u8; 32], IoError>) {
        let Some((purpose, salt)) = self.passwords.running.remove(&job) else { return };
        self.run_derivations(cx);
        if purpose.conn().is_some_and(|conn| !self.sessions.contains_key(&conn)) {
            self.not_derived(&purpose);
            return;
        }
        match (purpose, hash) {
            (Purpose::Login(conn, entry), hash) => self.login_hashed(cx, conn, &entry, hash),
            (Purpose::Register(conn, entry), hash) => self.register_hashed(cx, conn, entry, salt, hash),
            (Purpose::Check(conn, nick), hash) => self.check_hashed(cx, conn, &nick, hash),
            (Purpose::Change(nick), Ok(hash)) => self.change_hashed(cx, &nick, salt, hash),
            (Purpose::Change(_), Err(_)) => {}
            (Purpose::Command(op, nick, level), hash) => {
                self.command_hashed(cx, op, nick, level, salt, hash);
            }
        }
    }

    /// What was reserved for somebody who left is free again.
    fn not_derived(&mut self, purpose: &Purpose) {
        if let Purpose::Register(_, entry) = purpose {
            self.release(&entry.nick);
        }
    }

    /// Whether a session is still waiting to be checked.
    pub(super) fn is_checking(&self, conn: ConnId) -> bool {
        self.sessions.get(&conn).is_some_and(|session| session.state == State::Checking)
    }
}
