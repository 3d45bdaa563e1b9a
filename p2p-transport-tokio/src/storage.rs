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

    /// The files below a folder, all levels, in order of their paths; [`IoError::Limit`] if more than `limit`,
    /// [`IoError::NotFound`] if there is no such folder. Where folders are but parts of names, an empty one is none.
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
    files: Mutex<Files>,
    limit: u64,
}

#[derive(Debug)]
struct Files {
    by_name: BTreeMap<FileId, Vec<u8>>,
    /// Bytes in all of them.
    used: u64,
}

impl Memory {
    /// Room for `limit` bytes in all files together; past it writes fail with [`IoError::NoSpace`].
    #[must_use]
    pub const fn new(limit: u64) -> Self {
        Self { files: Mutex::new(Files { by_name: BTreeMap::new(), used: 0 }), limit }
    }
}

impl Files {
    fn get(&self, file: &FileId) -> Result<&Vec<u8>, IoError> {
        let no_file = || self.is_folder(file) || self.is_below_a_file(file);
        self.by_name.get(file).ok_or_else(|| if no_file() { IoError::NotAFile } else { IoError::NotFound })
    }

    /// Gives a file a length, made if it is not there.
    fn resize(&mut self, file: &FileId, len: u64, limit: u64) -> Result<&mut Vec<u8>, IoError> {
        let old = match self.by_name.get(file) {
            Some(data) => data.len() as u64,
            None if self.is_folder(file) || self.is_below_a_file(file) => return Err(IoError::NotAFile),
            None => 0,
        };
        let used =
            (self.used - old).checked_add(len).filter(|used| *used <= limit).ok_or(IoError::NoSpace)?;
        let len = usize::try_from(len).map_err(|_| IoError::NoSpace)?;
        self.used = used;
        let data = self.by_name.entry(file.clone()).or_default();
        data.resize(len, 0);
        Ok(data)
    }

    fn remove(&mut self, file: &FileId) -> Option<Vec<u8>> {
        let data = self.by_name.remove(file)?;
        self.used -= data.len() as u64;
        Some(data)
    }

    /// The files below a folder, by their paths from there.
    fn below<'a>(&'a self, dir: &'a FileId) -> impl Iterator<Item = (&'a str, &'a Vec<u8>)> {
        let name = dir.path().as_str();
        // Names that only begin like the folder's lie among those below it, in the order of their bytes.
        self.by_name
            .range(dir..)
            .take_while(move |(id, _)| id.root() == dir.root() && id.path().as_str().starts_with(name))
            .filter_map(move |(id, data)| {
                Some((id.path().as_str().strip_prefix(name)?.strip_prefix('/')?, data))
            })
    }

    fn is_folder(&self, file: &FileId) -> bool {
        self.below(file).next().is_some()
    }

    fn is_below_a_file(&self, file: &FileId) -> bool {
        let mut folders = file.path().folders();
        folders.any(|folder| self.by_name.contains_key(&FileId::new(file.root(), folder)))
    }
}

impl Storage for Memory {
    fn read(&self, file: &FileId, offset: u64, into: &mut [u8]) -> Result<(), IoError> {
        let files = lock(&self.files);
        let data = files.get(file)?;
        let start = usize::try_from(offset).map_err(|_| IoError::Short)?;
        let end = start.checked_add(into.len()).ok_or(IoError::Short)?;
        into.copy_from_slice(data.get(start..end).ok_or(IoError::Short)?);
        Ok(())
    }

    fn write(&self, file: &FileId, offset: u64, data: &[IoSlice<'_>]) -> Result<(), IoError> {
        let mut files = lock(&self.files);
        let len: u64 = data.iter().map(|part| part.len() as u64).sum();
        let end = offset.checked_add(len).ok_or(IoError::NoSpace)?;
        let old = files.by_name.get(file).map_or(0, |data| data.len() as u64);
        let target = files.resize(file, end.max(old), self.limit)?;
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
        let data = files.get(file)?;
        if data.len() as u64 > limit { Err(IoError::Limit) } else { Ok(Bytes::copy_from_slice(data)) }
    }

    fn replace(&self, file: &FileId, data: &[u8]) -> Result<(), IoError> {
        let mut files = lock(&self.files);
        files.resize(file, data.len() as u64, self.limit)?.copy_from_slice(data);
        Ok(())
    }

    fn sync(&self, file: &FileId) -> Result<(), IoError> {
        lock(&self.files).get(file).map(drop)
    }

    fn stat(&self, file: &FileId) -> Result<Option<Stat>, IoError> {
        match lock(&self.files).get(file) {
            Ok(data) => Ok(Some(stat_of(data))),
            Err(IoError::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn list(&self, dir: &FileId, limit: u32) -> Result<Vec<Entry>, IoError> {
        let files = lock(&self.files);
        if files.by_name.contains_key(dir) {
            return Err(IoError::NotAFile);
        }
        let mut entries = Vec::new();
        for (path, data) in files.below(dir) {
            if entries.len() >= limit as usize {
                return Err(IoError::Limit);
            }
            entries.push(Entry { path: path.to_owned(), stat: stat_of(data) });
        }
        if entries.is_empty() { Err(IoError::NotFound) } else { Ok(entries) }
    }

    fn rename(&self, from: &FileId, to: &FileId) -> Result<(), IoError> {
        if from.root() != to.root() {
            return Err(IoError::Unsupported);
        }
        let mut files = lock(&self.files);
        files.get(from)?;
        if files.is_folder(to) || files.is_below_a_file(to) {
            return Err(IoError::NotAFile);
        }
        if from != to {
            files.remove(to);
            // The bytes stay as many.
            if let Some(data) = files.by_name.remove(from) {
                files.by_name.insert(to.clone(), data);
            }
        }
        Ok(())
    }

    fn truncate(&self, file: &FileId, len: u64) -> Result<(), IoError> {
        lock(&self.files).resize(file, len, self.limit).map(drop)
    }

    fn remove(&self, file: &FileId) -> Result<(), IoError> {
        let mut files = lock(&self.files);
        if files.is_folder(file) {
            return Err(IoError::NotAFile);
        }
        files.remove(file);
        Ok(())
    }
}

fn stat_of(data: &[u8]) -> Stat {
    Stat { len: data.len() as u64, modified: UnixTime::default() }
}
