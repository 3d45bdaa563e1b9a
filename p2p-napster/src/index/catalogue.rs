//! Every file that somebody shares, once for all that share it: [`Catalogue`].

use super::ahead::fetch;
use super::arena::{Arena, NOWHERE};
use super::entry::{Entry, HEAD, Held, Sought, named};
use super::file::FileRef;
use super::folders::Folders;
use super::key::HashKey;
use super::paged::Paged;
use super::table::Table;
use super::twins::Twins;
use alloc::vec::Vec;

/// Entries that are looked at together: enough for the waits for memory to overlap, few enough that little is fetched in
/// vain.
pub(super) const BATCH: usize = 16;

#[derive(Debug)]
pub(super) struct Catalogue {
    key: HashKey,
    entries: Paged<Entry>,
    free: u32,
    /// How many entries are in use.
    used: usize,
    table: Table,
    twins: Twins,
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
            twins: Twins::new(key),
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

    /// The tag of the name of an entry.
    pub(super) fn tag_of(&self, id: u32) -> u32 {
        let (folder, base) = self.name(id);
        self.key.hash_twice([folder, base], &[]).0
    }

    pub(super) fn sought<'a>(&self, file: FileRef<'a>) -> Sought<'a> {
        Sought::new(self.key, file)
    }

    /// Reads ahead where a file lies, or will.
    pub(super) fn fetch(&self, sought: &Sought<'_>) {
        self.table.fetch(sought.hash);
        if let Some(hash) = sought.twins {
            self.twins.fetch(hash);
        }
    }

    /// The entry that is exactly this file.
    pub(super) fn find(&self, sought: &Sought<'_>) -> Option<u32> {
        self.table.find(sought.hash, |id| self.is(id, sought))
    }

    pub(super) fn is(&self, id: u32, sought: &Sought<'_>) -> bool {
        let (entry, file) = (&self.entries[id], &sought.file);
        if !entry.is_like(sought) {
            return false;
        }
        let text = self.texts.from(entry.text);
        let (folder, len) = named(text);
        let (base, rest) = text[HEAD..].split_at(len);
        base == file.base && rest.starts_with(sought.packed()) && self.folders.text(folder) == file.folder
    }

    /// Whether this is the whole name of an entry.
    pub(super) fn is_named(&self, id: u32, name: &[u8]) -> bool {
        let (folder, base) = self.name(id);
        name.strip_prefix(folder) == Some(base)
    }

    /// An entry for what has none, that nobody holds.
    pub(super) fn add(&mut self, sought: &Sought<'_>) -> u32 {
        let file = &sought.file;
        let folder = self.folders.enter(file.folder);
        let len = file.base.len() as u16;
        let text = self.texts.put(&[&folder.to_le_bytes(), &len.to_le_bytes(), file.base, sought.packed()]);
        let entry = Entry::new(sought, text);
        let id = match self.free {
            NOWHERE => self.entries.push(entry),
            id => {
                self.free = self.entries[id].holders;
                self.entries[id] = entry;
                id
            }
        };
        self.table.insert(sought.hash, id);
        self.twins.link(&mut self.entries, id, sought.twins);
        self.used += 1;
        id
    }

    /// Takes out an entry that nobody holds.
    pub(super) fn remove(&mut self, id: u32) {
        debug_assert_eq!(self.entries[id].held(), Held::Nobody, "somebody holds it");
        let sought = self.sought(self.file(id));
        let (hash, twins, len) =
            (sought.hash, sought.twins, HEAD + sought.file.base.len() + sought.packed().len());
        self.table.replace(hash, id, None);
        self.twins.unlink(&mut self.entries, id, twins);
        let entry = &mut self.entries[id];
        entry.holders = self.free;
        self.free = id;
        self.folders.leave(self.texts.u32_at(entry.text, 0));
        self.texts.remove(entry.text, len);
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

    /// Looks at entries, [`BATCH`] at most, in place of what is in `seen`. What all of them point to is read before what
    /// that points to: the processor waits for memory once for all of them and not once for each.
    pub(super) fn see<'a>(&'a self, ids: &[u32], seen: &mut Vec<Seen<'a>>) {
        seen.clear();
        seen.extend(ids.iter().map(|id| {
            let entry = &self.entries[*id];
            entry.fetch();
            Seen { entry, text: self.texts.from(entry.text), len: 0, folder: &[], holders: &[] }
        }));
        let mut folders = [NOWHERE; BATCH];
        for (seen, folder) in seen.iter_mut().zip(&mut folders) {
            (*folder, seen.len) = named(seen.text);
            fetch(seen.text[HEAD + seen.len - 1]);
            seen.holders = self.holders(seen.entry);
        }
        for (seen, folder) in seen.iter_mut().zip(folders) {
            seen.folder = self.folders.text(folder);
            fetch(seen.folder.last().copied());
        }
    }

    /// The entries of an md5 and a size.
    pub(super) fn twins(&self, md5: &[u8; 16], size: u64) -> impl Iterator<Item = u32> {
        self.twins.of(&self.entries, md5, size)
    }

    /// Who holds an entry, in the order of their ids.
    fn holders<'a>(&'a self, entry: &'a Entry) -> &'a [u32] {
        match entry.held() {
            Held::Nobody => &[],
            Held::One => core::slice::from_ref(&entry.holders),
            Held::Many => &self.crowds[entry.holders],
        }
    }

    /// One more holds it; true if it is the first.
    pub(super) fn join(&mut self, id: u32, user: u32) -> bool {
        let entry = &mut self.entries[id];
        match entry.held() {
            Held::Nobody => {
                entry.set_held(Held::One);
                entry.holders = user;
                return true;
            }
            Held::One => {
                let mut crowd = Vec::with_capacity(4);
                crowd.extend([entry.holders.min(user), entry.holders.max(user)]);
                entry.set_held(Held::Many);
                entry.holders = match self.free_crowds.pop() {
                    Some(at) => {
                        self.crowds[at] = crowd;
                        at
                    }
                    None => self.crowds.push(crowd),
                };
            }
            Held::Many => {
                let crowd = &mut self.crowds[entry.holders];
                if crowd.len() == crowd.capacity() {
                    crowd.reserve_exact(crowd.len() / 4 + 2);
                }
                crowd.insert(crowd.partition_point(|other| *other < user), user);
            }
        }
        false
    }

    /// One that holds it no longer does; true if it was the last.
    pub(super) fn leave(&mut self, id: u32, user: u32) -> bool {
        let entry = &mut self.entries[id];
        if entry.held() != Held::Many {
            entry.set_held(Held::Nobody);
            return true;
        }
        let crowd = &mut self.crowds[entry.holders];
        crowd.remove(crowd.partition_point(|other| *other < user));
        if let [last] = crowd[..] {
            *crowd = Vec::new();
            self.free_crowds.push(entry.holders);
            entry.set_held(Held::One);
            entry.holders = last;
        } else if crowd.len() < crowd.capacity() / 2 {
            crowd.shrink_to(crowd.len() + crowd.len() / 4);
        }
        false
    }

    /// Marks an entry as one that waits to be taken out; false if it was marked already.
    pub(super) fn wait(&mut self, id: u32) -> bool {
        !self.entries[id].set_waiting(true)
    }

    /// Takes that mark off. True if nobody holds the entry.
    pub(super) fn waited(&mut self, id: u32) -> bool {
        let entry = &mut self.entries[id];
        entry.set_waiting(false);
        entry.held() == Held::Nobody
    }
}

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
    pub(super) const fn holders(&self) -> &'a [u32] {
        self.holders
    }

    /// It without its texts: its attributes, quickly.
    pub(super) fn attributes(&self) -> FileRef<'static> {
        self.entry.attributes()
    }

    pub(super) fn file(&self) -> FileRef<'a> {
        let (base, rest) = self.text[HEAD..].split_at(self.len);
        let fingerprint = self.entry.fingerprint(rest);
        FileRef { folder: self.folder, base, fingerprint, ..self.attributes() }
    }
}
