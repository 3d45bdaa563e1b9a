//! Clean stops: the first interrupt asks, the second one ends the program at once.

use crate::program::INTERRUPTED;
use std::time::Duration;
use tokio::sync::watch;

/// Signals that follow the first one so closely are the same wish: `timeout` and terminals send one to the process and
/// another to its group.
const SAME: Duration = Duration::from_millis(500);

/// Whether somebody asked the program to stop.
#[derive(Debug, Clone)]
pub struct Stop {
    asked: watch::Receiver<bool>,
}

impl Stop {
    /// Listens for Ctrl-C (and on Unix for `SIGTERM`) from here on. Must be called within a runtime.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn install() -> std::io::Result<Self> {
        let (tell, asked) = watch::channel(false);
        let mut signals = Signals::new()?;
        tokio::spawn(async move {
            signals.next().await;
            let _ = tell.send(true);
            let same = tokio::time::sleep(SAME);
            tokio::pin!(same);
            loop {
                tokio::select! {
                    () = &mut same => break,
                    () = signals.next() => {}
                }
            }
            signals.next().await;
            std::process::exit(INTERRUPTED.into());
        });
        Ok(Self { asked })
    }

    /// Ready once somebody asked.
    pub async fn asked(&self) {
        let mut asked = self.asked.clone();
        if asked.wait_for(|asked| *asked).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    #[allow(clippy::unnecessary_wraps)]
    fn new() -> std::io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
