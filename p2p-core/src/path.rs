//! Names of stored files: [`RelPath`], the only way from a stranger's name to a file, and [`FileId`].

mod distinct;

pub use distinct::Distinct;

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use core::fmt;

/// The longest part in bytes: what ext4, APFS and NTFS take at most.
const PART: usize = 255;
/// The longest path in bytes: `PATH_MAX` of Linux.
const PATH: usize = 4_096;
/// The most parts: nobody nests deeper, and every level costs a system call.
const DEPTH: usize = 64;
/// The longest ending, with its dot, that is kept when the name before it is changed.
const ENDING: usize = 17;

/// A relative path of safe parts joined by `/`: at most 64 parts of at most 255 bytes each, 4,096 bytes in all.
///
/// A path never leads out of the folder that it is put in, and never names a device. Unless it was made by
/// [`local`](Self::local), every part is a plain name on every common file system, so that it is the same file
/// everywhere. Names that differ only in case are different paths; where that matters, see [`Distinct`].
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RelPath(Arc<str>);

/// Why a name cannot be a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PathError {
    /// No parts at all, or an empty part.
    #[error("empty name")]
    Empty,
    /// A part is `.` or `..`.
    #[error("name leads out of its folder")]
    Escapes,
    /// A separator, a control character, or one of `<>:"|?*`.
    #[error("forbidden character in name")]
    Forbidden,
    /// A part is longer than 255 bytes, or the path longer than 4,096.
    #[error("name too long")]
    TooLong,
    /// More than 64 parts.
    #[error("folders nested too deep")]
    TooDeep,
    /// Windows has a device of that name (`CON`, `nul.txt`, ...), or would cut off the dot or space at its end.
    #[error("name with a meaning of its own on some systems")]
    Reserved,
}

impl RelPath {
    /// A path of these parts, each of which must be safe as it is.
    ///
    /// # Errors
    /// If a part is not safe, or the path is too long or too deep.
    pub fn from_parts<'a>(parts: impl IntoIterator<Item = &'a str>) -> Result<Self, PathError> {
        Self::checked(parts, check)
    }

    /// A path of these parts as they are, if this platform has files of such names: for what is stored already, and
    /// must be found again.
    ///
    /// On Unix a name is any text without `/` and NUL that is neither empty nor `.` nor `..`; elsewhere this is
    /// [`from_parts`](Self::from_parts). Such a path stays below its folder as every other does, but it may hold
    /// control characters (escape it before showing) and be no name on another system.
    ///
    /// # Errors
    /// If this platform cannot have such a file, or the path is too long or too deep.
    pub fn local<'a>(parts: impl IntoIterator<Item = &'a str>) -> Result<Self, PathError> {
        Self::checked(parts, if cfg!(unix) { check_unix } else { check })
    }

    fn checked<'a>(
        parts: impl IntoIterator<Item = &'a str>,
        check: fn(&str) -> Result<(), PathError>,
    ) -> Result<Self, PathError> {
        let mut path = String::new();
        for (depth, part) in parts.into_iter().enumerate() {
            check(part)?;
            if depth >= DEPTH {
                return Err(PathError::TooDeep);
            }
            if depth > 0 {
                path.push('/');
            }
            path.push_str(part);
            if path.len() > PATH {
                return Err(PathError::TooLong);
            }
        }
        if path.is_empty() { Err(PathError::Empty) } else { Ok(Self(path.into())) }
    }

    /// A path out of a stranger's parts: what [`from_parts`](Self::from_parts) takes stays as it is, everything else
    /// is made safe.
    ///
    /// Parts that are empty, `.` or `..` are dropped. Bytes that are not UTF-8 become U+FFFD, characters that no
    /// name may have become `_`, and so does a dot or space at the end. Names of devices and names that are too long
    /// get a hash of the original, so that different ones stay different. Of a path too long or too deep the last
    /// folders go, and its name gets a hash of the whole. Other names may still become one: see [`Distinct`].
    ///
    /// # Errors
    /// [`PathError::Empty`] if nothing is left.
    pub fn sanitised<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Result<Self, PathError> {
        let mut path = String::new();
        let mut depth = 0;
        let mut cut = false;
        let mut whole = Fnv::new();
        let mut last: Option<Cow<'a, str>> = None;
        for part in parts {
            whole.take(part);
            // No byte of UTF-8: parts joined differently hash differently.
            whole.take(&[0xff]);
            if matches!(part, b"" | b"." | b"..") {
                continue;
            }
            let Some(folder) = last.replace(safe_part(part)) else { continue };
            if cut || depth + 1 >= DEPTH || path.len() + folder.len() >= PATH {
                cut = true;
                continue;
            }
            path.push_str(&folder);
            path.push('/');
            depth += 1;
        }
        let mut last = last.ok_or(PathError::Empty)?;
        if cut || path.len() + last.len() > PATH {
            last = tagged(&last, whole.short()).into();
            while path.len() + last.len() > PATH {
                path.truncate(path.trim_end_matches('/').rfind('/').map_or(0, |at| at + 1));
            }
        }
        path.push_str(&last);
        Ok(Self(path.into()))
    }

    /// The path `below` below this one.
    ///
    /// # Errors
    /// If it is too long or too deep.
    pub fn join(&self, below: &Self) -> Result<Self, PathError> {
        // Both are made of safe parts already, by one rule or the other.
        Self::checked(self.parts().chain(below.parts()), |_| Ok(()))
    }

    /// The folder that it lies in; `None` if that is the root.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        self.0.rsplit_once('/').map(|(folder, _)| Self(folder.into()))
    }

    /// The folders that it lies in, from the innermost out.
    pub fn folders(&self) -> impl Iterator<Item = Self> + use<> {
        core::iter::successors(self.parent(), Self::parent)
    }

    /// The parts joined by `/`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The parts, from the outermost folder to the file's own name.
    pub fn parts(&self) -> core::str::Split<'_, char> {
        self.0.split('/')
    }
}

