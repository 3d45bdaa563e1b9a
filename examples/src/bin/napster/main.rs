//! `napster`: an index server for Napster's users, and all that a user does: share, search, get, browse, chat.

mod args;
mod browse;
#[cfg(feature = "tls")]
mod certificate;
mod chat;
mod config;
mod descriptors;
mod figures;
mod folder;
mod get;
mod hits;
mod mp3;
mod random;
mod search;
mod serve;
mod session;
mod share;
mod store;
mod text;
mod whois;

use args::{Args, Verb};
use clap::Parser;
use p2p_examples::{Failure, Output, Stop};
use std::process::ExitCode;

/// The end of a verb that somebody interrupted before it was done: what a shell says of `SIGINT`.
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    let args = Args::parse();
    let mut out = Output::new(args.json);
    match run(args.verb, &mut out) {
        Ok(code) => code,
        Err(why) => {
            out.fail(why);
            ExitCode::FAILURE
        }
    }
}

fn run(verb: Verb, out: &mut Output) -> Result<ExitCode, Failure> {
    // One machine runs in one task; disk, digests and passwords have threads of their own.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(Failure::during("starting"))?;
    let code = runtime.block_on(async {
        let stop = Stop::install().map_err(Failure::during("listening for signals"))?;
        match verb {
            Verb::Serve(serve) => serve::run(&serve, out, &stop).await,
            Verb::Share(share) => share::run(&share, out, &stop).await,
            Verb::Search(search) => search::run(&search, out, &stop).await,
            Verb::Get(get) => get::run(&get, out, &stop).await,
            Verb::Browse(browse) => browse::run(&browse, out, &stop).await,
            Verb::Whois(whois) => whois::run(&whois, out, &stop).await,
            Verb::Chat(chat) => chat::run(&chat, out, &stop).await,
        }
    });
    // A name look-up that hangs must not hold up the end.
    runtime.shutdown_background();
    code
}
