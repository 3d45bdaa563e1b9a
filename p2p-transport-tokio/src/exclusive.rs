//! A folder that is in use by one process at a time: [`Folder::exclusive`].

use crate::folder::Folder;
use std::fs::{File, TryLockError};
use std::{fmt, io};

/// Why a folder is not for this one alone.
#[derive(Debug)]
#[non_exhaustive]
pub enum NotExclusive {
    /// It is in use, by another process or another [`Folder`] of this one.
    InUse,
    /// It cannot be locked at all.
    Io(io::Error),
}

impl fmt::Display for NotExclusive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InUse => f.write_str("in use by another process"),
            Self::Io(error) => write!(f, "it cannot be locked: {error}"),
        }
    }
}

impl std::error::Error for NotExclusive {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::InUse => None,
            Self::Io(error) => Some(error),
        }
    }
}

impl Folder {
    /// Keeps everybody else who asks for the same out of its roots, until it is dropped or the process ends, however that
    /// ends. Who does not ask for it is not kept out: it is an advisory lock of each root itself (`flock`), and leaves no
    /// file behind.
    ///
    /// # Errors
    /// If somebody has one of the roots for itself already.
    pub fn exclusive(self) -> Result<Self, NotExclusive> {
        for root in self.roots() {
            // The lock belongs to the open folder, of which this is one more name.
            let root = root.try_clone_to_owned().map_err(NotExclusive::Io)?;
            File::from(root).try_lock().map_err(|error| match error {
                TryLockError::WouldBlock => NotExclusive::InUse,
                TryLockError::Error(error) => NotExclusive::Io(error),
            })?;
        }
        Ok(self)
    }
}
