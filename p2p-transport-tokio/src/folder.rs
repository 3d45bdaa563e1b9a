//! Files on disk below one or several root folders: [`Folder`].
//!
//! Every folder on the way to a file is opened relative to the one above it and no symbolic link is ever followed, so
//! that no name and no link that somebody planted below a root leads out of it.

use crate::error::io_error;
use crate::ready::lock;
use crate::storage::Storage;
use bytes::Bytes;
use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat, renameat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstatat, mkdirat};
use nix::sys::uio::pwritev;
use nix::unistd::{UnlinkatFlags, unlinkat};
use p2p_core::{Entry, FileId, IoError, Stat, UnixTime};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, IoSlice, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// Levels of folders below a root: what a list of files goes down to.
const DEPTH: usize = 64;

/// Files below one or several root folders.
#[derive(Debug)]
pub struct Folder {
    roots: Vec<OwnedFd>,
    open: Mutex<OpenFiles>,
    temporary: AtomicU64,
}

impl Folder {
    /// One root; it is made if it is not there.
    ///
    /// # Errors
    /// If it cannot be made or opened.
    pub fn new(root: impl AsRef<Path>) -> io::Result<Self> {
        Self::with_roots([root])
    }

    /// Several roots, in the order of their numbers ([`Root(0)`](p2p_core::Root) is the first).
    ///
    /// # Errors
    /// If one cannot be made or opened.
    pub fn with_roots(roots: impl IntoIterator<Item = impl AsRef<Path>>) -> io::Result<Self> {
        let mut opened = Vec::new();
        for root in roots {
            std::fs::create_dir_all(&root)?;
            opened.push(OwnedFd::from(File::open(root)?));
        }
        let open = Mutex::new(OpenFiles { files: BTreeMap::new(), clock: 0, most: 64 });
        Ok(Self { roots: opened, open, temporary: AtomicU64::new(0) })
    }

    /// Keeps at most so many files open between jobs. The default is 64.
    #[must_use]
    pub fn with_open_files(self, most: usize) -> Self {
        lock(&self.open).most = most.max(1);
        self
    }

    /// The roots, in order.
    pub(crate) fn roots(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.roots.iter().map(AsFd::as_fd)
    }

    fn root(&self, file: &FileId) -> Result<BorrowedFd<'_>, IoError> {
        self.roots.get(usize::from(file.root().0)).map(AsFd::as_fd).ok_or(IoError::NotFound)
    }

    /// The folder that holds a file, and the file's name in it.
    fn parent<'a>(&self, file: &'a FileId, make: bool) -> Result<(OwnedFd, &'a str), IoError> {
        let mut dir = self.root(file)?.try_clone_to_owned().map_err(|error| io_error(&error))?;
        let path = file.path().as_str();
        let (folders, name) = path.rsplit_once('/').unwrap_or(("", path));
        for part in folders.split('/').filter(|part| !part.is_empty()) {
            dir = enter(&dir, part, make)?;
        }
        Ok((dir, name))
    }

    fn file(&self, id: &FileId, access: Access) -> Result<Arc<File>, IoError> {
        if let Some(file) = lock(&self.open).get(id, access) {
            return Ok(file);
        }
        let (dir, name) = self.parent(id, access == Access::Write)?;
        let flags = match access {
            Access::Read => OFlag::O_RDONLY,
            Access::Write => OFlag::O_RDWR | OFlag::O_CREAT,
        };
        let file = Arc::new(open_file(&dir, name, flags)?);
        lock(&self.open).put(id, access, &file);
        Ok(file)
    }

    fn forget(&self, id: &FileId) {
        lock(&self.open).files.remove(id);
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Access {
    Read,
    Write,
}

/// The files used last stay open.
#[derive(Debug)]
struct OpenFiles {
    files: BTreeMap<FileId, (Arc<File>, Access, u64)>,
    clock: u64,
    most: usize,
}

impl OpenFiles {
    fn get(&mut self, id: &FileId, access: Access) -> Option<Arc<File>> {
        self.clock += 1;
        let (file, has, used) = self.files.get_mut(id)?;
        if *has < access {
            return None;
        }
        *used = self.clock;
        Some(Arc::clone(file))
    }

    fn put(&mut self, id: &FileId, access: Access, file: &Arc<File>) {
        if self.files.len() >= self.most && !self.files.contains_key(id) {
            // A scan of a short list, next to which opening a file is dear.
            let oldest = self.files.iter().min_by_key(|(_, (_, _, used))| *used).map(|(id, _)| id.clone());
            if let Some(oldest) = oldest {
                self.files.remove(&oldest);
            }
        }
        self.files.insert(id.clone(), (Arc::clone(file), access, self.clock));
    }
}

fn errno(error: Errno) -> IoError {
    match error {
        Errno::ELOOP => IoError::Outside,
        error => io_error(&error.into()),
    }
}

/// Opens the folder `name` in `dir`, and makes it before if asked.
fn enter(dir: &OwnedFd, name: &str, make: bool) -> Result<OwnedFd, IoError> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    match openat(dir, name, flags, Mode::empty()) {
        Err(Errno::ENOENT) if make => {
            match mkdirat(dir, name, Mode::from_bits_truncate(0o777)) {
                Ok(()) | Err(Errno::EEXIST) => {}
                Err(error) => return Err(errno(error)),
            }
            openat(dir, name, flags, Mode::empty()).map_err(errno)
        }
        // Linux says so of a link that it was told not to follow to a folder.
        Err(Errno::ENOTDIR) if is_link(dir, name) => Err(IoError::Outside),
        other => other.map_err(errno),
    }
}

