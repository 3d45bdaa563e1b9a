//! Publishing a file: its digest first, then the ring is told twice where it is to be had.

use super::{Archive, Context, Error, Item, Next, Work};
use crate::api::{self, Provide};
use crate::files;
use crate::record::Provider;
use alloc::vec::Vec;
use core::net::SocketAddr;
use p2p_core::OpId;

impl Work {
    /// The file's digest and size are known.
    pub(super) fn is_digested(&mut self, sha256: [u8; 32], size: u64, at: Option<SocketAddr>) {
        if let (Self::Publishing { name, left, .. }, Some(at)) = (self, at) {
            let keys = [Provider::place_of(&sha256), Provider::place_of_name(name)];
            *left = keys.map(|key| Provide { key, port: at.port(), sha256, size }).into();
        }
    }
}

impl Archive {
    pub(super) fn publish_item(&mut self, op: OpId, item: Item, cx: &mut Context<'_>) {
        if self.files.at().is_none() {
            return cx.finish(op, Err(Error::NotListening));
        }
        let Item { name, file } = item;
        self.works.insert(op, Work::Publishing { name, left: Vec::new(), told: false });
        self.next.push_back(Next::Files(op, files::Command::Share(file)));
    }

    /// One step is done: the ring is told the next thing, if one is left.
    pub(super) fn provided(&mut self, op: OpId, result: Result<(), crate::Error>, cx: &mut Context<'_>) {
        let Some(Work::Publishing { left, told, .. }) = self.works.get_mut(&op) else { return };
        let next = if self.stopping { None } else { left.pop() };
        match (result, next) {
            (Ok(()), Some(provide)) => {
                *told = true;
                self.next.push_back(Next::Ring(op, api::Command::Provide(provide)));
            }
            (Ok(()), None) if self.stopping && !left.is_empty() => {
                self.end(op, Err(Error::Ring(crate::Error::Stopped)), cx);
            }
            (result, _) => self.end(op, result.map_err(Error::Ring), cx),
        }
    }
}
