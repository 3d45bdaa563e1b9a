//! What is shared: sizes and digests found by jobs, and every file told to each server once.

use super::ask::{Media, SharedFile};
use super::{Client, Context, Error, Timer, Work};
use crate::wire::message::{self, ToServer};
use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::ToString;
use alloc::vec::Vec;
use bytes::Bytes;
use core::ops::Bound;
use p2p_core::hash::Md5Hash;
use p2p_core::{Digest, DigestKind, Duration, FileId, IoError, Job, OpId, Span, Stat};

/// Bytes that the MD5 of a file is over: what Windows' client took.
const DIGESTED: u64 = 300_032;
/// The longest name that fits a message to a server (2,048 bytes) with its numbers.
const NAME: usize = 1_900;
/// Bytes of messages joined into one write when many files are told.
const BATCH: usize = 32 * 1024;

/// A shared file.
#[derive(Debug)]
pub(super) struct Share {
    pub(super) file: FileId,
    pub(super) size: u64,
    md5: Option<Md5Hash>,
    bitrate: u32,
    frequency: u32,
    seconds: u32,
    media: Media,
    /// The login in which it was told.
    told: u64,
    /// Those who wait for it to be told.
    ops: Vec<OpId>,
}

/// What is shared, by its name on the wire.
#[derive(Debug, Default)]
pub(super) struct Shares {
    files: BTreeMap<Bytes, Share>,
    /// Files whose digest is to be computed.
    undigested: VecDeque<Bytes>,
    digesting: usize,
    /// The last name told in this login; those behind it are still to be told. `None`: all were told.
    cursor: Option<Bound<Bytes>>,
}

impl Shares {
    pub(super) fn len(&self) -> usize {
        self.files.len()
    }

    pub(super) fn find(&self, name: &[u8]) -> Option<&Share> {
        self.files.get(name).filter(|share| share.md5.is_some())
    }

    /// Whether this operation waited for a file to be told; it does not any more. The file stays shared.
    pub(super) fn cancelled(&mut self, op: OpId) -> bool {
        self.files.values_mut().any(|share| {
            let before = share.ops.len();
            share.ops.retain(|waits| *waits != op);
            share.ops.len() < before
        })
    }

    /// All operations that wait for files to be told; they do not any more.
    pub(super) fn all_ops(&mut self) -> Vec<OpId> {
        self.files.values_mut().flat_map(|share| core::mem::take(&mut share.ops)).collect()
    }

    /// The file behind this name in their order.
    pub(super) fn next(&self, behind: &Bound<Bytes>) -> Option<(&Bytes, &Share)> {
        let mut files = self.files.range((behind.clone(), Bound::Unbounded));
        files.find(|(_, share)| share.md5.is_some())
    }
}

impl Share {
    fn digest(&self) -> alloc::string::String {
        self.md5.map_or_else(|| "00000000000000000000000000000000".to_string(), |md5| md5.to_string())
    }

    /// As it is described to others.
    pub(super) fn described<R>(&self, name: &[u8], f: impl FnOnce(message::SharedFile<'_>) -> R) -> R {
        let md5 = self.digest();
        f(message::SharedFile {
            name,
            md5: md5.as_bytes(),
            size: self.size,
            bitrate: self.bitrate,
            frequency: self.frequency,
            seconds: self.seconds,
        })
    }
}

/// A name as the wire can carry it: a quote cannot be written, and no name has control characters.
fn wire_name(name: &[u8]) -> Result<Bytes, Error> {
    if name.is_empty() || name.len() > NAME {
        return Err(Error::BadName);
    }
    let safe = |byte: &u8| match byte {
        b'"' => b'\'',
        0..=31 | 127 => b'_',
        byte => *byte,
    };
    Ok(name.iter().map(safe).collect())
}

impl Client {
    pub(super) fn share(&mut self, op: OpId, file: SharedFile, cx: &mut Context<'_>) {
        let name = match wire_name(&file.name) {
            Ok(name) => name,
            Err(why) => return cx.finish(op, Err(why)),
        };
        self.forget_share(&name, cx);
        let share = Share {
            file: file.file,
            size: file.size.unwrap_or(0),
            md5: file.size.and(file.md5),
            bitrate: file.bitrate,
            frequency: file.frequency,
            seconds: file.seconds,
            media: file.media,
            told: 0,
            ops: alloc::vec![op],
        };
        let (known, sized, at) = (share.md5.is_some(), file.size.is_some(), share.file.clone());
        self.shares.files.insert(name.clone(), share);
        if known {
            self.announce_one(&name, cx);
        } else if sized {
            self.shares.undigested.push_back(name);
            self.digest_next(cx);
        } else {
            let job = cx.run(Job::Stat { file: at });
            self.jobs.insert(job, Work::ShareStat(name));
        }
    }

    pub(super) fn unshare(&mut self, op: OpId, name: &[u8], cx: &mut Context<'_>) {
        let found = wire_name(name).ok().filter(|name| self.shares.files.contains_key(name));
        let Some(name) = found else { return cx.finish(op, Err(Error::NotShared)) };
        self.forget_share(&name, cx);
        cx.finish(op, Ok(()));
    }

