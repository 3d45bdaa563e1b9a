//! Sharing files and folders, and when that is done.

use super::{Context, Error, Event, Transfers};
use crate::library::News;
use alloc::string::ToString;
use alloc::vec::Vec;
use p2p_core::{FileId, IoError, OpId};

impl Transfers {
    /// Watches a file or a folder.
    pub(super) fn share(&mut self, op: OpId, file: FileId, cx: &mut Context<'_>) {
        self.sharing.push((op, file.clone()));
        self.library.add(file, cx);
    }

    /// The library has news: it is told, and those who wait for what they share.
    pub(super) fn library_told(&mut self, news: Vec<News>, cx: &mut Context<'_>) {
        for news in news {
            if let News::Unreadable { file, why } = &news {
                self.not_shared(file, *why, cx);
            }
            cx.tell(Event::Library(news));
        }
        let library = &self.library;
        self.sharing.retain(|(op, file)| {
            let settled = library.is_settled(file);
            if settled {
                cx.finish(*op, Ok(()));
            }
            !settled
        });
    }

    /// What somebody shares cannot be: it is watched no more.
    fn not_shared(&mut self, file: &FileId, why: IoError, cx: &mut Context<'_>) {
        let mut failed = false;
        self.sharing.retain(|(op, is)| {
            if is == file {
                failed = true;
                let path = file.path().to_string();
                cx.finish(*op, Err(Error::Disk { doing: "sharing", path, why }));
            }
            is != file
        });
        if failed {
            self.library.leave(file);
        }
    }
}
