//! The files below a folder, and what is told of each.

use crate::mp3;
use p2p_core::{FileId, RelPath, Root};
use p2p_examples::Failure;
use p2p_napster::client::{Media, SharedFile};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The deepest folder that is looked into.
const DEPTH: usize = 32;
/// The most files: what the largest of servers takes of one user, and more.
const FILES: usize = 100_000;
/// The longest name that fits a message.
const NAME: usize = 1_900;

/// What is below a folder.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) files: Vec<File>,
    /// Paths that cannot be shared, and why.
    pub(crate) left_out: Vec<(String, &'static str)>,
}

/// A file to be shared.
#[derive(Debug)]
pub(crate) struct File {
    /// Its path below the folder, parts joined by `/`.
    pub(crate) below: String,
    path: RelPath,
}

/// Looks for files, in order of their names. Links are not followed: they may lead out of the folder. Names that begin
/// with a dot are nobody's business.
pub(crate) fn files(dir: &Path) -> Result<Found, Failure> {
    let mut found = Found::default();
    look(dir, &mut Vec::new(), &mut found).map_err(Failure::during(dir.display()))?;
    Ok(found)
}

fn look(dir: &Path, parts: &mut Vec<String>, found: &mut Found) -> io::Result<()> {
    let mut entries: Vec<fs::DirEntry> = fs::read_dir(dir)?.collect::<io::Result<_>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name();
        if name.as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let kind = entry.file_type()?;
        let shown = || entry.path().display().to_string();
        let Some(name) = name.to_str() else {
            found.left_out.push((shown(), "its name is not Unicode"));
            continue;
        };
        parts.push(name.to_owned());
        if kind.is_dir() {
            if parts.len() >= DEPTH {
                found.left_out.push((shown(), "too deep"));
            } else if let Err(error) = look(&entry.path(), parts, found) {
                // A folder that may not be read is no reason to share nothing.
                let why =
                    if error.kind() == io::ErrorKind::PermissionDenied { "not allowed" } else { "failed" };
                found.left_out.push((shown(), why));
            }
        } else if kind.is_file() {
            let below = parts.join("/");
            match RelPath::local(parts.iter().map(String::as_str)) {
                _ if found.files.len() >= FILES => found.left_out.push((shown(), "there are too many files")),
                Ok(path) if below.len() <= NAME => found.files.push(File { below, path }),
                _ => found.left_out.push((shown(), "its name is too long")),
            }
        } else {
            found.left_out.push((shown(), "neither a file nor a folder"));
        }
        parts.pop();
    }
    Ok(())
}

impl File {
    /// What is told of it: by custom its path with backslashes.
    pub(crate) fn describe(&self, dir: &Path) -> io::Result<SharedFile> {
        let at: PathBuf = dir.join(self.path.as_str());
        let size = fs::metadata(&at)?.len();
        let file = FileId::new(Root(0), self.path.clone());
        let mut shared = SharedFile::new(self.below.replace('/', "\\").into_bytes(), file);
        shared.size = Some(size);
        shared.media = media(&self.below);
        (shared.bitrate, shared.frequency, shared.seconds) = (0, 0, 0);
        if shared.media == Media::Mp3
            && let Some(sound) = mp3::look(&at, size)?
        {
            (shared.bitrate, shared.frequency, shared.seconds) =
                (sound.bitrate, sound.frequency, sound.seconds);
        }
        Ok(shared)
    }
}

/// What a file is, by the end of its name.
fn media(name: &str) -> Media {
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending).to_ascii_lowercase();
    match ending.as_str() {
        "mp3" => Media::Mp3,
        "aac" | "aiff" | "au" | "flac" | "m4a" | "mid" | "ogg" | "opus" | "wav" | "wma" => Media::Audio,
        "asf" | "avi" | "m4v" | "mkv" | "mov" | "mp4" | "mpeg" | "mpg" | "ogv" | "webm" | "wmv" => {
            Media::Video
        }
        "bmp" | "gif" | "jpeg" | "jpg" | "png" | "svg" | "tif" | "tiff" | "webp" => Media::Image,
        "csv" | "doc" | "epub" | "htm" | "html" | "md" | "nfo" | "odt" | "pdf" | "rtf" | "txt" => Media::Text,
        // Programs, archives and whatever else: the protocol has no other word.
        _ => Media::Application,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_files_are() {
        assert_eq!(media("a/Song.MP3"), Media::Mp3);
        assert_eq!(media("a.b/c"), Media::Application);
        assert_eq!(media("x.ogg"), Media::Audio);
    }
}
