//! A machine that does what it is told and tells what it hears, and the hand that moves it.

use super::soon;
use p2p_core::{ConnId, Cx, Input, IoError, ListenerId, Machine, OpInput, StreamInput};
use p2p_transport_tokio::{Options, Running, spawn};
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

/// One input as it was heard.
pub(crate) type Heard = Input<Puppet>;

/// Does what it is told, tells what it hears, and reacts at once where it was built to.
#[derive(Default)]
pub(crate) struct Puppet {
    /// What it does at an input, before it tells of it.
    react: Option<fn(&Heard, &mut Cx<'_, Self>)>,
    /// Stays when it is asked to stop.
    pub(crate) stubborn: bool,
}

type Deed = dyn Fn(&mut Cx<'_, Puppet>) + Send + Sync;

/// Something to do.
#[derive(Clone)]
pub(crate) struct Do(Arc<Deed>);

impl Do {
    pub(crate) fn nothing() -> Self {
        Self(Arc::new(|_| ()))
    }
}

impl fmt::Debug for Do {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Do")
    }
}

/// It never fails.
#[derive(Debug, thiserror::Error)]
#[error("never")]
pub(crate) enum Never {}

impl Machine for Puppet {
    type Command = Do;
    type Event = Heard;
    type Error = Never;
    type Timer = u32;

    fn handle(&mut self, input: Heard, cx: &mut Cx<'_, Self>) {
        if let Some(react) = self.react {
            react(&input, cx);
        }
        match input {
            Input::Start => {}
            Input::Op(op, OpInput::Ask(Do(deed))) => {
                deed(cx);
                cx.finish(op, Ok(()));
            }
            Input::Stop if !self.stubborn => cx.halt(),
            heard => cx.tell(heard),
        }
    }
}

impl Puppet {
    pub(crate) fn stubborn() -> Self {
        Self { react: None, stubborn: true }
    }

    pub(crate) fn reacting(react: fn(&Heard, &mut Cx<'_, Self>)) -> Self {
        Self { react: Some(react), stubborn: false }
    }
}

/// Moves a puppet, and hears what it tells.
pub(crate) struct Hand {
    pub(crate) running: Running<Puppet>,
}

impl Hand {
    pub(crate) fn new(options: Options) -> Self {
        Self::of(Puppet::default(), options)
    }

    pub(crate) fn of(puppet: Puppet, mut options: Options) -> Self {
        options.desk.news = 1 << 20;
        Self { running: spawn(puppet, options) }
    }

    /// Has something done, and waits until it is; returns what it made.
    pub(crate) async fn make<T: Send + 'static>(
        &self,
        deed: impl Fn(&mut Cx<'_, Puppet>) -> T + Send + Sync + 'static,
    ) -> T {
        let made = Arc::new(Mutex::new(None));
        let place = Arc::clone(&made);
        let deed = Do(Arc::new(move |cx: &mut Cx<'_, Puppet>| *place.lock().unwrap() = Some(deed(cx))));
        self.running.node.run(deed).await.unwrap();
        let made = made.lock().unwrap().take();
        made.unwrap()
    }

    /// The next thing it hears.
    pub(crate) async fn next(&mut self) -> Heard {
        soon("another input", self.running.news.next()).await.expect("the puppet still runs")
    }

    /// The next thing that `pick` takes; all before it goes by.
    pub(crate) async fn until<T>(&mut self, mut pick: impl FnMut(Heard) -> Option<T>) -> T {
        loop {
            if let Some(found) = pick(self.next().await) {
                return found;
            }
        }
    }

    /// Listens, and says where.
    pub(crate) async fn listen(&mut self, at: SocketAddr) -> (ListenerId, SocketAddr) {
        let listener = self.make(move |cx| cx.listen(at)).await;
        let bound = self.listened(listener).await.unwrap();
        (listener, bound)
    }

    /// The next word of a listener.
    pub(crate) async fn listened(&mut self, listener: ListenerId) -> Result<SocketAddr, IoError> {
        self.until(|heard| match heard {
            Input::Listener(id, at) if id == listener => Some(at),
            _ => None,
        })
        .await
    }

    /// The next stream that opens.
    pub(crate) async fn opened(&mut self) -> ConnId {
        self.until(|heard| match heard {
            Input::Stream(conn, StreamInput::Open { .. }) => Some(conn),
            _ => None,
        })
        .await
    }

    /// How a stream ends.
    pub(crate) async fn closed(&mut self, conn: ConnId) -> Result<(), IoError> {
        self.until(|heard| match heard {
            Input::Stream(id, StreamInput::Closed(result)) if id == conn => Some(result),
            _ => None,
        })
        .await
    }

    /// All that a stream brings until there are `len` bytes.
    pub(crate) async fn bytes(&mut self, conn: ConnId, len: usize) -> Vec<u8> {
        let mut all = Vec::new();
        while all.len() < len {
            let data = self.until(|heard| match heard {
                Input::Stream(id, StreamInput::Data(data)) if id == conn => Some(data),
                Input::Stream(id, StreamInput::Closed(result)) if id == conn => {
                    panic!("closed ({result:?}) after too few bytes")
                }
                _ => None,
            });
            all.extend_from_slice(&data.await);
        }
        all
    }

    /// Gives the driver many turns, so that whatever it could have said by now, it has.
    pub(crate) async fn settle(&self) {
        for _ in 0..100 {
            self.make(|_| ()).await;
            tokio::task::yield_now().await;
        }
    }

    /// What was heard and not asked for yet.
    pub(crate) fn rest(&mut self) -> Vec<Heard> {
        std::iter::from_fn(|| self.running.news.try_next()).collect()
    }
}
