//! Names of stored files: [`RelPath`], the only way from a stranger's name to a file, and [`FileId`].

use alloc::string::String;
use alloc::sync::Arc;
use core::fmt;

/// A relative path of safe parts joined by `/`.
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
    /// A separator, NUL or control character.
    #[error("forbidden character in name")]
    Forbidden,
    /// Longer than file systems take.
    #[error("name too long")]
    TooLong,
}

impl RelPath {
    /// A path of these parts, each of which must be safe as it is.
    ///
    /// # Errors
    /// If a part is not safe.
    pub fn from_parts<'a>(parts: impl IntoIterator<Item = &'a str>) -> Result<Self, PathError> {
        let mut path = String::new();
        for part in parts {
            match part {
                "" => return Err(PathError::Empty),
                "." | ".." => return Err(PathError::Escapes),
                _ if part.contains(['/', '\\', '\0']) => return Err(PathError::Forbidden),
                _ if part.len() > 255 => return Err(PathError::TooLong),
                _ => {}
            }
            if !path.is_empty() {
                path.push('/');
            }
            path.push_str(part);
        }
        if path.is_empty() { Err(PathError::Empty) } else { Ok(Self(path.into())) }
    }

    /// The parts joined by `/`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

/// One of the folders that a driver's storage was given; 0 is the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Root(pub u16);

impl Root {
    /// The root of padding: what is read from it is zeros, what is written to it vanishes.
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

    /// The file of the root of zeros.
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
