//! Why a program ends badly: one line for standard error.

use std::fmt;

/// Why a program ends badly, in one line. What strangers chose in it is escaped when it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure(String);

impl Failure {
    /// A failure with this reason.
    pub fn new(why: impl fmt::Display) -> Self {
        Self(why.to_string())
    }

    /// What turns an error into a failure that also says what was being done.
    pub fn during<E: fmt::Display>(what: impl fmt::Display) -> impl FnOnce(E) -> Self {
        move |error| Self(format!("{what}: {error}"))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        crate::escape::text_of(&self.0, 2_000).fmt(f)
    }
}

impl std::error::Error for Failure {}
