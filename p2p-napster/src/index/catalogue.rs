//! Every file that somebody shares, once for all that share it: [`Catalogue`].

use super::arena::{Arena, NOWHERE};
use super::file::{FileRef, Fingerprint, Kind};
use super::folders::Folders;
use super::key::HashKey;
use super::paged::Paged;
use super::table::Table;
use alloc::vec::Vec;

/// Folder (4 bytes), length of the base (2), base, then 16 bytes of md5, or length (1) and text of another fingerprint.
const HEAD: usize = 6;
/// The most that a text takes besides its name.
pub(super) const OVERHEAD: usize = HEAD + 33;

/// Two are the same entry if name, md5, size and attributes are. 40 bytes, and about as much text.
#[derive(Debug)]
struct Entry {
    text: u32,
    hash: u32,
    /// Of one holder its id; of more of them the number of their list; of a free entry the next free one.
    holders: u32,
    count: u32,
    size: u32,
    seconds: u32,
    freq: u32,
    bitrate: u16,
    /// Bits 32 to 39 of the size.
    size_high: u8,
    /// The kind in bits 0 to 2, the form of the fingerprint in bits 3 and 4, [`WAITING`].
    marks: u8,
    /// The entries of the same md5 and size before and after this one. Before the first there is none: the hash of md5
    /// and size is there.
    twins: [u32; 2],
}

impl Entry {
    fn size(&self) -> u64 {
        u64::from(self.size_high) << 32 | u64::from(self.size)
    }
}

/// The folder's number and the length of the base, from an entry's text.
fn named(text: &[u8]) -> (u32, usize) {
    let folder = text.first_chunk().map_or(NOWHERE, |bytes| u32::from_le_bytes(*bytes));
    (folder, usize::from(u16::from_le_bytes([text[4], text[5]])))
}

/// Entries that are looked at together: enough for the waits for memory to overlap, few enough that little is fetched in
/// vain.
pub(super) const BATCH: usize = 16;

/// An entry that is looked at, with what it points to.
#[derive(Debug)]
pub(super) struct Seen<'a> {
    entry: &'a Entry,
    text: &'a [u8],
    /// Of the base.
    len: usize,
    folder: &'a [u8],
    holders: &'a [u32],
}

impl<'a> Seen<'a> {
    /// Who holds it, in the order of their ids.
    pub(super) fn holders(&self) -> &'a [u32] {
        self.holders
    }

    /// It without its texts: its attributes, quickly.
    pub(super) fn attributes(&self) -> FileRef<'static> {
        let Entry { seconds, freq, bitrate, marks, .. } = *self.entry;
        let kind = Kind::ALL.get(usize::from(marks & 7)).copied().unwrap_or_default();
        let size = self.entry.size();
        FileRef {
            folder: &[],
            base: &[],
            fingerprint: Fingerprint::UNKNOWN,
            size,
            bitrate,
            freq,
            seconds,
            kind,
        }
    }

    pub(super) fn file(&self) -> FileRef<'a> {
        let (base, rest) = self.text[HEAD..].split_at(self.len);
        let fingerprint = match self.entry.marks & FORM {
            MD5 => rest.first_chunk().map_or(Fingerprint::UNKNOWN, |md5| Fingerprint::from_md5(*md5)),
            TEXT => Fingerprint::new(&rest[1..=usize::from(rest[0])]),
            _ => Fingerprint::UNKNOWN,
        };
        FileRef { folder: self.folder, base, fingerprint, ..self.attributes() }
    }
}

const UNKNOWN: u8 = 0 << 3;
const MD5: u8 = 1 << 3;
const TEXT: u8 = 2 << 3;
const FORM: u8 = 3 << 3;
/// It is in the queue of those that nobody holds (and somebody may hold it again).
const WAITING: u8 = 1 << 5;
/// It is the first of its md5 and size.
const FIRST: u8 = 1 << 6;
/// What its file was shared with.
const SHARED: u8 = 0b111 | FORM;

/// A fingerprint as it lies in an entry's text.
#[derive(Clone, Copy)]
struct Packed {
    form: u8,
    bytes: [u8; 33],
    len: usize,
}