impl fmt::Debug for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl fmt::Display for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Characters that no name may have: separators, control characters, and what Windows forbids.
fn forbidden(c: char) -> bool {
    c.is_control() || "/\\<>:\"|?*".contains(c)
}

/// Whether Windows takes the name for a device, whatever follows its first dot.
fn is_device(part: &str) -> bool {
    let name = part.split('.').next().unwrap_or(part).trim_end_matches(' ');
    if ["con", "nul", "aux", "prn", "conin$", "conout$"].iter().any(|is| is.eq_ignore_ascii_case(name)) {
        return true;
    }
    let port = name.get(..3).is_some_and(|has| ["com", "lpt"].iter().any(|is| is.eq_ignore_ascii_case(has)));
    // The superscript digits count as well.
    port && matches!(
        name.get(3..),
        Some("1" | "2" | "3" | "4" | "5" | "6" | "7" | "8" | "9" | "¹" | "²" | "³")
    )
}

fn check(part: &str) -> Result<(), PathError> {
    if part.contains(forbidden) {
        return Err(PathError::Forbidden);
    }
    check_unix(part)?;
    if part.ends_with(['.', ' ']) || is_device(part) { Err(PathError::Reserved) } else { Ok(()) }
}

/// What Unix has as names.
fn check_unix(part: &str) -> Result<(), PathError> {
    match part {
        "" => Err(PathError::Empty),
        "." | ".." => Err(PathError::Escapes),
        _ if part.contains(['/', '\0']) => Err(PathError::Forbidden),
        _ if part.len() > PART => Err(PathError::TooLong),
        _ => Ok(()),
    }
}

/// A name that [`check`] takes, of bytes that are neither empty nor `.` nor `..`.
fn safe_part(part: &[u8]) -> Cow<'_, str> {
    let text = String::from_utf8_lossy(part);
    if check(&text).is_ok() {
        return text;
    }
    let mut hash = Fnv::new();
    hash.take(part);
    let mut name = text.replace(forbidden, "_");
    if name.ends_with(['.', ' ']) {
        name.pop();
        name.push('_');
    }
    if is_device(&name) {
        let dot = name.find('.').unwrap_or(name.len());
        name.insert_str(dot, &format!("_{:08x}", hash.short()));
    }
    if name.len() > PART {
        name = tagged(&name, hash.short());
    }
    name.into()
}

/// The name with a hash before its ending, cut so that it is not too long.
fn tagged(name: &str, hash: u32) -> String {
    let (stem, ending) = split(name);
    let stem = &stem[..stem.floor_char_boundary(PART - 9 - ending.len())];
    format!("{stem}_{hash:08x}{ending}")
}

/// The name and its ending, which is empty or begins with the last dot and is 17 bytes long at most.
fn split(name: &str) -> (&str, &str) {
    match name.rfind('.') {
        Some(dot) if dot > 0 && name.len() - dot <= ENDING => name.split_at(dot),
        _ => (name, ""),
    }
}

/// FNV-1a (64 bits): to tell names apart, not to protect anything.
#[derive(Clone, Copy)]
struct Fnv(u64);

