//! Reads torrent files, and finds the files in them that a person means.

use p2p_bittorrent::metainfo::{FileEntry, FileKind, Info, Limits, Metainfo};
use p2p_examples::arguments::fits;
use p2p_examples::{Failure, escape};
use std::fs::File;
use std::io::Read;
use std::sync::Arc;

/// The largest torrent file that is read: what the parser takes at the most, and one byte to see that there is more.
const MOST: u64 = (32 << 20) + 1;

/// Reads a torrent file.
pub(crate) fn torrent(from: &str) -> Result<Arc<Metainfo>, Failure> {
    if from.starts_with("magnet:") {
        let why =
            "magnet links need metadata from peers, which comes with a later release: give a .torrent file";
        return Err(Failure::new(why));
    }
    let mut bytes = Vec::new();
    File::open(from)
        .and_then(|file| file.take(MOST).read_to_end(&mut bytes))
        .map_err(Failure::during(format_args!("reading {from}")))?;
    let metainfo = Metainfo::parse(&bytes, &Limits::default())
        .map_err(Failure::during(format_args!("{from} is no torrent")))?;
    Ok(Arc::new(metainfo))
}

/// A file's path below the torrent's folder, or its name.
pub(crate) fn below(info: &Info, file: &FileEntry) -> String {
    let path = file.path.as_str();
    match path.split_once('/') {
        Some((_, below)) if info.is_folder() => below.into(),
        _ => path.into(),
    }
}

/// The files that fit one of the patterns, or all (`None`) if there are no patterns.
pub(crate) fn select(info: &Info, patterns: &[String]) -> Result<Option<Vec<u32>>, Failure> {
    if patterns.is_empty() {
        return Ok(None);
    }
    let mut chosen = vec![false; info.files().len()];
    for pattern in patterns {
        let mut any = false;
        for (file, chosen) in info.files().iter().zip(&mut chosen) {
            let fit = file.kind == FileKind::Data
                && (fits(pattern, &below(info, file)) || file.path.as_str() == pattern);
            *chosen |= fit;
            any |= fit;
        }
        if !any {
            return Err(Failure::new(format_args!("no file of the torrent fits {}", escape::name(pattern))));
        }
    }
    Ok(Some((0u32..).zip(chosen).filter_map(|(index, chosen)| chosen.then_some(index)).collect()))
}
