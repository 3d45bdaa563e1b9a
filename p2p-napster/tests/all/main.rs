//! All tests of the crate's behaviour, in one program.
#![allow(clippy::unwrap_used, missing_docs)]

mod server;