impl Fnv {
    const fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    fn take(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    /// Takes text so that texts that differ only in case count as one.
    fn take_folded(&mut self, text: &str) {
        for c in text.chars() {
            // By way of upper case, so that `ß` meets `SS`.
            for folded in c.to_uppercase().flat_map(char::to_lowercase) {
                self.take(folded.encode_utf8(&mut [0; 4]).as_bytes());
            }
        }
    }

    /// Folded to 32 bits, as the authors of FNV advise.
    const fn short(self) -> u32 {
        (self.0 >> 32) as u32 ^ self.0 as u32
    }
}

/// One of the folders that a driver's storage was given; 0 is the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Root(pub u16);

impl Root {
    /// No folder: what is read from it is zeros, what is written to it vanishes. Every driver has it.
    pub const ZEROS: Self = Self(u16::MAX);
}

/// A stored file: a root, and a path below it. Cheap to clone; equal names are the same file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId {
    root: Root,
    path: RelPath,
}

impl FileId {
    /// The file at `path` below `root`.
    #[must_use]
    pub const fn new(root: Root, path: RelPath) -> Self {
        Self { root, path }
    }

    /// The endless file below [`Root::ZEROS`]: for padding, which is digested and read but never stored.
    #[must_use]
    pub fn zeros() -> Self {
        Self { root: Root::ZEROS, path: RelPath("zeros".into()) }
    }

    /// Its root.
    #[must_use]
    pub const fn root(&self) -> Root {
        self.root
    }

