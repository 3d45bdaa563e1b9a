//! What a server costs, measured from outside while a program loads it: its [`Process`], a [`Report`] of figures beside
//! their goals, and how such a program begins and ends ([`run`]).

mod process;
mod report;

pub use process::{Process, scheduled};
pub use report::{Goal, Report, quantile};

use crate::Failure;
use std::io::Write as _;
use std::process::{Child, Command, ExitCode, Stdio};

/// Which process is measured, and whether goals count.
#[derive(Debug, Clone, clap::Args)]
pub struct Measured {
    /// Its process, if it runs already
    #[arg(long, global = true, conflicts_with = "start")]
    pub pid: Option<u32>,
    /// Or a command that starts it; it is killed at the end
    #[arg(long, global = true, value_name = "COMMAND")]
    pub start: Option<String>,
    /// Fail if a goal is missed
    #[arg(long, global = true)]
    pub check: bool,
}

impl Measured {
    /// The command that starts it, if one was given.
    ///
    /// # Errors
    /// If it is empty.
    pub fn command(&self) -> Result<Option<Command>, Failure> {
        let Some(line) = &self.start else { return Ok(None) };
        let mut words = line.split_whitespace();
        let program = words.next().ok_or_else(|| Failure::new("--start: no command"))?;
        let mut command = Command::new(program);
        command.args(words);
        Ok(Some(command))
    }
}

/// A server that runs as long as this is there.
#[derive(Debug)]
pub struct Served(Child);

impl Served {
    /// Starts it, silent.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn start(command: &mut Command) -> Result<Self, Failure> {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn();
        let program = command.get_program().display();
        Ok(Self(child.map_err(|why| Failure::new(format_args!("{program}: {why}")))?))
    }

    /// Its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // It may have ended by itself, which the figures tell.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Measures on a runtime of its own: `load` says how many goals were missed. That fails the program `name` if goals count.
pub fn run(name: &str, check: bool, load: impl Future<Output = Result<usize, Failure>>) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let result = runtime.map_err(Failure::new).and_then(|runtime| runtime.block_on(load));
    let why = match result {
        Ok(missed) if check && missed > 0 => format!("{missed} goals were missed"),
        Ok(_) => return ExitCode::SUCCESS,
        Err(failure) => format!("{name}: {failure}"),
    };
    let _ = writeln!(std::io::stderr(), "{why}");
    ExitCode::FAILURE
}
