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
mod hangup;
mod hits;
mod metaserver;
mod mp3;
mod random;
mod search;
mod serve;
mod session;
mod share;
mod store;
mod text;
mod uploads;
mod whois;

use args::{Args, Verb};
use clap::Parser;
use p2p_examples::program::{self, INTERRUPTED};
use std::process::ExitCode;

fn main() -> ExitCode {
    let Args { json, verb } = Args::parse();
    program::run(json, async |out, stop| match verb {
        Verb::Serve(serve) => serve::run(&serve, out, stop).await,
        Verb::Share(share) => share::run(&share, out, stop).await,
        Verb::Search(search) => search::run(&search, out, stop).await,
        Verb::Get(get) => get::run(&get, out, stop).await,
        Verb::Browse(browse) => browse::run(&browse, out, stop).await,
        Verb::Whois(whois) => whois::run(&whois, out, stop).await,
        Verb::Chat(chat) => chat::run(&chat, out, stop).await,
    })
}