impl Packed {
    fn new(fingerprint: &Fingerprint) -> Self {
        let mut bytes = [0; 33];
        match fingerprint.md5() {
            Some(md5) if md5 == [0; 16] => Self { form: UNKNOWN, bytes, len: 0 },
            Some(md5) => {
                bytes[..16].copy_from_slice(&md5);
                Self { form: MD5, bytes, len: 16 }
            }
            None => {
                let text = fingerprint.as_bytes();
                bytes[0] = text.len() as u8;
                bytes[1..=text.len()].copy_from_slice(text);
                Self { form: TEXT, bytes, len: 1 + text.len() }
            }
        }
    }

    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// What is looked for, with its hashes.
pub(super) struct Sought<'a> {
    pub(super) file: FileRef<'a>,
    packed: Packed,
    /// Of the whole name alone.
    pub(super) tag: u32,
    hash: u32,
}

#[derive(Debug)]
pub(super) struct Catalogue {
    key: HashKey,
    entries: Paged<Entry>,
    free: u32,
    /// How many entries are in use.
    used: usize,
    table: Table,
    /// The first of the entries of an md5 and a size.
    digests: Table,
    texts: Arena,
    folders: Folders,
    /// Holders of entries that have more than one, sorted.
    crowds: Paged<Vec<u32>>,
    free_crowds: Vec<u32>,
}

impl Catalogue {
    pub(super) fn new(key: HashKey) -> Self {
        Self {
            key,
            entries: Paged::default(),
            free: NOWHERE,
            used: 0,
            table: Table::new(10),
            digests: Table::new(10),
            texts: Arena::default(),
            folders: Folders::new(key),
            crowds: Paged::default(),
            free_crowds: Vec::new(),
        }
    }

    pub(super) fn has_room(&self) -> bool {
        self.texts.has_room() && self.folders.has_room() && self.entries.len() < NOWHERE as usize
    }

    /// How many entries there are.
    pub(super) const fn len(&self) -> usize {
        self.used
    }

    /// The tag of a name, by which its owner finds it.
    pub(super) fn tag(&self, name: &[u8]) -> u32 {
        self.key.hash(name)
    }

