//! The addresses of other servents, from run to run: a file of lines.

use crate::session::Session;
use p2p_core::Bytes;
use p2p_examples::{Failure, Output};
use p2p_gnutella::servent::{Command, Event};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The file's name in the folder of what is kept.
const NAME: &str = "hosts";

/// The host cache on the disk.
pub(crate) struct Hosts {
    path: PathBuf,
    /// Whether somebody was told that it cannot be written.
    complained: bool,
}

impl Hosts {
    pub(crate) fn new(state: &Path) -> Self {
        Self { path: state.join(NAME), complained: false }
    }

    /// Gives a servent what was kept; whether there is any of it.
    pub(crate) async fn remember(&self, session: &Session) -> Result<bool, Failure> {
        let text = match fs::read(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(Failure::during(self.path.display())(error)),
        };
        let any = !text.is_empty();
        session.answers(Command::Remember(Bytes::from(text))).await?;
        Ok(any)
    }

    /// Keeps what a servent knows. Should that fail, it is said once and goes on.
    pub(crate) async fn keep(&mut self, session: &Session, out: &mut Output) -> Result<(), Failure> {
        let text = session.answers(Command::Hosts).await?.into_iter().find_map(|event| match event {
            Event::Hosts(text) => Some(text),
            _ => None,
        });
        let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(()) };
        // A crash leaves the old file or the new one.
        let beside = self.path.with_extension("new");
        let written = fs::write(&beside, &text).and_then(|()| fs::rename(&beside, &self.path));
        if let Err(error) = written
            && !std::mem::replace(&mut self.complained, true)
        {
            out.note(Failure::during(self.path.display())(error));
        }
        Ok(())
    }
}
