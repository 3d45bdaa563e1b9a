//! Where files lie: [`Storage`], and [`Memory`], which keeps them in memory.

use crate::ready::lock;
use bytes::Bytes;
use p2p_core::{Entry, FileId, IoError, Stat, UnixTime};
use std::collections::BTreeMap;
use std::io::IoSlice;
use std::sync::Mutex;

/// Where files lie. All methods may block; they are called on worker threads, several at a time.
pub trait Storage: Send + Sync + 'static {
    /// Fills `into` with the file's bytes from `offset` on; [`IoError::Short`] if the file ends before.
    ///
    /// # Errors
    /// If it cannot be read.
    fn read(&self, file: &FileId, offset: u64, into: &mut [u8]) -> Result<(), IoError>;

    /// Writes all of `data` at `offset`. Makes the file and its folders if they are not there.
    ///
    /// # Errors
    /// If not all of it could be written.
    fn write(&self, file: &FileId, offset: u64, data: &[IoSlice<'_>]) -> Result<(), IoError>;

    /// The whole file, if it has at most `limit` bytes; else [`IoError::Limit`].
    ///
    /// # Errors
    /// If it cannot be read.
    fn load(&self, file: &FileId, limit: u64) -> Result<Bytes, IoError>;

    /// Puts a whole file in place of what was there, at once or not at all, and on the device when it returns.
    ///
    /// # Errors
    /// If that could not be done; the old file is then as it was.
    fn replace(&self, file: &FileId, data: &[u8]) -> Result<(), IoError>;

    /// Waits until what was written to the file is on the device.
    ///
    /// # Errors
    /// If the device failed, or there is no such file.
    fn sync(&self, file: &FileId) -> Result<(), IoError>;

    /// Size and time of change; `None` if there is no such file.
    ///
    /// # Errors
    /// If it cannot be told.
    fn stat(&self, file: &FileId) -> Result<Option<Stat>, IoError>;

    /// The files below a folder, all levels, in order of their paths; [`IoError::Limit`] if more than `limit`.
    ///
    /// # Errors
    /// If the folder cannot be read.
    fn list(&self, dir: &FileId, limit: u32) -> Result<Vec<Entry>, IoError>;

    /// Renames a file within its root, over another if there is one; folders are made as needed.
    ///
    /// # Errors
    /// If it could not be renamed, or lies in another root ([`IoError::Unsupported`]).
    fn rename(&self, from: &FileId, to: &FileId) -> Result<(), IoError>;

    /// Gives a file this length, made if it is not there, filled with zeros.
    ///
    /// # Errors
    /// If it could not be made or has no room.
    fn truncate(&self, file: &FileId, len: u64) -> Result<(), IoError>;

    /// Removes a file if it is there, and folders above it that become empty.
    ///
    /// # Errors
    /// If it is there and could not be removed.
    fn remove(&self, file: &FileId) -> Result<(), IoError>;
}

/// Files in memory, for tests and for programs that keep nothing. Bounded in bytes.
#[derive(Debug)]
pub struct Memory {
    files: Mutex<BTreeMap<FileId, Vec<u8>>>,
    limit: u64,
}

impl Memory {
    /// Room for `limit` bytes in all files together; past it writes fail with [`IoError::NoSpace`].
    #[must_use]
    pub const fn new(limit: u64) -> Self {
        Self { files: Mutex::new(BTreeMap::new()), limit }
    }

    fn grow(&self, files: &mut BTreeMap<FileId, Vec<u8>>, file: &FileId, len: u64) -> Result<(), IoError> {
        let others: u64 = files.iter().filter(|(id, _)| *id != file).map(|(_, data)| data.len() as u64).sum();
        if others.saturating_add(len) > self.limit {
            return Err(IoError::NoSpace);
        }
        let len = usize::try_from(len).map_err(|_| IoError::NoSpace)?;
        files.entry(file.clone()).or_default().resize(len, 0);
        Ok(())
    }
}

impl Storage for Memory {
    fn read(&self, file: &FileId, offset: u64, into: &mut [u8]) -> Result<(), IoError> {
        let files = lock(&self.files);
        let data = files.get(file).ok_or(IoError::NotFound)?;
        let start = usize::try_from(offset).map_err(|_| IoError::Short)?;
        let end = start.checked_add(into.len()).ok_or(IoError::Short)?;
        into.copy_from_slice(data.get(start..end).ok_or(IoError::Short)?);
        Ok(())
    }

    fn write(&self, file: &FileId, offset: u64, data: &[IoSlice<'_>]) -> Result<(), IoError> {
        let mut files = lock(&self.files);
        let len: u64 = data.iter().map(|part| part.len() as u64).sum();
        let end = offset.checked_add(len).ok_or(IoError::NoSpace)?;
        if files.get(file).is_none_or(|old| (old.len() as u64) < end) {
            self.grow(&mut files, file, end)?;
        }
        let target = files.get_mut(file).ok_or(IoError::NotFound)?;
        let mut at = usize::try_from(offset).map_err(|_| IoError::NoSpace)?;
        for part in data {
            let into = target.get_mut(at..at + part.len()).ok_or(IoError::NoSpace)?;
            into.copy_from_slice(part);
            at += part.len();
        }
        Ok(())
    }

    fn load(&self, file: &FileId, limit: u64) -> Result<Bytes, IoError> {
        let files = lock(&self.files);
        let data = files.get(file).ok_or(IoError::NotFound)?;
        if data.len() as u64 > limit { Err(IoError::Limit) } else { Ok(Bytes::copy_from_slice(data)) }
    }

    fn replace(&self, file: &FileId, data: &[u8]) -> Result<(), IoError> {
        let mut files = lock(&self.files);
        self.grow(&mut files, file, data.len() as u64)?;
        files.insert(file.clone(), data.to_vec());
        Ok(())
    }

    fn sync(&self, file: &FileId) -> Result<(), IoError> {
        if lock(&self.files).contains_key(file) { Ok(()) } else { Err(IoError::NotFound) }
    }

    fn stat(&self, file: &FileId) -> Result<Option<Stat>, IoError> {
        let files = lock(&self.files);
        Ok(files.get(file).map(|data| Stat { len: data.len() as u64, modified: UnixTime::default() }))
    }

    fn list(&self, dir: &FileId, limit: u32) -> Result<Vec<Entry>, IoError> {
        let files = lock(&self.files);
        let mut entries = Vec::new();
        for (file, data) in files.iter().filter(|(file, _)| file.root() == dir.root()) {
            let below = file.path().as_str().strip_prefix(dir.path().as_str());
            let Some(path) = below.and_then(|below| below.strip_prefix('/')) else { continue };
            if entries.len() >= limit as usize {
                return Err(IoError::Limit);
            }
            let stat = Stat { len: data.len() as u64, modified: UnixTime::default() };
            entries.push(Entry { path: path.to_owned(), stat });
        }
        Ok(entries)
    }

    fn rename(&self, from: &FileId, to: &FileId) -> Result<(), IoError> {
        if from.root() != to.root() {
            return Err(IoError::Unsupported);
        }
        let mut files = lock(&self.files);
        let data = files.remove(from).ok_or(IoError::NotFound)?;
        files.insert(to.clone(), data);
        Ok(())
    }

    fn truncate(&self, file: &FileId, len: u64) -> Result<(), IoError> {
        self.grow(&mut lock(&self.files), file, len)
    }

    fn remove(&self, file: &FileId) -> Result<(), IoError> {
        lock(&self.files).remove(file);
        Ok(())
    }
}
