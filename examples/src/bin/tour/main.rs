//! `tour`: every system of the workspace on loopback, one after the other, then a table of what they did.

mod bittorrent;
mod chord;
mod esm;
mod gnutella;
mod napster;
mod stage;

use p2p_examples::{Failure, Output, Stop, Table};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// A system that has not done its part by then never will.
const PATIENCE: Duration = Duration::from_secs(60);

fn main() -> ExitCode {
    let mut out = Output::new(false);
    match run(&mut out) {
        Ok(table) => {
            out.say(table);
            ExitCode::SUCCESS
        }
        Err(why) => {
            out.fail(why);
            ExitCode::FAILURE
        }
    }
}

fn run(out: &mut Output) -> Result<Table, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(Failure::during("starting"))?;
    runtime.block_on(async {
        let stop = Stop::install().map_err(Failure::during("listening for signals"))?;
        let folder = Folder::new().map_err(Failure::during("making a folder for the tour"))?;
        let mut table = Table::new(["system", "joined", "published", "found", "fetched"]);
        for system in ["bittorrent", "napster", "gnutella", "chord", "esm"] {
            let folder = folder.0.join(system);
            std::fs::create_dir(&folder).map_err(Failure::during("making a folder for the tour"))?;
            let tour = async {
                let stage = match system {
                    "napster" => napster::stage(&folder, out).await?,
                    "gnutella" => gnutella::stage(&folder, out).await?,
                    "esm" => esm::stage(out).await?,
                    "chord" => chord::stage(&folder, out).await?,
                    _ => bittorrent::stage(&folder, out).await?,
                };
                stage.play(out).await
            };
            tokio::select! {
                () = stop.asked() => return Err(Failure::new("interrupted")),
                () = tokio::time::sleep(PATIENCE) => {
                    return Err(Failure::new(format_args!("{system} did not end in a minute")));
                }
                row = tour => table = table.row(row.map_err(Failure::during(system))?),
            }
        }
        Ok(table)
    })
}

/// A folder of our own, gone at the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> std::io::Result<Self> {
        let path = std::env::temp_dir().join(format!("p2p-tour-{}", std::process::id()));
        // Fails if somebody else put something there.
        std::fs::create_dir(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
