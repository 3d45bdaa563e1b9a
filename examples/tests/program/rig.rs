//! Programs at work, folders of their own for tests, and the fields of the lines that programs print.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

/// Longer than anything here takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A folder of its own for a test, gone at its end.
pub(crate) struct Place(pub(crate) PathBuf);

impl Place {
    pub(crate) fn new(name: &str) -> Self {
        let path =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("program-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn at(&self, below: &str) -> String {
        self.0.join(below).to_str().unwrap().to_owned()
    }

    pub(crate) fn put(&self, below: &str, bytes: &[u8]) {
        let path = self.0.join(below);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    pub(crate) fn read(&self, below: &str) -> Vec<u8> {
        fs::read(self.0.join(below)).unwrap_or_default()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn program(name: &str, args: &[&str]) -> Command {
    let path = match name {
        "chord" => env!("CARGO_BIN_EXE_chord"),
        "gnutella" => env!("CARGO_BIN_EXE_gnutella"),
        "esm" => env!("CARGO_BIN_EXE_esm"),
        "napster" => env!("CARGO_BIN_EXE_napster"),
        "sim" => env!("CARGO_BIN_EXE_sim"),
        _ => env!("CARGO_BIN_EXE_torrent"),
    };
    let mut command = Command::new(path);
    command.args(args).stdin(Stdio::null());
    command
}

/// Runs a program to its end.
pub(crate) fn run(name: &str, args: &[&str]) -> Output {
    program(name, args).output().unwrap()
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A program at work with `--json`, its lines as they come. Dropped, it is killed.
pub(crate) struct Running {
    child: Child,
    lines: Receiver<String>,
}

impl Running {
    pub(crate) fn new(name: &str, args: &[&str]) -> Self {
        Self::of(program(name, args))
    }

    /// One whose standard input is open.
    pub(crate) fn talking(name: &str, args: &[&str]) -> Self {
        let mut command = program(name, args);
        command.stdin(Stdio::piped());
        Self::of(command)
    }

    fn of(mut command: Command) -> Self {
        let mut child = command.arg("--json").stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let (tell, lines) = sync_channel(10_000);
        let out = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                if tell.send(line).is_err() {
                    return;
                }
            }
        });
        Self { child, lines }
    }

    /// The first line from here on that `fits`.
    pub(crate) fn wait(&self, what: &str, fits: impl Fn(&str) -> bool) -> String {
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) if fits(&line) => return line,
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => panic!("{what} did not come"),
                Err(RecvTimeoutError::Disconnected) => panic!("it ended without {what}"),
            }
        }
    }

    /// Lines from here on for each of `fits`, in whatever order they come.
    pub(crate) fn all(&self, what: &str, fits: &[&dyn Fn(&str) -> bool]) {
        let mut open: Vec<_> = fits.iter().collect();
        while !open.is_empty() {
            let line = self.wait(what, |line| open.iter().any(|fits| fits(line)));
            open.retain(|fits| !fits(&line));
        }
    }

    pub(crate) fn event(&self, name: &str) -> String {
        let start = format!("{{\"event\":\"{name}\"");
        self.wait(name, |line| line.starts_with(&start))
    }

    pub(crate) fn listening(&self) -> String {
        field(&self.event("listening"), "addr")
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn interrupt(&self) {
        self.signal("-INT");
    }

    pub(crate) fn signal(&self, signal: &str) {
        assert!(Command::new("kill").arg(signal).arg(self.id().to_string()).status().unwrap().success());
    }

    /// Writes a line to its standard input.
    pub(crate) fn say(&mut self, line: &str) {
        let input = self.child.stdin.as_mut().unwrap();
        writeln!(input, "{line}").unwrap();
        input.flush().unwrap();
    }

    /// Writes bytes to its standard input.
    pub(crate) fn pour(&mut self, bytes: &[u8]) {
        let input = self.child.stdin.as_mut().unwrap();
        input.write_all(bytes).unwrap();
        input.flush().unwrap();
    }

    /// Ends its standard input.
    pub(crate) fn hush(&mut self) {
        drop(self.child.stdin.take());
    }

    /// Ends it at once, as a crash does.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// The next line, if one comes before it ends.
    pub(crate) fn rest(&self) -> Option<String> {
        match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => Some(line),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("it does not end"),
        }
    }

    pub(crate) fn code(mut self) -> i32 {
        // What it still says must be taken, or it would wait for a reader.
        while self.lines.recv_timeout(PATIENCE).is_ok() {}
        self.child.wait().unwrap().code().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A value of a JSON line, as it stands there but for quotes.
pub(crate) fn field(line: &str, key: &str) -> String {
    let start = format!("\"{key}\":");
    let rest = &line[line.find(&start).unwrap_or_else(|| panic!("no {key} in {line}")) + start.len()..];
    let end = match rest.strip_prefix('"') {
        Some(quoted) => return quoted[..quoted.find('"').unwrap()].to_owned(),
        None => rest.find([',', '}', ']']).unwrap(),
    };
    rest[..end].to_owned()
}

pub(crate) fn number(line: &str, key: &str) -> u64 {
    field(line, key).parse().unwrap()
}

/// Bytes that no two offsets share.
pub(crate) fn content(len: usize, seed: u32) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9) | 1;
    (0..len)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state as u8
        })
        .collect()
}
