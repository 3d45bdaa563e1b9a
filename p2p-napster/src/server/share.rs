//! What users share: into the index and out of it, straight from the message.

use super::Server;
use super::session::Action;
use crate::index::{FileSpec, Fingerprint, Kind, Refused, Shared, UserId};
use crate::wire::ToClient;
use crate::wire::message::{ShareDirectory, SharedFile};
use alloc::string::ToString;
use alloc::vec::Vec;
use p2p_core::{ConnId, Cx};

/// What a file of types 100 and 870 is.
fn spec<'a>(name: &'a [u8], file: &SharedFile<'_>) -> FileSpec<'a> {
    FileSpec {
        name,
        fingerprint: Fingerprint::new(file.md5),
        size: file.size,
        bitrate: u16::try_from(file.bitrate).unwrap_or(u16::MAX),
        freq: file.frequency,
        seconds: file.seconds,
        kind: Kind::Mp3,
    }
}

/// Whether a name can be said again: it is shown on others' terminals, and stands between quotes.
pub(super) fn is_sayable(name: &[u8]) -> bool {
    name.iter().all(|byte| *byte >= b' ' && *byte != 0x7f && *byte != b'"')
}

impl Server {
    pub(super) fn share(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId, user: UserId, file: &SharedFile<'_>) {
        self.share_one(cx, conn, user, &spec(file.name, file));
        self.pace(cx, conn, user, Action::Share, 1);
    }

    pub(super) fn share_directory(
        &mut self,
        cx: &mut Cx<'_, Self>,
        conn: ConnId,
        user: UserId,
        directory: &ShareDirectory<'_>,
    ) {
        let mut name = Vec::with_capacity(directory.dir.len() + 128);
        name.extend_from_slice(directory.dir);
        if !matches!(directory.dir.last(), None | Some(b'\\' | b'/')) {
            name.push(b'\\');
        }
        let (dir, mut count) = (name.len(), 0);
        for file in directory.files() {
            name.truncate(dir);
            name.extend_from_slice(file.name);
            // A bare folder is no file.
            if file.name.is_empty() {
                self.refuse_share(cx, conn, &Refused::Nameless.to_string());
            } else {
                self.share_one(cx, conn, user, &spec(&name, &file));
            }
            count += 1;
        }
        self.pace(cx, conn, user, Action::Share, count);
    }

    pub(super) fn share_media(
        &mut self,
        cx: &mut Cx<'_, Self>,
        conn: ConnId,
        user: UserId,
        (name, size, md5, media): (&[u8], u64, &[u8], &[u8]),
    ) {
        match kind(media) {
            Some(kind) => {
                let fingerprint = Fingerprint::new(md5);
                let file = FileSpec { name, fingerprint, size, bitrate: 0, freq: 0, seconds: 0, kind };
                self.share_one(cx, conn, user, &file);
            }
            None => self.refuse_share(cx, conn, "unknown type of file"),
        }
        self.pace(cx, conn, user, Action::Share, 1);
    }

    fn share_one(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId, id: UserId, file: &FileSpec<'_>) {
        if !is_sayable(file.name) {
            return self.refuse_share(cx, conn, "the file's name has control characters or quotes");
        }
        match self.index.share(id, file) {
            Ok(shared) => {
                self.stats.shares += 1;
                if shared == Shared::Added
                    && let Some(user) = self.users.get_mut(id)
                {
                    user.shared += 1;
                }
                self.count_changed(cx, id);
            }
            Err(why) => self.refuse_share(cx, conn, &why.to_string()),
        }
    }

    fn refuse_share(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId, why: &str) {
        self.stats.malformed += 1;
        self.notice(cx, conn, &alloc::format!("share failed: {why}"));
    }

    pub(super) fn unshare(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId, id: UserId, name: &[u8]) {
        if !self.index.unshare(id, name) {
            return self.notice(cx, conn, "Not sharing that file");
        }
        if let Some(user) = self.users.get_mut(id) {
            user.shared = user.shared.saturating_sub(1);
        }
        self.count_changed(cx, id);
    }

    pub(super) fn unshare_all(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId, id: UserId) {
        let count = self.index.unshare_all(id);
        if let Some(user) = self.users.get_mut(id) {
            user.shared = 0;
        }
        self.count_changed(cx, id);
        self.tell(cx, conn, &ToClient::UnsharedAll(u32::try_from(count).ok()));
    }
}

/// What a word of type 10300 stands for.
pub(super) fn kind(word: &[u8]) -> Option<Kind> {
    let kinds = [
        (&b"audio"[..], Kind::Audio),
        (b"video", Kind::Video),
        (b"application", Kind::Application),
        (b"image", Kind::Image),
        (b"text", Kind::Text),
        (b"mp3", Kind::Mp3),
    ];
    kinds.into_iter().find(|(name, _)| word.eq_ignore_ascii_case(name)).map(|(_, kind)| kind)
}