fn open_file(dir: &OwnedFd, name: &str, flags: OFlag) -> Result<File, IoError> {
    // Not blocking, or opening a named pipe would wait for its other end.
    let flags = flags | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
    let file = File::from(openat(dir, name, flags, Mode::from_bits_truncate(0o666)).map_err(errno)?);
    let meta = file.metadata().map_err(|error| io_error(&error))?;
    if meta.is_file() { Ok(file) } else { Err(IoError::NotAFile) }
}

fn status(dir: &OwnedFd, name: &str) -> Result<FileStat, Errno> {
    fstatat(dir, name, AtFlags::AT_SYMLINK_NOFOLLOW)
}

fn kind(stat: &FileStat) -> SFlag {
    SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT
}

fn is_link(dir: &OwnedFd, name: &str) -> bool {
    status(dir, name).is_ok_and(|stat| kind(&stat) == SFlag::S_IFLNK)
}

fn stat_of(stat: &FileStat) -> Stat {
    let secs = u64::try_from(stat.st_mtime).unwrap_or(0);
    let nanos = u64::try_from(stat.st_mtime_nsec).unwrap_or(0);
    let modified = UnixTime::from_nanos(secs.saturating_mul(1_000_000_000).saturating_add(nanos));
    Stat { len: u64::try_from(stat.st_size).unwrap_or(0), modified }
}