    pub(super) fn sought<'a>(&self, name: &[u8], file: FileRef<'a>) -> Sought<'a> {
        let packed = Packed::new(&file.fingerprint);
        let mut rest = [0; 52];
        rest[..8].copy_from_slice(&file.size.to_le_bytes());
        rest[8..12].copy_from_slice(&file.seconds.to_le_bytes());
        rest[12..16].copy_from_slice(&file.freq.to_le_bytes());
        rest[16..18].copy_from_slice(&file.bitrate.to_le_bytes());
        rest[18] = file.kind as u8;
        rest[19..].copy_from_slice(&packed.bytes);
        let (tag, hash) = self.key.hash_twice(name, &rest[..19 + packed.len]);
        Sought { file, packed, tag, hash }
    }

    /// The entry that is exactly this file.
    pub(super) fn find(&self, sought: &Sought<'_>) -> Option<u32> {
        self.table.find(sought.hash, |id| self.is(id, sought))
    }

    pub(super) fn is(&self, id: u32, sought: &Sought<'_>) -> bool {
        let (entry, file) = (&self.entries[id], &sought.file);
        let end = HEAD + file.base.len();
        entry.hash == sought.hash
            && self.size(id) == file.size
            && (entry.seconds, entry.freq, entry.bitrate) == (file.seconds, file.freq, file.bitrate)
            && entry.marks & SHARED == file.kind as u8 | sought.packed.form
            && usize::from(self.texts.u16_at(entry.text, 4)) == file.base.len()
            && self.texts.slice(entry.text, HEAD, end) == file.base
            && self.texts.slice(entry.text, end, end + sought.packed.len) == sought.packed.as_bytes()
            && self.folders.text(self.texts.u32_at(entry.text, 0)) == file.folder
    }

    /// Whether this is the whole name of an entry.
    pub(super) fn is_named(&self, id: u32, name: &[u8]) -> bool {
        let (folder, base) = self.name(id);
        name.strip_prefix(folder) == Some(base)
    }

    /// An entry for what has none, that nobody holds.
    pub(super) fn add(&mut self, sought: &Sought<'_>) -> u32 {
        let (file, packed) = (&sought.file, &sought.packed);
        let folder = self.folders.enter(file.folder);
        let len = file.base.len() as u16;
        let text = self.texts.put(&[&folder.to_le_bytes(), &len.to_le_bytes(), file.base, packed.as_bytes()]);
        let entry = Entry {
            text,
            hash: sought.hash,
            holders: NOWHERE,
            count: 0,
            size: file.size as u32,
            seconds: file.seconds,
            freq: file.freq,
            bitrate: file.bitrate,
            size_high: (file.size >> 32) as u8,
            marks: file.kind as u8 | packed.form,
            twins: [NOWHERE; 2],
        };
        let id = match self.free {
            NOWHERE => self.entries.push(entry),
            id => {
                self.free = self.entries[id].holders;
                self.entries[id] = entry;
                id
            }
        };
        let entries = &self.entries;
        self.table.insert(sought.hash, id, |id| entries[id].hash);
        if packed.form == MD5
            && let Some(md5) = packed.bytes.first_chunk()
        {
            self.link(id, *md5);
        }
        self.used += 1;
        id
    }

    /// Takes out an entry that nobody holds.
    pub(super) fn remove(&mut self, id: u32) {
        self.unlink(id);
        let entry = &mut self.entries[id];
        debug_assert_eq!(entry.count, 0, "somebody holds it");
        let (text, hash, form) = (entry.text, entry.hash, entry.marks & FORM);
        entry.holders = self.free;
        self.free = id;
        self.table.replace(hash, id, None);
        self.folders.leave(self.texts.u32_at(text, 0));
        let end = HEAD + usize::from(self.texts.u16_at(text, 4));
        let len = match form {
            MD5 => end + 16,
            TEXT => end + 1 + usize::from(self.texts.from(text)[end]),
            _ => end,
        };
        self.texts.remove(text, len);
        self.used -= 1;
    }

    /// The folder and the base of an entry.
    pub(super) fn name(&self, id: u32) -> (&[u8], &[u8]) {
        let text = self.texts.from(self.entries[id].text);
        let (folder, len) = named(text);
        (self.folders.text(folder), &text[HEAD..HEAD + len])
    }

    pub(super) fn size(&self, id: u32) -> u64 {
        self.entries[id].size()
    }

    pub(super) fn file(&self, id: u32) -> FileRef<'_> {
        let entry = &self.entries[id];
        let text = self.texts.from(entry.text);
        let (folder, len) = named(text);
        Seen { entry, text, len, folder: self.folders.text(folder), holders: &[] }.file()
    }

    /// Looks at entries, [`BATCH`] at most, in place of what is in `seen`. What all of them point to is read before what that points to:
    /// the processor waits for memory once for all of them and not once for each.
    pub(super) fn see<'a>(&'a self, ids: &[u32], seen: &mut Vec<Seen<'a>>) {
        seen.clear();
        seen.extend(ids.iter().map(|id| {
            let entry = &self.entries[*id];
            Seen { entry, text: self.texts.from(entry.text), len: 0, folder: &[], holders: &[] }
        }));
        let mut folders = [NOWHERE; BATCH];
        for (seen, folder) in seen.iter_mut().zip(&mut folders) {
            (*folder, seen.len) = named(seen.text);
            seen.holders = self.holders_of(seen.entry);
        }
        for (seen, folder) in seen.iter_mut().zip(folders) {
            seen.folder = self.folders.text(folder);
        }
    }

    /// Who holds an entry, in the order of their ids.
    fn holders_of<'a>(&'a self, entry: &'a Entry) -> &'a [u32] {
        match entry.count {
            0 => &[],
            1 => core::slice::from_ref(&entry.holders),
            _ => &self.crowds[entry.holders],
        }
    }

    /// One more holds it; true if it is the first.
    pub(super) fn join(&mut self, id: u32, user: u32) -> bool {
        let entry = &mut self.entries[id];
        match entry.count {
            0 => entry.holders = user,
            1 => {
                let mut crowd = Vec::with_capacity(4);
                crowd.extend([entry.holders.min(user), entry.holders.max(user)]);
                entry.holders = match self.free_crowds.pop() {
                    Some(at) => {
                        self.crowds[at] = crowd;
                        at
                    }
                    None => self.crowds.push(crowd),
                };
            }
            _ => {
                let crowd = &mut self.crowds[entry.holders];
                if crowd.len() == crowd.capacity() {
                    crowd.reserve_exact(crowd.len() / 4 + 2);
                }
                crowd.insert(crowd.partition_point(|other| *other < user), user);
            }
        }
        entry.count += 1;
        entry.count == 1
    }

    /// One that holds it no longer does; true if it was the last.
    pub(super) fn leave(&mut self, id: u32, user: u32) -> bool {
        let entry = &mut self.entries[id];
        if entry.count > 1 {
            let crowd = &mut self.crowds[entry.holders];
            crowd.remove(crowd.partition_point(|other| *other < user));
            if let [last] = crowd[..] {
                *crowd = Vec::new();
                self.free_crowds.push(entry.holders);
                entry.holders = last;
            } else if crowd.len() < crowd.capacity() / 2 {
                crowd.shrink_to(crowd.len() + crowd.len() / 4);
            }
        }
        entry.count -= 1;
        entry.count == 0
    }

    /// Marks an entry as one that waits to be taken out; false if it was marked already.
    pub(super) fn wait(&mut self, id: u32) -> bool {
        let marks = &mut self.entries[id].marks;
        let new = *marks & WAITING == 0;
        *marks |= WAITING;
        new
    }

    /// Takes that mark off. True if nobody holds the entry.
    pub(super) fn waited(&mut self, id: u32) -> bool {
        let entry = &mut self.entries[id];
        entry.marks &= !WAITING;
        entry.count == 0
    }

    fn digest_hash(&self, md5: [u8; 16], size: u64) -> u32 {
        let mut bytes = [0; 24];
        bytes[..16].copy_from_slice(&md5);
        bytes[16..].copy_from_slice(&size.to_le_bytes());
        self.key.hash(&bytes)
    }

    fn md5(&self, id: u32) -> Option<[u8; 16]> {
        let entry = &self.entries[id];
        if entry.marks & FORM != MD5 {
            return None;
        }
        let text = self.texts.from(entry.text);
        let len = usize::from(u16::from_le_bytes([text[4], text[5]]));
        text[HEAD + len..].first_chunk().copied()
    }

    fn first_twin(&self, md5: [u8; 16], size: u64, hash: u32) -> Option<u32> {
        self.digests.find(hash, |id| {
            self.entries[id].twins[0] == hash && self.size(id) == size && self.md5(id) == Some(md5)
        })
    }

    /// Puts an entry of this md5 behind the first of its md5 and size.
    fn link(&mut self, id: u32, md5: [u8; 16]) {
        let size = self.size(id);
        let hash = self.digest_hash(md5, size);
        match self.first_twin(md5, size, hash) {
            None => {
                self.set_first(id, hash);
                let entries = &self.entries;
                self.digests.insert(hash, id, |id| entries[id].twins[0]);
            }
            Some(first) => {
                let next = core::mem::replace(&mut self.entries[first].twins[1], id);
                self.entries[id].twins = [first, next];
                if next != NOWHERE {
                    self.entries[next].twins[0] = id;
                }
            }
        }
    }

    fn set_first(&mut self, id: u32, hash: u32) {
        let entry = &mut self.entries[id];
        entry.marks |= FIRST;
        entry.twins[0] = hash;
    }

    fn unlink(&mut self, id: u32) {
        let Entry { marks, twins: [before, after], .. } = self.entries[id];
        if marks & FORM != MD5 {
            return;
        }
        if marks & FIRST == 0 {
            self.entries[before].twins[1] = after;
            if after != NOWHERE {
                self.entries[after].twins[0] = before;
            }
        } else {
            self.digests.replace(before, id, (after != NOWHERE).then_some(after));
            if after != NOWHERE {
                self.set_first(after, before);
            }
        }
    }

    /// The entries of an md5 and a size.
    pub(super) fn twins(&self, md5: [u8; 16], size: u64) -> impl Iterator<Item = u32> {
        let first = self.first_twin(md5, size, self.digest_hash(md5, size));
        core::iter::successors(first, |id| Some(self.entries[*id].twins[1]).filter(|next| *next != NOWHERE))
    }
}
