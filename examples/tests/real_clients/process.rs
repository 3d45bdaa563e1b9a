//! A client as a child process: its log, its JSON lines if it prints some, and its end in every case.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use serde_json::Value;

/// A running client; dropping it kills its whole process group.
pub(crate) struct Process {
    pub(crate) name: String,
    child: Child,
    events: Arc<Mutex<Vec<Value>>>,
    reader: Option<JoinHandle<()>>,
}

impl Process {
    /// Starts `command` with both outputs in `log`; JSON lines on stdout are also kept as events.
    pub(crate) fn start(name: &str, mut command: Command, log: &PathBuf) -> Self {
        let mut file = File::options().create(true).append(true).open(log).unwrap();
        writeln!(file, "$ {command:?}").unwrap();
        let mut child = command
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(file.try_clone().unwrap())
            .spawn()
            .unwrap_or_else(|error| panic!("{name} cannot be started: {error}"));
        let events = Arc::new(Mutex::new(Vec::new()));
        let lines = BufReader::new(child.stdout.take().unwrap());
        let heard = Arc::clone(&events);
        let reader = thread::spawn(move || {
            for line in lines.lines().map_while(Result::ok) {
                let _ = writeln!(file, "{line}");
                if let Ok(event @ Value::Object(_)) = serde_json::from_str(&line) {
                    heard.lock().unwrap().push(event);
                }
            }
        });
        Self { name: name.into(), child, events, reader: Some(reader) }
    }

    /// The first event of this kind.
    pub(crate) fn event(&self, kind: &str) -> Option<Value> {
        self.events.lock().unwrap().iter().find(|event| event["event"] == kind).cloned()
    }

    /// All values that events of one kind gave to `field`, oldest first.
    pub(crate) fn numbers(&self, kind: &str, field: &str) -> Vec<u64> {
        let events = self.events.lock().unwrap();
        events
            .iter()
            .filter(|event| event["event"] == kind)
            .filter_map(|event| event[field].as_u64())
            .collect()
    }

    /// How it ended, if it did; then everything that it said has been read.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        let status = self.child.try_wait().unwrap()?;
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
        Some(status)
    }

    /// Sends a signal by name to the client itself.
    pub(crate) fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        let done = Command::new("kill").args(["-s", signal, "--", &pid]).status().unwrap();
        assert!(done.success(), "{} could not be sent {signal}", self.name);
    }

    /// SIGKILL: the client gets no chance to save anything.
    pub(crate) fn kill(&mut self) {
        let group = format!("-{}", self.child.id());
        let _ = Command::new("kill").args(["-s", "KILL", "--", &group]).stderr(Stdio::null()).status();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
