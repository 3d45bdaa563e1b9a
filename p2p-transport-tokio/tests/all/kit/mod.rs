//! What the tests share: a machine that does what it is told, one that echoes, doubles of the network and of a disk.

mod echo;
mod gate;
mod puppet;
mod wires;

pub(crate) use echo::{Echo, Served};
pub(crate) use gate::Gate;
pub(crate) use puppet::{Do, Hand, Heard, Never, Puppet};
pub(crate) use wires::Wires;

use p2p_core::{Duration, FileId, RelPath, Root};
use std::future::Future;
use std::net::SocketAddr;

/// Any free port of the loopback interface.
pub(crate) fn local() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

/// A file of the first root.
pub(crate) fn file(path: &str) -> FileId {
    FileId::new(Root(0), RelPath::from_parts(path.split('/')).unwrap())
}

/// Bytes that differ from place to place and from `salt` to `salt`.
pub(crate) fn pattern(salt: u64, len: usize) -> Vec<u8> {
    let mut state = salt.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        bytes.extend_from_slice(&(state >> 8).to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

/// Fails a test that hangs. No test waits for this to pass.
pub(crate) async fn soon<T>(what: &str, done: impl Future<Output = T>) -> T {
    match tokio::time::timeout(Duration::from_secs(300), done).await {
        Ok(done) => done,
        Err(_) => panic!("this never came: {what}"),
    }
}
