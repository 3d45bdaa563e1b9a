//! The files that are shared: what they are called, what is in them, and how they are found.
//!
//! ```text
//!  watched folders ── list ──┬─ known by path, size and time ──────────────────────────┐
//!                            └─ new or changed ── SHA-1, slices ── looked at again ────┴─ shared ── index, table
//!                                                 (digest jobs)        │
//!                                                                      └─ cache of digests, a file for each tree
//! ```
//!
//! A [`Library`] is a part: its owner gives it a context for its jobs, hands over their answers, and asks for a
//! [scan](Library::scan) now and then. What strangers are told of a file is its own name, never the folders that it lies in.

mod cache;
mod index;
mod phrases;
mod scan;
mod search;
mod table;

pub use scan::News;
#[cfg(feature = "pattern")]
pub use search::{Pattern, PatternError};
pub use search::{Search, media_of};

use crate::Urn;
use crate::qrp::{self, Cut, Table, Wanted, canonical};
use crate::thex::TigerTree;
use crate::wire::Query;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use cache::Cache;
pub(crate) use cache::check;
use index::Index;
use p2p_core::hash::{Sha1Hash, Tth};
use p2p_core::{FileId, UnixTime};
pub(crate) use phrases::Phrases;
use scan::Scanner;

/// What is shared, and where it is kept what it holds.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// The folders whose files are shared, with all folders below them.
    pub folders: Vec<FileId>,
    /// A folder of our own for the cache of digests and for the trees; `None` keeps both in memory, 24 kB a file at most,
    /// and digests everything again when the program starts.
    pub state: Option<FileId>,
    /// The most files that are shared; the rest is left out and told. 100,000 files take about 40 MB here.
    pub files_max: u32,
    /// Files that are digested at once. Two keep a disk and a core busy.
    pub digesting_max: usize,
    /// Bytes that are digested before the cache is saved, at most so much work is lost in a crash.
    pub save_after: u64,
    /// The bits of the smallest table of words that is made.
    pub table_bits_min: u8,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            folders: Vec::new(),
            state: None,
            files_max: 100_000,
            digesting_max: 2,
            save_after: 1 << 30,
            table_bits_min: 16,
        }
    }
}

/// A file that is shared.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SharedFile {
    /// The number that hits and requests name it by. It is used once as long as the program runs.
    pub number: u32,
    /// Where it lies.
    pub file: FileId,
    /// Bytes.
    pub size: u64,
    /// When it was last changed.
    pub modified: UnixTime,
    /// Its digest.
    pub sha1: Sha1Hash,
    /// The root of its tiger tree.
    pub tth: Tth,
    canonical: Box<str>,
}

impl SharedFile {
    /// Its own name, without the folders that it lies in.
    #[must_use]
    pub fn name(&self) -> &str {
        own_name(&self.file)
    }

    /// Its name by content.
    #[must_use]
    pub const fn urn(&self) -> Urn {
        Urn::Bitprint(self.sha1, self.tth)
    }
}

fn own_name(file: &FileId) -> &str {
    file.path().parts().next_back().unwrap_or_default()
}

/// The shared files.
#[derive(Debug)]
pub struct Library {
    config: Config,
    files: BTreeMap<u32, SharedFile>,
    by_path: BTreeMap<FileId, u32>,
    /// The numbers of the files with this content, of which there may be several by different names.
    by_sha1: BTreeMap<Sha1Hash, Vec<u32>>,
    index: Index,
    next_number: u32,
    /// Made when it is first asked for.
    table: Option<Arc<Table>>,
    /// By how much of a word files are found: what the newest table has.
    cut: Cut,
    /// Changes since the table was made.
    stale: bool,
    bytes: u64,
    version: u64,
    cache: Cache,
    /// Trees that are not on the disk.
    trees: BTreeMap<Sha1Hash, Box<[u8]>>,
    scanner: Scanner,
}