    fn forget_share(&mut self, name: &Bytes, cx: &mut Context<'_>) {
        let Some(share) = self.shares.files.remove(name) else { return };
        for op in share.ops {
            cx.finish(op, Err(Error::Cancelled));
        }
        if self.is_online() && share.told == self.session.number {
            self.say(&ToServer::Unshare(name), cx);
        }
    }

    pub(super) fn share_failed(
        &mut self,
        name: &Bytes,
        doing: &'static str,
        why: IoError,
        cx: &mut Context<'_>,
    ) {
        if let Some(share) = self.shares.files.remove(name) {
            let path = share.file.path().to_string();
            for op in share.ops {
                cx.finish(op, Err(Error::Disk { doing, path: path.clone(), why }));
            }
        }
    }

    pub(super) fn share_size(
        &mut self,
        name: Bytes,
        stat: Result<Option<Stat>, IoError>,
        cx: &mut Context<'_>,
    ) {
        match stat {
            Ok(Some(stat)) => {
                if let Some(share) = self.shares.files.get_mut(&name) {
                    share.size = stat.len;
                    self.shares.undigested.push_back(name);
                    self.digest_next(cx);
                }
            }
            Ok(None) => self.share_failed(&name, "looking at", IoError::NotFound, cx),
            Err(why) => self.share_failed(&name, "looking at", why, cx),
        }
    }

    pub(super) fn digest_next(&mut self, cx: &mut Context<'_>) {
        while self.shares.digesting < self.config.limits.digests {
            let Some(name) = self.shares.undigested.pop_front() else { return };
            let Some(share) = self.shares.files.get(&name) else { continue };
            let span = Span { file: share.file.clone(), offset: 0, len: share.size.min(DIGESTED) };
            let job = cx.run(Job::DigestSpans { kind: DigestKind::Md5, spans: alloc::vec![span] });
            self.jobs.insert(job, Work::ShareDigest(name));
            self.shares.digesting += 1;
        }
    }

    pub(super) fn share_digest(
        &mut self,
        name: &Bytes,
        digest: Result<Digest, IoError>,
        cx: &mut Context<'_>,
    ) {
        self.shares.digesting -= 1;
        match digest {
            Ok(digest) => {
                if let Some(share) = self.shares.files.get_mut(name)
                    && let Ok(md5) = digest.as_ref().try_into()
                {
                    share.md5 = Some(Md5Hash(md5));
                }
                self.announce_one(name, cx);
            }
            Err(why) => self.share_failed(name, "reading", why, cx),
        }
        self.digest_next(cx);
    }

    /// Tells the server of one file now, unless its turn among all of them is still to come.
    fn announce_one(&mut self, name: &Bytes, cx: &mut Context<'_>) {
        let comes = match &self.shares.cursor {
            None => false,
            Some(Bound::Excluded(last)) => name > last,
            Some(_) => true,
        };
        if self.is_online() && !comes {
            self.tell_file(name, cx);
            self.flush_out(cx);
        }
    }

    /// A new login: everything is to be told.
    pub(super) fn announce_all(&mut self, cx: &mut Context<'_>) {
        self.shares.cursor = Some(Bound::Unbounded);
        self.announce(cx);
    }

    /// Tells the server of files until all are told or the stream is full.
    pub(super) fn announce(&mut self, cx: &mut Context<'_>) {
        while self.is_online() && !self.session.full {
            let Some(cursor) = &self.shares.cursor else { break };
            let Some(name) = self.shares.next(cursor).map(|(name, _)| name.clone()) else {
                self.shares.cursor = None;
                break;
            };
            self.tell_file(&name, cx);
            self.shares.cursor = Some(Bound::Excluded(name));
            if self.out.len() >= BATCH {
                // A turn ends here, so that the driver can say whether there is room for more.
                cx.set_timer(Timer::Announce, Duration::ZERO);
                break;
            }
        }
        self.flush_out(cx);
    }

    /// Appends the message of one file, once in a login.
    fn tell_file(&mut self, name: &Bytes, cx: &mut Context<'_>) {
        let number = self.session.number;
        let Some(share) = self.shares.files.get_mut(name) else { return };
        if share.told == number || share.md5.is_none() {
            return;
        }
        share.told = number;
        let out = &mut self.out;
        let media = share.media;
        share.described(name, |file| match media {
            Media::Mp3 => ToServer::Share(file).encode(out),
            other => {
                let media = other.word().as_bytes();
                ToServer::ShareMedia { name, size: file.size, md5: file.md5, media }.encode(out);
            }
        });
        for op in core::mem::take(&mut share.ops) {
            cx.finish(op, Ok(()));
        }
    }

    fn flush_out(&mut self, cx: &mut Context<'_>) {
        if self.is_online() && !self.out.is_empty() {
            self.send_out(cx);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_the_wire() {
        assert_eq!(wire_name(b"a \"b\"\n\0.mp3").as_deref(), Ok(b"a 'b'__.mp3".as_slice()));
        assert_eq!(wire_name(b"caf\xe9"), Ok(Bytes::from_static(b"caf\xe9")));
        assert_eq!(wire_name(b""), Err(Error::BadName));
        assert_eq!(wire_name(&[b'x'; 2_000]), Err(Error::BadName));
    }
}
