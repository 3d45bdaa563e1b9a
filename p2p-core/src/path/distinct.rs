//! Paths that can be stored side by side: [`Distinct`].

use super::{Fnv, PART, PATH, RelPath, split};
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, btree_map};
use alloc::format;
use alloc::string::String;
use core::fmt;

/// Paths that can all be stored below one folder: no two are one file where case does not count (Windows, macOS), and
/// none is a folder on another's way (`a` and `a/b`).
///
/// Its memory grows by about 24 bytes per path and folder; how many there may be is for the caller to limit. Unicode is
/// compared by character: two spellings of `é` (one character, or two) count as different, which only macOS minds.
#[derive(Default)]
pub struct Distinct {
    /// What has a name in a folder. Names are known by their hash: should two be taken for one, the later is renamed
    /// without need, and that is all.
    names: BTreeMap<(u32, u64), Name>,
    /// Folders that had to be renamed because a file has their name.
    moved: BTreeMap<(u32, u64), (u32, Box<str>)>,
    /// The last number tried for a name, so that a million equal names take a million steps.
    tried: BTreeMap<(u32, u64), u32>,
    folders: u32,
}

#[derive(Clone, Copy)]
enum Name {
    File,
    Folder(u32),
}

impl fmt::Debug for Distinct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Distinct").field("names", &self.names.len()).finish_non_exhaustive()
    }
}

impl Distinct {
    /// No paths yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a path in, and gives it back: as it is, or with ` (2)` or a higher number before the ending of the name
    /// that clashes with an earlier one. The same sequence of paths always gives the same names.
    pub fn admit(&mut self, path: RelPath) -> RelPath {
        let mut out = String::new();
        let mut folder = 0;
        let mut parts = path.parts().peekable();
        while let Some(part) = parts.next() {
            if !out.is_empty() {
                out.push('/');
            }
            if parts.peek().is_some() {
                folder = self.folder(folder, part, &mut out);
            } else {
                self.file(folder, part, &mut out);
            }
        }
        if out == path.as_str() {
            return path;
        }
        if out.len() > PATH {
            // Only numbers on the way made it too long. This one is short, whatever numbers it gets.
            let mut hash = Fnv::new();
            hash.take(path.as_str().as_bytes());
            let (top, name) = path.as_str().split_once('/').unwrap_or(("", path.as_str()));
            let (_, ending) = split(name.rsplit('/').next().unwrap_or(name));
            return self.admit(RelPath(format!("{top}/{:08x}{ending}", hash.short()).into()));
        }
        RelPath(out.into())
    }

    fn file(&mut self, within: u32, part: &str, out: &mut String) {
        let at = key(within, part, "");
        if let btree_map::Entry::Vacant(free) = self.names.entry(at) {
            free.insert(Name::File);
            out.push_str(part);
        } else {
            out.push_str(&self.renamed(within, part, Name::File));
        }
    }

    fn folder(&mut self, within: u32, part: &str, out: &mut String) -> u32 {
        let at = key(within, part, "");
        match self.names.get(&at) {
            Some(Name::Folder(folder)) => {
                out.push_str(part);
                return *folder;
            }
            Some(Name::File) => {
                if let Some((folder, name)) = self.moved.get(&at) {
                    out.push_str(name);
                    return *folder;
                }
            }
            None => {
                self.folders += 1;
                self.names.insert(at, Name::Folder(self.folders));
                out.push_str(part);
                return self.folders;
            }
        }
        self.folders += 1;
        let folder = self.folders;
        let name = self.renamed(within, part, Name::Folder(folder));
        out.push_str(&name);
        self.moved.insert(at, (folder, name.into()));
        folder
    }

    /// Takes the first free name with a number.
    fn renamed(&mut self, within: u32, part: &str, what: Name) -> String {
        const LONGEST: usize = " (4294967295)".len();
        let (stem, ending) = split(part);
        // Cut the same for all numbers, so that the numbers tried are those of everyone with this stem.
        let stem = &stem[..stem.floor_char_boundary(PART - LONGEST - ending.len())];
        let tried = self.tried.entry(key(within, stem, ending)).or_insert(1);
        loop {
            *tried = tried.saturating_add(1);
            let name = format!("{stem} ({tried}){ending}");
            if let btree_map::Entry::Vacant(free) = self.names.entry(key(within, &name, "")) {
                free.insert(what);
                return name;
            }
        }
    }
}

fn key(within: u32, stem: &str, ending: &str) -> (u32, u64) {
    let mut hash = Fnv::new();
    hash.take_folded(stem);
    if !ending.is_empty() {
        hash.take(&[0xff]);
        hash.take_folded(ending);
    }
    (within, hash.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;
    use alloc::string::ToString;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    fn admit(set: &mut Distinct, path: &str) -> String {
        set.admit(RelPath::from_parts(path.split('/')).unwrap()).to_string()
    }

    #[test]
    fn clashes_get_numbers() {
        let mut set = Distinct::new();
        for (path, stored) in [
            ("t/a.txt", "t/a.txt"),
            ("t/A.TXT", "t/A (2).TXT"),
            ("t/a.txt", "t/a (3).txt"),
            ("t/a (2).txt", "t/a (2) (2).txt"),
            ("T/b", "T/b"),
            ("t/B", "t/B (2)"),
            ("t/b/c", "t/b (3)/c"),
            ("t/b/d", "t/b (3)/d"),
            ("t/b/D", "t/b (3)/D (2)"),
            ("t/d/e", "t/d/e"),
            ("t/d", "t/d (2)"),
            ("t/.hidden", "t/.hidden"),
            ("t/.Hidden", "t/.Hidden (2)"),
            ("t/stra\u{df}e", "t/stra\u{df}e"),
            ("t/STRASSE", "t/STRASSE (2)"),
        ] {
            assert_eq!(admit(&mut set, path), stored, "{path}");
        }
    }

    #[test]
    fn numbers_fit_into_long_names_and_paths() {
        let mut set = Distinct::new();
        let long = "n".repeat(251) + ".mp3";
        assert_eq!(admit(&mut set, &long), long);
        let second = admit(&mut set, &long);
        assert!(second.len() <= PART && second.ends_with("n (2).mp3"), "{second}");
        // Exactly as long as a path may be, so that a number makes it too long.
        let full = ("d".repeat(255) + "/").repeat(15) + &"e".repeat(250) + "/" + "fghi";
        assert_eq!(full.len(), 4_095);
        assert_eq!(admit(&mut set, &full), full);
        let second = admit(&mut set, &full);
        assert!(second.len() < 300 && second.starts_with("ddd"), "{second}");
        assert!(RelPath::from_parts(second.split('/')).is_ok());
        assert_ne!(second, admit(&mut set, &full));
    }

    #[test]
    fn many_equal_names_take_no_square_of_steps() {
        let mut set = Distinct::new();
        for i in 1..20_000u32 {
            let stored = admit(&mut set, "x");
            assert!(i == 1 || stored == format!("x ({i})"));
        }
    }

    proptest! {
        #[test]
        fn all_admitted_can_be_stored_together(paths in prop::collection::vec("[aAb](\\.x)?(/[aAb]( \\(2\\))?){0,3}", 0..60)) {
            let mut set = Distinct::new();
            let stored: Vec<String> = paths.iter().map(|path| admit(&mut set, path).to_lowercase()).collect();
            let files: BTreeSet<&str> = stored.iter().map(String::as_str).collect();
            prop_assert_eq!(files.len(), paths.len());
            for file in &stored {
                prop_assert!(file.match_indices('/').all(|(at, _)| !files.contains(&file[..at])), "{}", file);
            }
        }
    }
}
