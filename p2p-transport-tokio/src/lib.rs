#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod begun;
mod conn;
mod connector;
mod datagram;
mod driver;
mod error;
#[cfg(unix)]
mod exclusive;
#[cfg(unix)]
mod folder;
mod interface;
mod options;
mod ready;
mod receive;
mod storage;
mod timers;
#[cfg(feature = "tls")]
mod tls;
mod work;

pub use connector::{Connector, Duplex, Opening, Plain, Stream, dial_tcp};
pub use error::io_error;
#[cfg(unix)]
pub use exclusive::NotExclusive;
#[cfg(unix)]
pub use folder::Folder;
pub use interface::interface_at;
pub use options::{Civil, Options, Rate};
pub use storage::{Memory, Storage};
#[cfg(feature = "tls")]
pub use tls::Tls;
/// The version of rustls that [`Tls`] takes its configurations from.
#[cfg(feature = "tls")]
pub use tokio_rustls::rustls;

use driver::Driver;
use p2p_core::Machine;
use p2p_core::node::{News, Node, desk};
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// What a driver dropped or refused since it began.
#[derive(Debug, Default)]
pub struct Counts {
    /// Datagrams that were to be sent and found no room, or were refused by the system.
    pub datagrams_dropped: AtomicU64,
    /// Accepted streams that were reset: too many from one address, or not secured.
    pub streams_refused: AtomicU64,
    /// Multicast groups that could not be joined.
    pub groups_refused: AtomicU64,
}

/// A machine that runs in a task of its own. Dropping this stops it too, in the background.
#[derive(Debug)]
pub struct Running<M: Machine> {
    /// The handle to ask it for things; clone it freely.
    pub node: Node<M>,
    /// What it tells nobody in particular.
    pub news: News<M::Event>,
    /// What its driver dropped or refused.
    pub counts: Arc<Counts>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<M>,
}

impl<M: Machine> Running<M> {
    /// Stops the machine: it is told so, says good-bye within [`Options::grace`], what is queued is sent and what is
    /// being written is written within [`Options::linger`], and it is handed back.
    ///
    /// # Panics
    /// If the machine panicked, or its runtime was shut down.
    pub async fn stop(self) -> M {
        let Self { stop, task, .. } = self;
        // It may have halted by itself.
        let _ = stop.send(());
        joined(task).await
    }

    /// Waits until the machine halts by itself, and hands it back.
    ///
    /// # Panics
    /// If the machine panicked, or its runtime was shut down.
    pub async fn halted(self) -> M {
        let Self { stop, task, .. } = self;
        let machine = joined(task).await;
        drop(stop);
        machine
    }
}

async fn joined<M>(task: JoinHandle<M>) -> M {
    match task.await {
        Ok(machine) => machine,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(error) => panic!("the task of a machine was ended: {error}"),
        },
    }
}

/// Runs a machine in a task of its own on the current runtime, which must have I/O and time enabled.
///
/// # Panics
/// Outside of a tokio runtime.
pub fn spawn<M: Machine>(machine: M, options: Options) -> Running<M> {
    let (stop, stopped) = oneshot::channel();
    let (node, news, counts, run) = prepare(machine, options, async move {
        // A dropped sender stops the machine as well.
        let _ = stopped.await;
    });
    Running { node, news, counts, stop, task: tokio::spawn(run) }
}

/// The same loop as a future, for those who want no task: it is to be polled in a tokio runtime, stops the machine
/// when `shutdown` is ready, and hands it back.
pub fn drive<M: Machine>(
    machine: M,
    options: Options,
    shutdown: impl Future<Output = ()> + Send,
) -> (Node<M>, News<M::Event>, impl Future<Output = M> + Send) {
    let (node, news, _, run) = prepare(machine, options, shutdown);
    (node, news, run)
}

fn prepare<M: Machine, S: Future<Output = ()> + Send>(
    machine: M,
    options: Options,
    stop: S,
) -> (Node<M>, News<M::Event>, Arc<Counts>, impl Future<Output = M> + Send + use<M, S>) {
    let (node, news, desk) = desk(options.desk);
    let counts = Arc::new(Counts::default());
    let shared = Arc::clone(&counts);
    // Its own turns bound what it does between two yields; a second budget beneath it would only cost polls.
    let run =
        tokio::task::unconstrained(
            async move { Driver::new(machine, desk, options, shared).run(stop).await },
        );
    (node, news, counts, run)
}