fn walk(
    dir: &OwnedFd,
    above: &str,
    depth: usize,
    limit: usize,
    into: &mut Vec<Entry>,
) -> Result<(), IoError> {
    if depth == 0 {
        return Err(IoError::Limit);
    }
    let copy = dir.try_clone().map_err(|error| io_error(&error))?;
    let mut folders = Vec::new();
    for entry in Dir::from_fd(copy).map_err(errno)?.iter() {
        let entry = entry.map_err(errno)?;
        let Ok(name) = entry.file_name().to_str() else { return Err(IoError::BadName) };
        if matches!(name, "." | "..") {
            continue;
        }
        let stat = match status(dir, name) {
            Ok(stat) => stat,
            Err(Errno::ENOENT) => continue,
            Err(error) => return Err(errno(error)),
        };
        let path = if above.is_empty() { name.to_owned() } else { format!("{above}/{name}") };
        match kind(&stat) {
            SFlag::S_IFREG if into.len() >= limit => return Err(IoError::Limit),
            SFlag::S_IFREG => into.push(Entry { path, stat: stat_of(&stat) }),
            SFlag::S_IFDIR => folders.push((name.to_owned(), path)),
            _ => {}
        }
    }
    for (name, path) in folders {
        match enter(dir, &name, false) {
            Ok(folder) => walk(&folder, &path, depth - 1, limit, into)?,
            // It went while the list was made.
            Err(IoError::NotFound) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

impl Storage for Folder {
    fn read(&self, file: &FileId, offset: u64, into: &mut [u8]) -> Result<(), IoError> {
        let open = self.file(file, Access::Read)?;
        let end = offset.checked_add(into.len() as u64);
        if end.is_none_or(|end| i64::try_from(end).is_err()) {
            // No file reaches so far, and systems have no one word for it.
            return Err(IoError::Short);
        }
        open.read_exact_at(into, offset).map_err(|error| io_error(&error))
    }

    fn write(&self, id: &FileId, mut offset: u64, data: &[IoSlice<'_>]) -> Result<(), IoError> {
        let file = self.file(id, Access::Write)?;
        let mut rest: Vec<IoSlice<'_>> = data.iter().map(|part| IoSlice::new(part)).collect();
        let mut rest = rest.as_mut_slice();
        while !rest.is_empty() {
            let at = i64::try_from(offset).map_err(|_| IoError::NoSpace)?;
            // 64 parts: far below what any system takes at once.
            match pwritev(&*file, rest.get(..rest.len().min(64)).unwrap_or_default(), at) {
                Ok(0) => return Err(IoError::NoSpace),
                Ok(n) => {
                    offset += n as u64;
                    IoSlice::advance_slices(&mut rest, n);
                }
                Err(Errno::EINTR) => {}
                Err(error) => return Err(errno(error)),
            }
        }
        Ok(())
    }

    fn load(&self, file: &FileId, limit: u64) -> Result<Bytes, IoError> {
        let (dir, name) = self.parent(file, false)?;
        let file = open_file(&dir, name, OFlag::O_RDONLY)?;
        let len = file.metadata().map_err(|error| io_error(&error))?.len();
        if len > limit {
            return Err(IoError::Limit);
        }
        let mut data = Vec::with_capacity(usize::try_from(len).map_err(|_| IoError::Limit)?);
        // It may grow while it is read.
        file.take(limit.saturating_add(1)).read_to_end(&mut data).map_err(|error| io_error(&error))?;
        if data.len() as u64 > limit { Err(IoError::Limit) } else { Ok(data.into()) }
    }

    fn replace(&self, id: &FileId, data: &[u8]) -> Result<(), IoError> {
        let (dir, name) = self.parent(id, true)?;
        if status(&dir, name).is_ok_and(|stat| kind(&stat) == SFlag::S_IFDIR) {
            return Err(IoError::NotAFile);
        }
        // Short, as the name that it stands for may be as long as names can be.
        let number = self.temporary.fetch_add(1, Ordering::Relaxed);
        let temporary = format!(".{}-{number}.new", std::process::id());
        let done = (|| {
            let mut file = open_file(&dir, &temporary, OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_TRUNC)?;
            file.write_all(data).and_then(|()| file.sync_all()).map_err(|error| io_error(&error))?;
            renameat(&dir, temporary.as_str(), &dir, name).map_err(errno)?;
            nix::unistd::fsync(&dir).map_err(errno)
        })();
        if done.is_err() {
            let _ = unlinkat(&dir, temporary.as_str(), UnlinkatFlags::NoRemoveDir);
        }
        self.forget(id);
        done
    }

    fn sync(&self, file: &FileId) -> Result<(), IoError> {
        self.file(file, Access::Read)?.sync_all().map_err(|error| io_error(&error))
    }

    fn stat(&self, file: &FileId) -> Result<Option<Stat>, IoError> {
        let stat = self.parent(file, false).and_then(|(dir, name)| status(&dir, name).map_err(errno));
        match stat {
            Ok(stat) => match kind(&stat) {
                SFlag::S_IFREG => Ok(Some(stat_of(&stat))),
                SFlag::S_IFLNK => Err(IoError::Outside),
                _ => Err(IoError::NotAFile),
            },
            Err(IoError::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn list(&self, dir: &FileId, limit: u32) -> Result<Vec<Entry>, IoError> {
        let (parent, name) = self.parent(dir, false)?;
        let mut entries = Vec::new();
        walk(&enter(&parent, name, false)?, "", DEPTH, limit as usize, &mut entries)?;
        entries.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(entries)
    }

    fn rename(&self, from: &FileId, to: &FileId) -> Result<(), IoError> {
        if from.root() != to.root() {
            return Err(IoError::Unsupported);
        }
        let (from_dir, from_name) = self.parent(from, false)?;
        match kind(&status(&from_dir, from_name).map_err(errno)?) {
            SFlag::S_IFREG => {}
            SFlag::S_IFLNK => return Err(IoError::Outside),
            _ => return Err(IoError::NotAFile),
        }
        let (to_dir, to_name) = self.parent(to, true)?;
        self.forget(from);
        self.forget(to);
        renameat(&from_dir, from_name, &to_dir, to_name).map_err(errno)?;
        // Else a crash could bring the old name back, as it could not for `replace`.
        nix::unistd::fsync(&to_dir).map_err(errno)
    }

    fn truncate(&self, file: &FileId, len: u64) -> Result<(), IoError> {
        self.file(file, Access::Write)?.set_len(len).map_err(|error| io_error(&error))
    }

    fn remove(&self, file: &FileId) -> Result<(), IoError> {
        let found = self.parent(file, false);
        self.forget(file);
        let removed = found.and_then(|(dir, name)| match status(&dir, name) {
            // A link is not ours to remove.
            Ok(stat) if kind(&stat) == SFlag::S_IFLNK => Err(IoError::Outside),
            Ok(stat) if kind(&stat) == SFlag::S_IFDIR => Err(IoError::NotAFile),
            Ok(_) => unlinkat(&dir, name, UnlinkatFlags::NoRemoveDir).map_err(errno),
            Err(error) => Err(errno(error)),
        });
        match removed {
            Ok(()) | Err(IoError::NotFound) => {}
            Err(error) => return Err(error),
        }
        // Folders that became empty go, from the lowest up, until one is not.
        for folder in file.path().folders() {
            let folder = FileId::new(file.root(), folder);
            let Ok((dir, name)) = self.parent(&folder, false) else { break };
            if unlinkat(&dir, name, UnlinkatFlags::RemoveDir).is_err() {
                break;
            }
        }
        Ok(())
    }
}
