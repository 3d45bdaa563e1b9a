//! What one test stands on: its folder, its network, its deadline, and the logs that are shown if it fails.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::network::{Host, Network};
use crate::process::Process;

/// How many lines of each log a failed test shows.
const TAIL: usize = 25;

pub(crate) struct Stage {
    name: &'static str,
    folder: PathBuf,
    network: Network,
    deadline: Instant,
    started: Instant,
    logs: Vec<(String, PathBuf)>,
    folders: usize,
}

impl Stage {
    /// A test that must end within `seconds`.
    pub(crate) fn new(name: &'static str, seconds: u64) -> Self {
        let folder = std::env::temp_dir().join(format!("p2p-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        let network = Network::new();
        let started = Instant::now();
        if !network.is_private() {
            eprintln!("{name}: no private network on this machine, loopback is used");
        }
        // On a machine that does much else at the time: P2P_PATIENCE=5 makes every deadline five times as long.
        let patience = std::env::var("P2P_PATIENCE").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
        let deadline = started + Duration::from_secs(seconds * patience);
        Self { name, folder, network, deadline, started, logs: Vec::new(), folders: 0 }
    }

    pub(crate) fn host(&mut self) -> Host {
        self.network.host()
    }

    /// A fresh empty folder.
    pub(crate) fn folder(&mut self, name: &str) -> PathBuf {
        self.folders += 1;
        let path = self.folder.join(format!("{}-{name}", self.folders));
        fs::create_dir(&path).unwrap();
        path
    }

    /// Starts a client that runs until it is dropped.
    pub(crate) fn start(&mut self, name: &str, command: Command) -> Process {
        let log = self.folder.join(format!("{name}.log"));
        let process = Process::start(name, command, &log);
        if !self.logs.iter().any(|(known, _)| known == name) {
            self.logs.push((name.into(), log));
        }
        process
    }

    /// Runs a short command to its end, whatever its end is.
    pub(crate) fn output(&self, command: &mut Command) -> Output {
        let mut timed = Command::new("timeout");
        timed.args(["-s", "KILL", "100"]).arg(command.get_program()).args(command.get_args());
        for (key, value) in command.get_envs() {
            timed.env(key, value.unwrap_or_default());
        }
        if let Some(folder) = command.get_current_dir() {
            timed.current_dir(folder);
        }
        timed.stdin(Stdio::null()).output().unwrap()
    }

    /// Runs a short command that must succeed; both of its outputs.
    pub(crate) fn run(&self, command: &mut Command) -> String {
        let output = self.output(command);
        let text =
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {command:?} ended with {}:\n{text}", self.name, output.status);
        text
    }

    /// Asks until there is an answer; panics at the test's deadline.
    pub(crate) fn wait<T>(&self, what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
        loop {
            if let Some(answer) = ask() {
                return answer;
            }
            let waited = self.started.elapsed().as_secs();
            assert!(
                Instant::now() < self.deadline,
                "{}: after {waited} s still waiting for: {what}",
                self.name
            );
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// Waits for an event of a client that must not end before.
    pub(crate) fn wait_event(&self, process: &mut Process, kind: &str) -> serde_json::Value {
        let what = format!("`{kind}` of {}", process.name);
        self.wait(&what, || {
            let event = process.event(kind);
            if event.is_none()
                && let Some(status) = process.ended()
            {
                let late = process.event(kind);
                assert!(late.is_some(), "{} ended with {status} before `{kind}`", process.name);
                return late;
            }
            event
        })
    }

    /// Waits for the end of a client that ends by itself, well.
    pub(crate) fn wait_end(&self, process: &mut Process) {
        let status = self.wait(&format!("the end of {}", process.name), || process.ended());
        assert!(status.success(), "{} ended with {status}", process.name);
    }

    pub(crate) fn pause(&self, span: Duration) {
        thread::sleep(span);
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if thread::panicking() {
            for (name, path) in &self.logs {
                eprintln!("--- {}: log of {name}", self.name);
                eprintln!("{}", tail(path));
            }
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn tail(path: &Path) -> String {
    let text = fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL)..].join("\n")
}
