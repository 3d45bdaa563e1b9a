//! Docs follow.
