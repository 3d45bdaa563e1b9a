//! The server and the metaserver, as machines: inputs in, effects looked at.

pub(crate) mod capture;
mod chat;
mod flood;
mod hostile;
mod keeping;
mod login;
mod metaserver;
mod operators;
mod people;
mod replay;
pub(crate) mod rig;
mod search;
mod transfers;
mod zlib;
