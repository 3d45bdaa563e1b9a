//! What a file of a stranger's name is called here: [`base`], [`target`] and [`part`].
//!
//! Names on the wire are paths of the sharer's machine in any charset, with either separator. Only the last part is
//! used, and what would mean something to this machine is changed, so that no name leads out of the download folder.

use alloc::format;
use alloc::string::String;
use p2p_core::RelPath;

/// The last part of a name: what follows the last `/` or `\`. `SEND` of some clients says only this.
#[must_use]
pub fn base(name: &[u8]) -> &[u8] {
    name.rsplit(|byte| matches!(byte, b'/' | b'\\')).next().unwrap_or(name)
}

/// What a shared file of this name is called in the download folder, before it is compared with what is there already.
/// `text` turns the bytes of a name into characters.
#[must_use]
pub fn target(name: &[u8], text: impl Fn(&[u8]) -> String) -> RelPath {
    let mut own = text(base(name));
    // No hidden file, and nothing that a shell reads at its start.
    if own.starts_with('.') {
        own.replace_range(..1, "_");
    }
    RelPath::sanitised([own.as_bytes()]).unwrap_or_else(|_| nameless())
}

/// What a file is called until all of it is here. The size, if it is known, tells apart files of one name.
#[must_use]
pub fn part(target: &RelPath, size: Option<u64>) -> RelPath {
    match size {
        Some(size) => aside(target, &format!(".{size}.part")),
        None => aside(target, ".part"),
    }
}

/// What the file beside a part, or a range, is called that says how much of it is safe.
#[must_use]
pub fn mark(part: &RelPath) -> RelPath {
    aside(part, ".kept")
}

/// What a range of a file is called, from `base` on, until it is joined with what is before it.
#[must_use]
pub fn range(target: &RelPath, size: u64, base: u64) -> RelPath {
    aside(target, &format!(".{size}.{base}.part"))
}

/// The same name with a number, if others of this name are there already.
#[must_use]
pub fn numbered(target: &RelPath, number: u32) -> RelPath {
    let name = target.as_str();
    let at = name.rfind('.').filter(|at| *at > 0 && !name[*at..].contains('/')).unwrap_or(name.len());
    let (stem, ending) = name.split_at(at);
    rejoined(&format!("{stem} ({number}){ending}"))
}

fn aside(target: &RelPath, ending: &str) -> RelPath {
    rejoined(&format!("{target}{ending}"))
}

fn rejoined(path: &str) -> RelPath {
    RelPath::sanitised(path.split('/').map(str::as_bytes)).unwrap_or_else(|_| nameless())
}

fn nameless() -> RelPath {
    match RelPath::sanitised([b"unnamed".as_slice()]) {
        Ok(path) => path,
        Err(_) => unreachable!("a plain word is a path"),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    fn of(name: &[u8]) -> String {
        target(name, |bytes| String::from_utf8_lossy(bytes).into_owned()).to_string()
    }

    #[test]
    fn plain_names_stay() {
        assert_eq!(of(br"C:\music\Band - Song.mp3"), "Band - Song.mp3");
        assert_eq!(of(b"/home/me/song.mp3"), "song.mp3");
        assert_eq!(of("Müller.mp3".as_bytes()), "Müller.mp3");
    }

    #[test]
    fn no_name_leads_out() {
        for name in
            [br"Z:\nap\../../evil.mp3".as_slice(), b"/abs/evil.mp3", br"C:\..\..\evil.mp3", b"../evil.mp3"]
        {
            assert_eq!(of(name), "evil.mp3");
        }
        for name in [
            b"..".as_slice(),
            b"a/..",
            b".",
            b"",
            b"a/",
            br"a\",
            b"\x1b[2J",
            b"a\0b",
            b"CON",
            b"end.",
            b"end ",
        ] {
            let path = of(name);
            assert!(!path.contains('/') && path != ".." && path != ".", "{name:?} became {path:?}");
            assert!(!path.chars().any(char::is_control), "{name:?} became {path:?}");
            assert!(!path.ends_with(['.', ' ']), "{name:?} became {path:?}");
            assert_ne!(path, "CON");
        }
        assert_eq!(of(b"/home/me/.bashrc"), "_bashrc");
    }

    #[test]
    fn long_names_are_cut_and_keep_their_ending() {
        let mut name = alloc::vec![b'x'; 300];
        name.extend_from_slice(b".mp3");
        let path = of(&name);
        assert!(path.len() <= 255 && path.ends_with(".mp3"));
        let part = part(&target(&name, |bytes| String::from_utf8_lossy(bytes).into_owned()), Some(7));
        assert!(part.as_str().len() <= 255 && part.as_str() != path);
    }

    #[test]
    fn numbers_go_before_the_ending() {
        let path = RelPath::from_parts(["song.mp3"]).unwrap();
        assert_eq!(numbered(&path, 2).as_str(), "song (2).mp3");
        assert_eq!(numbered(&RelPath::from_parts(["song"]).unwrap(), 3).as_str(), "song (3)");
        assert_eq!(part(&path, Some(40_000)).as_str(), "song.mp3.40000.part");
    }
}
