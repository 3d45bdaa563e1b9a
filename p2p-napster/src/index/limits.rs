//! What strangers may make the index hold and do: [`Limits`], [`Refused`].

/// Bounds on what users can make an index hold, and on the work of one search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a name. Windows' longest path has 260 characters.
    pub name_bytes: usize,
    /// Words of a name: each is an entry in the list of a word. Real names have ten; 64 is a folder and a name of 260
    /// characters with words of four letters.
    pub words: usize,
    /// Files of one user, as `OpenNap` allows by default.
    pub files: usize,
    /// Words of a search, excluded ones too; those past it are ignored. People type five.
    pub search_words: usize,
    /// Candidates (files by their attributes, and holders) that one search may look at. Only one whose words are very
    /// common, and whose attributes or whose asker (through the callback) rule nearly everything out, gets there: it
    /// is then cut, and [`Found::complete`](super::Found::complete) says so. 100,000 take about a millisecond.
    pub search_steps: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { name_bytes: 1024, words: 64, files: 5_000, search_words: 32, search_steps: 100_000 }
    }
}

/// Why a file was not taken into the index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// The name has no byte.
    #[error("the file has no name")]
    Nameless,
    /// The name is longer than [`Limits::name_bytes`].
    #[error("the file's name is too long")]
    LongName,
    /// The name has more than [`Limits::words`].
    #[error("the file's name has too many words")]
    ManyWords,
    /// The user has [`Limits::files`] already.
    #[error("too many files are shared")]
    ManyFiles,
    /// The index has as many entries as it can number.
    #[error("the index is full")]
    Full,
}