impl Library {
    /// A library of which nothing is known yet: see [`scan`](Self::scan).
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            config,
            files: BTreeMap::new(),
            by_path: BTreeMap::new(),
            by_sha1: BTreeMap::new(),
            index: Index::default(),
            next_number: 1,
            table: None,
            cut: Cut::MOST,
            stale: true,
            bytes: 0,
            version: 0,
            cache: Cache::default(),
            trees: BTreeMap::new(),
            scanner: Scanner::default(),
        }
    }

    /// How many files are shared.
    #[must_use]
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Whether nothing is shared.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Bytes of all files.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.bytes
    }

    /// A number that grows with every change.
    #[must_use]
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// The files, in order of their numbers.
    pub fn files(&self) -> impl Iterator<Item = &SharedFile> {
        self.files.values()
    }

    /// The file of this number.
    #[must_use]
    pub fn by_number(&self, number: u32) -> Option<&SharedFile> {
        self.files.get(&number)
    }

    /// A file with this content.
    #[must_use]
    pub fn by_sha1(&self, sha1: &Sha1Hash) -> Option<&SharedFile> {
        self.by_sha1.get(sha1)?.first().and_then(|number| self.files.get(number))
    }

    /// The files that match what a stranger asks for, at most `budget` of them: with all of its words, or by one of its
    /// names by content, or the newest ones. It finds no more than [`table`](Self::table) promises.
    #[must_use]
    pub fn matching(&self, query: &Query, budget: usize) -> Vec<&SharedFile> {
        self.search(&Search::of_query(query), budget)
    }

    /// The files that match, at most `budget` of them.
    #[must_use]
    pub fn search(&self, search: &Search<'_>, budget: usize) -> Vec<&SharedFile> {
        if search.newest {
            let mut files: Vec<&SharedFile> =
                self.files.values().filter(|file| search.admits(file)).collect();
            files.sort_unstable_by_key(|file| (core::cmp::Reverse(file.modified), file.number));
            files.truncate(budget);
            return files;
        }
        let mut found: Vec<&SharedFile> = Vec::new();
        for sha1 in search.urns.iter().filter_map(Urn::sha1) {
            let named =
                self.by_sha1.get(&sha1).into_iter().flatten().filter_map(|number| self.files.get(number));
            found.extend(named.filter(|file| search.admits(file)).take(budget.saturating_sub(found.len())));
        }
        let query = canonical(&search.words);
        let wanted = |file: &&SharedFile| search.admits(file) && !search.urns.contains(&Urn::Sha1(file.sha1));
        let rest = budget.saturating_sub(found.len());
        if query.is_empty() {
            // Without words only an application can search, by what it says else.
            if search.is_local && search.urns.is_empty() {
                found.extend(self.files.values().filter(wanted).take(rest));
            }
            return found;
        }
        let cut = self.cut;
        let candidates = self.index.candidates(&query, cut);
        let named = candidates.iter().filter_map(|number| self.files.get(number));
        let phrases = Phrases::of(&search.words);
        let has =
            |file: &&SharedFile| qrp::finds(&file.canonical, &query, cut) && phrases.are_in(&file.canonical);
        found.extend(named.filter(has).filter(wanted).take(rest));
        found
    }

    /// The table of words and names by content for ultrapeers, and by how much of a word files are found. It is made anew
    /// when something has changed.
    pub fn table(&mut self) -> (Arc<Table>, Cut) {
        if let Some(table) = self.table.as_ref().filter(|_| !self.stale) {
            return (table.clone(), self.cut);
        }
        self.stale = false;
        let (table, cut) = table::of_files(self.files.values(), self.config.table_bits_min);
        let table = Arc::new(table);
        (self.table, self.cut) = (Some(table.clone()), cut);
        (table, cut)
    }

    /// Whether a query may find anything, as far as that is seen in a moment: a table is not made for it.
    #[must_use]
    pub fn may_match(&self, wanted: &Wanted) -> bool {
        let told = || self.table.as_ref().is_none_or(|table| table.may_match(wanted));
        !self.files.is_empty() && (self.stale || told())
    }

    /// Where the tree of a file is: in memory, or in a file of this name.
    pub(crate) fn tree(&self, sha1: &Sha1Hash) -> Option<TreePlace<'_>> {
        let file = self.by_sha1(sha1)?;
        match (&self.config.state, self.trees.get(sha1)) {
            (_, Some(list)) => Some(TreePlace::Here(list)),
            (Some(state), None) => Some(TreePlace::Stored(cache::tree_file(state, &file.sha1)?)),
            (None, None) => None,
        }
    }

    fn share(&mut self, file: FileId, size: u64, modified: UnixTime, sha1: Sha1Hash, tth: Tth) {
        self.unshare(&file);
        let number = self.next_number;
        self.next_number = self.next_number.wrapping_add(1).max(1);
        let canonical = canonical(own_name(&file)).into_boxed_str();
        self.index.insert(number, &canonical);
        self.by_path.insert(file.clone(), number);
        self.by_sha1.entry(sha1).or_default().push(number);
        self.bytes += size;
        self.files.insert(number, SharedFile { number, file, size, modified, sha1, tth, canonical });
        self.changed();
    }

    fn unshare(&mut self, file: &FileId) {
        let Some(number) = self.by_path.remove(file) else { return };
        let Some(old) = self.files.remove(&number) else { return };
        self.bytes -= old.size;
        self.index.remove(number, &old.canonical);
        if let Some(numbers) = self.by_sha1.get_mut(&old.sha1) {
            numbers.retain(|is| *is != number);
            if numbers.is_empty() {
                self.by_sha1.remove(&old.sha1);
                self.trees.remove(&old.sha1);
            }
        }
        self.changed();
    }

    const fn changed(&mut self) {
        self.version += 1;
        self.stale = true;
    }
}

/// Where a tree is.
#[derive(Debug)]
pub(crate) enum TreePlace<'a> {
    /// Its layers, as they are sent.
    Here(&'a [u8]),
    /// A file with them.
    Stored(FileId),
}

/// The tree of these slices, as it is kept.
fn list_of(size: u64, slices: Vec<Tth>) -> Option<(Tth, Vec<u8>)> {
    let tree = TigerTree::from_slices(size, slices)?;
    Some((tree.root(), tree.to_list()))
}
