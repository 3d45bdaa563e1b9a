//! Lists the files of a torrent: `recipes list_files FILE.torrent`.
use p2p_bittorrent::metainfo::{Limits, Metainfo};
use std::error::Error;

pub(crate) fn run() -> Result<(), Box<dyn Error>> {
    let file = std::env::args().nth(2).ok_or("which torrent?")?;
    let metainfo = Metainfo::parse(&std::fs::read(file)?, &Limits::default())?;
    for file in metainfo.info.files() {
        // A stranger chose the names: `Debug` escapes them.
        eprintln!("{:>15}  {:?}", file.len, file.path);
    }
    Ok(())
}
