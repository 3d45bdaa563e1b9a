//! The folders that are shared, as a servent knows them: each is one of a root, which is the folder around it.

use p2p_core::{FileId, RelPath, Root};
use p2p_examples::Failure;
use std::fs;
use std::path::{Path, PathBuf};

/// Roots, and what lies in them.
#[derive(Debug, Default)]
pub(crate) struct Shares {
    pub(crate) roots: Vec<PathBuf>,
}

impl Shares {
    /// Adds a folder that must be there.
    pub(crate) fn add(&mut self, folder: &Path) -> Result<FileId, Failure> {
        let shown = || folder.display();
        let whole = fs::canonicalize(folder).map_err(Failure::during(shown()))?;
        if !whole.is_dir() {
            return Err(Failure::new(format_args!("{} is no folder", shown())));
        }
        let (Some(around), Some(name)) = (whole.parent(), whole.file_name()) else {
            return Err(Failure::new(format_args!("{}: all of a disk is not shared", shown())));
        };
        let name = name
            .to_str()
            .ok_or_else(|| Failure::new(format_args!("{}: its name is not Unicode", shown())))?;
        let path = RelPath::local([name]).map_err(Failure::during(shown()))?;
        Ok(FileId::new(self.root(around.to_owned())?, path))
    }

    /// Adds a folder of our own, made if it is not there.
    pub(crate) fn add_own(&mut self, folder: &Path) -> Result<FileId, Failure> {
        fs::create_dir_all(folder).map_err(Failure::during(folder.display()))?;
        self.add(folder)
    }

    fn root(&mut self, path: PathBuf) -> Result<Root, Failure> {
        let at = self.roots.iter().position(|root| *root == path).unwrap_or_else(|| {
            self.roots.push(path);
            self.roots.len() - 1
        });
        Ok(Root(u16::try_from(at).map_err(|_| Failure::new("too many folders"))?))
    }
}
