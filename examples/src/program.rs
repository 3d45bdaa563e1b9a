//! How a program with verbs begins and ends: [`run`].

use crate::{Failure, Output, Stop};
use std::process::ExitCode;

/// The exit code of what somebody interrupted before it was done: what a shell says of `SIGINT`.
pub const INTERRUPTED: u8 = 130;

/// Runs what was asked for on a runtime of its own, and says why it failed if it did.
pub fn run(json: bool, verb: impl AsyncFnOnce(&mut Output, &Stop) -> Result<ExitCode, Failure>) -> ExitCode {
    let mut out = Output::new(json);
    ended(verb, &mut out).unwrap_or_else(|why| {
        out.fail(why);
        ExitCode::FAILURE
    })
}

fn ended(
    verb: impl AsyncFnOnce(&mut Output, &Stop) -> Result<ExitCode, Failure>,
    out: &mut Output,
) -> Result<ExitCode, Failure> {
    // One machine runs in one task; disk, digests and passwords have threads of their own.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(Failure::during("starting"))?;
    let code = runtime.block_on(async {
        let stop = Stop::install().map_err(Failure::during("listening for signals"))?;
        verb(out, &stop).await
    });
    // A name look-up that hangs must not hold up the end.
    runtime.shutdown_background();
    code
}
