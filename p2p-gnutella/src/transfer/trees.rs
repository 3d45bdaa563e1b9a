//! Trees for guests (`/uri-res/N2X`).

use super::guest::Doing;
use super::http::DIME;
use super::{Context, Timer, Transfers, Work};
use crate::library::TreePlace;
use crate::thex::{LIST_MAX, TigerTree};
use alloc::vec::Vec;
use bytes::Bytes;
use p2p_core::hash::Sha1Hash;
use p2p_core::http::Response;
use p2p_core::{ConnId, Job, JobDone};

impl Transfers {
    pub(super) fn serve_tree(&mut self, conn: ConnId, sha1: Sha1Hash, head_only: bool, cx: &mut Context<'_>) {
        let Some(guest) = self.guest(conn) else { return };
        guest.doing = Doing::Waiting { head_only };
        if self.library.by_sha1(&sha1).is_none() {
            let key = self.by_sha1.get(&sha1);
            let tree = key.and_then(|key| self.downloads.get(key)?.tree.as_ref());
            let dime = tree.map(|tree| tree.to_dime().freeze());
            return self.send_tree(conn, dime, cx);
        }
        match self.library.tree(&sha1) {
            Some(TreePlace::Here(list)) => {
                let list: Vec<u8> = list.into();
                let dime = self.dime(&sha1, &list);
                self.send_tree(conn, dime, cx);
            }
            Some(TreePlace::Stored(file)) => {
                cx.set_timer(Timer::Stream(conn), self.config.limits.silence);
                let job = cx.run(Job::Load { file, limit: LIST_MAX as u64 });
                self.jobs.insert(job, Work::Tree(conn, sha1));
            }
            None => self.send_tree(conn, None, cx),
        }
    }

    pub(super) fn tree_read(&mut self, conn: ConnId, sha1: Sha1Hash, done: JobDone, cx: &mut Context<'_>) {
        let list = if let JobDone::Read(Ok(list)) = done { Some(list) } else { None };
        let dime = list.and_then(|list| self.dime(&sha1, &list));
        if dime.is_none() {
            // It was taken away or spoiled: it is made again.
            self.library.digest_again(&sha1, cx);
        }
        self.send_tree(conn, dime, cx);
    }

    /// The message for a tree that is kept as this list.
    fn dime(&self, sha1: &Sha1Hash, list: &[u8]) -> Option<Bytes> {
        let shared = self.library.by_sha1(sha1)?;
        TigerTree::from_list(shared.size, &shared.tth, list).ok().map(|tree| tree.to_dime().freeze())
    }

    fn send_tree(&mut self, conn: ConnId, dime: Option<Bytes>, cx: &mut Context<'_>) {
        let Some(guest) = self.guest(conn) else { return };
        let Doing::Waiting { head_only } = guest.doing else { return };
        match dime {
            Some(dime) => {
                self.reply(conn, Response::new(200, "OK").header("Content-Type", DIME), &dime, head_only, cx);
            }
            None => self.not_found(conn, head_only, cx),
        }
    }
}