    /// Its path below the root.
    #[must_use]
    pub const fn path(&self) -> &RelPath {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    #[test]
    fn the_folders_from_the_innermost_out() {
        let folders = |parts: &[&str]| -> Vec<RelPath> {
            RelPath::from_parts(parts.iter().copied()).unwrap().folders().collect()
        };
        assert_eq!(folders(&["a", "b", "c"]).iter().map(RelPath::as_str).collect::<Vec<_>>(), ["a/b", "a"]);
        assert!(folders(&["a"]).is_empty());
    }

    #[cfg(unix)]
    #[test]
    fn what_is_stored_here_keeps_its_name() {
        for part in ["what?.mp3", "a:b", "a\\b", "CON", "x.", "x ", "...", "a\nb", "\u{1b}[2J", "~", "-rf"] {
            let path = RelPath::local([part, "f"]).unwrap();
            assert_eq!(path.parts().collect::<Vec<_>>(), [part, "f"]);
            assert_eq!(path.parent().unwrap().as_str(), part);
            let below = RelPath::from_parts(["to"]).unwrap().join(&path).unwrap();
            assert_eq!(below.parts().collect::<Vec<_>>(), ["to", part, "f"]);
        }
    }

    #[test]
    fn no_name_of_this_platform_leads_out_of_its_folder() {
        for (parts, error) in [
            (&[".."][..], PathError::Escapes),
            (&["a", "..", "..", "b"], PathError::Escapes),
            (&["."], PathError::Escapes),
            (&["a", ""], PathError::Empty),
            (&[""], PathError::Empty),
            (&[], PathError::Empty),
            (&["/etc/passwd"], PathError::Forbidden),
            (&["a/../../b"], PathError::Forbidden),
            (&["a\0"], PathError::Forbidden),
        ] {
            assert_eq!(RelPath::local(parts.iter().copied()), Err(error), "{parts:?}");
        }
        assert_eq!(RelPath::local(["n".repeat(256).as_str()]), Err(PathError::TooLong));
        assert_eq!(RelPath::local(core::iter::repeat_n("d", 65)), Err(PathError::TooDeep));
        let long = RelPath::local(core::iter::repeat_n("n".repeat(200).as_str(), 15)).unwrap();
        assert_eq!(long.join(&long), Err(PathError::TooLong));
        let deep = RelPath::local(core::iter::repeat_n("d", 40)).unwrap();
        assert_eq!(deep.join(&deep), Err(PathError::TooDeep));
        assert_eq!(RelPath::local(["f"]).unwrap().parent(), None);
    }

    fn clean(parts: &[&[u8]]) -> String {
        RelPath::sanitised(parts.iter().copied()).unwrap().to_string()
    }

    #[test]
    fn what_is_refused_and_what_becomes_of_it() {
        for (part, error, safe) in [
            ("a/b", PathError::Forbidden, "a_b"),
            ("/etc/passwd", PathError::Forbidden, "_etc_passwd"),
            ("..\\..\\x", PathError::Forbidden, ".._.._x"),
            ("C:", PathError::Forbidden, "C_"),
            ("a\0b", PathError::Forbidden, "a_b"),
            ("a\nb\u{85}c", PathError::Forbidden, "a_b_c"),
            ("what?.mp3", PathError::Forbidden, "what_.mp3"),
            ("x.", PathError::Reserved, "x_"),
            ("x ", PathError::Reserved, "x_"),
            ("...", PathError::Reserved, ".._"),
            (".. ", PathError::Reserved, ".._"),
        ] {
            assert_eq!(RelPath::from_parts([part]), Err(error), "{part:?}");
            assert_eq!(clean(&[part.as_bytes()]), safe, "{part:?}");
        }
        for part in [".", "..", ""] {
            assert!(RelPath::from_parts([part]).is_err(), "{part:?}");
            assert_eq!(RelPath::sanitised([part.as_bytes()]), Err(PathError::Empty));
            assert_eq!(clean(&[b"a", part.as_bytes(), b"b"]), "a/b");
        }
        assert_eq!(RelPath::from_parts([]), Err(PathError::Empty));
        assert_eq!(clean(&[b"caf\xe9"]), "caf\u{fffd}");
        let plain = [
            "Ünï cødé (1) [x] 'y' & z.tar.gz",
            ".hidden",
            "a..b",
            "~",
            "-rf",
            "CONSOLE",
            "com10",
            "lpt",
            "com0",
        ];
        for part in plain {
            assert_eq!(RelPath::from_parts([part]).unwrap().as_str(), part);
            assert_eq!(clean(&[part.as_bytes()]), part);
        }
    }

    #[test]
    fn names_of_devices() {
        for part in ["CON", "nul.txt", "Aux.tar.gz", "prn .x", "COM1", "lpt9.log", "com\u{b9}", "conin$"] {
            assert_eq!(RelPath::from_parts([part]), Err(PathError::Reserved), "{part}");
            let safe = clean(&[part.as_bytes()]);
            assert!(check(&safe).is_ok() && safe.get(..3) == part.get(..3), "{safe}");
            assert_eq!(split(&safe).1, split(part).1);
        }
        assert_ne!(clean(&[b"con"]), clean(&[b"CON"]));
    }

    #[test]
    fn what_is_too_long() {
        let long = "x".repeat(300) + ".mp3";
        assert_eq!(RelPath::from_parts([&*long]), Err(PathError::TooLong));
        let (a, b) = (clean(&[long.as_bytes()]), clean(&[("y".to_string() + &long).as_bytes()]));
        assert!(a.len() == PART && a.starts_with(&("x".repeat(242) + "_")) && a.ends_with(".mp3"), "{a}");
        assert_ne!(a[242..], b[242..]);

        let deep: Vec<String> = (0..70).map(|i| i.to_string()).collect();
        assert_eq!(RelPath::from_parts(deep.iter().map(|p| &**p)), Err(PathError::TooDeep));
        let path = clean(&deep.iter().map(|p| p.as_bytes()).collect::<Vec<_>>());
        assert!(
            path.starts_with("0/1/2/") && path.split('/').count() == 64 && path.contains("/62/69_"),
            "{path}"
        );

        let wide = ["z".repeat(200)];
        let wide: Vec<&[u8]> = wide.iter().cycle().take(30).map(|p| p.as_bytes()).collect();
        let path = clean(&wide);
        assert!(path.len() <= PATH && path.len() > PATH - 300, "{}", path.len());
        assert_ne!(path, clean(&wide[..29]));
    }

    proptest! {
        #[test]
        fn strangers_names_are_safe_and_stay(parts in prop::collection::vec(
            prop_oneof![prop::collection::vec(any::<u8>(), 0..300), "[a.:/ ]{0,4}|\\PC{0,90}|(con|com1)[. a]{0,3}".prop_map(String::into_bytes)],
            0..80,
        )) {
            if let Ok(path) = RelPath::sanitised(parts.iter().map(|part| &**part)) {
                // Safe by the strict rules, and made safe again it is the same.
                let again = RelPath::from_parts(path.parts());
                prop_assert_eq!(again.as_ref(), Ok(&path));
                let cleaned = RelPath::sanitised(path.parts().map(str::as_bytes));
                prop_assert_eq!(cleaned.as_ref(), Ok(&path));
            } else {
                prop_assert!(parts.iter().all(|part| matches!(&**part, b"" | b"." | b"..")));
            }
        }

        #[test]
        fn what_is_safe_is_kept(parts in prop::collection::vec("\\PC{1,12}", 1..8)) {
            if let Ok(path) = RelPath::from_parts(parts.iter().map(|part| &**part)) {
                prop_assert_eq!(RelPath::sanitised(parts.iter().map(|part| part.as_bytes())), Ok(path));
            }
        }
    }
}
