//! A connector without a network: what is dialled becomes a pipe of a known size, or nothing, ever.

use p2p_core::{IoError, Target};
use p2p_transport_tokio::{Connector, Opening, Stream};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{DuplexStream, duplex};
use tokio::sync::mpsc;

#[derive(Debug, Default)]
struct Tally {
    under_way: AtomicUsize,
    most: AtomicUsize,
    all: AtomicUsize,
}

/// The far ends of what was dialled, and the counts of dials.
#[derive(Debug)]
pub(crate) struct Dialled {
    ends: mpsc::Receiver<DuplexStream>,
    tally: Arc<Tally>,
}

impl Dialled {
    /// The far end of the next pipe.
    pub(crate) async fn end(&mut self) -> DuplexStream {
        self.ends.recv().await.unwrap()
    }

    /// Dials that were under way at once, at most.
    pub(crate) fn most(&self) -> usize {
        self.tally.most.load(Ordering::SeqCst)
    }

    /// Dials in all.
    pub(crate) fn all(&self) -> usize {
        self.tally.all.load(Ordering::SeqCst)
    }
}

/// Makes pipes that hold `size` bytes each way; with `size` 0, dials that never end.
#[derive(Debug)]
pub(crate) struct Wires {
    size: usize,
    ends: mpsc::Sender<DuplexStream>,
    tally: Arc<Tally>,
}

impl Wires {
    pub(crate) fn new(size: usize) -> (Self, Dialled) {
        let (sender, ends) = mpsc::channel(64);
        let tally = Arc::new(Tally::default());
        (Self { size, ends: sender, tally: Arc::clone(&tally) }, Dialled { ends, tally })
    }
}

struct UnderWay(Arc<Tally>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Connector for Wires {
    fn dial(&self, to: Target) -> Opening<(Stream, SocketAddr)> {
        let (size, ends, tally) = (self.size, self.ends.clone(), Arc::clone(&self.tally));
        Box::pin(async move {
            // Counted when it is polled first: when the driver begins it.
            tally.all.fetch_add(1, Ordering::SeqCst);
            let now = tally.under_way.fetch_add(1, Ordering::SeqCst) + 1;
            tally.most.fetch_max(now, Ordering::SeqCst);
            let _under_way = UnderWay(Arc::clone(&tally));
            let Target::Addr(peer) = to else { return Err(IoError::Unresolved) };
            if size == 0 {
                std::future::pending::<()>().await;
            }
            let (near, far) = duplex(size);
            ends.send(far).await.map_err(|_| IoError::Refused)?;
            Ok((Stream::new(near), peer))
        })
    }
}
