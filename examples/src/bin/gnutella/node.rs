//! `gnutella node`: a servent that shares and leads queries, until interrupted.

use crate::args::{self, Node};
use crate::hosts::Hosts;
use crate::session::{self, Session};
use crate::shares::Shares;
use p2p_core::FileId;
use p2p_examples::units::Size;
use p2p_examples::{Failure, Line, Output, Stop, escape};
use p2p_gnutella::handshake::Role;
use p2p_gnutella::library::News;
use p2p_gnutella::servent::{Config, Event, Mode};
use p2p_gnutella::transfer;
use std::process::ExitCode;
use std::time::Duration;

/// How often the host cache is kept.
const KEEP: Duration = Duration::from_secs(60);

pub(crate) async fn run(args: &Node, out: &mut Output, stop: &Stop) -> Result<ExitCode, Failure> {
    let mut config = Config::new(match args.mode {
        args::Mode::Auto => Mode::Auto,
        args::Mode::Leaf => Mode::Leaf,
        args::Mode::Ultrapeer => Mode::Ultrapeer,
    });
    (config.listen, config.reached_at) = (Some(args.listen), args.reached_at);
    let mut shares = Shares::default();
    let state = args.state.as_deref().map(|state| shares.add_own(state)).transpose()?;
    let folders: Vec<FileId> = args.share.iter().map(|dir| shares.add(dir)).collect::<Result<_, _>>()?;
    let transfers = &mut config.transfers;
    (transfers.library.folders, transfers.library.state) = (folders, state);
    transfers.scan_every = Duration::from_secs(args.rescan);
    transfers.upload_rate = args.up.unwrap_or(u64::MAX);
    // What is shared is told soon to who links here, and then as often as others do.
    config.tables_every = config.tables_every.min(Duration::from_secs(args.rescan));
    config.tls = args.network.is_secured();
    let options = session::options(&shares.roots, &args.network)?;
    let mut session = Session::start(config, options, out).await?;
    let mut hosts = args.state.as_deref().map(Hosts::new);
    let result = serve(&mut session, args, hosts.as_mut(), out, stop).await;
    if let Some(hosts) = &mut hosts {
        hosts.keep(&session, out).await?;
    }
    session.stop().await;
    result
}

async fn serve(
    session: &mut Session,
    args: &Node,
    mut hosts: Option<&mut Hosts>,
    out: &mut Output,
    stop: &Stop,
) -> Result<ExitCode, Failure> {
    let knows = match &hosts {
        Some(hosts) => hosts.remember(session).await?,
        None => false,
    };
    let mut status = Status::default();
    if args.network.is_empty() && !knows {
        out.note("nobody to link to; waiting for others");
    }
    let (node, network) = (session.node().clone(), args.network.clone());
    // Whoever is not there yet may come: it goes on by itself with whom it knows.
    let joining =
        async move { if network.is_empty() { Ok(()) } else { node.join(network.bootstrap()).await } };
    tokio::pin!(joining);
    let mut joined = false;
    let mut keep = tokio::time::interval(KEEP);
    keep.tick().await;
    loop {
        tokio::select! {
            biased;
            () = stop.asked() => return Ok(ExitCode::SUCCESS),
            result = &mut joining, if !joined => {
                joined = true;
                if let Err(why) = result {
                    out.event(Line::new("not_joined").text("why", &why));
                    out.note(Failure::new(format_args!("{why}; trying on")));
                }
            }
            _ = keep.tick() => if let Some(hosts) = &mut hosts {
                hosts.keep(session, out).await?;
            },
            news = async { session.parts().1.next().await } => {
                let news = news.ok_or_else(|| Failure::new("the servent stopped"))?;
                status.heard(&news, out);
            }
        }
    }
}

/// What people see of a node.
#[derive(Debug, Default)]
struct Status {
    ultrapeers: u32,
    leaves: u32,
    files: usize,
    bytes: u64,
    uploads: u32,
    /// Where neighbours are, and what they are.
    neighbours: std::collections::BTreeMap<std::net::SocketAddr, Role>,
}

const fn word(role: Role) -> &'static str {
    match role {
        Role::Leaf => "leaf",
        Role::Ultrapeer => "ultrapeer",
    }
}

impl Status {
    fn heard(&mut self, news: &Event, out: &mut Output) {
        match news {
            Event::Linked(neighbour) => {
                self.neighbours.insert(neighbour.addr, neighbour.role);
                out.event(
                    Line::new("linked")
                        .text("addr", neighbour.addr)
                        .text("role", word(neighbour.role))
                        .flag("dialled", neighbour.dialled)
                        .flag("secured", neighbour.secured),
                );
            }
            Event::Parted(addr, why) => {
                self.neighbours.remove(addr);
                out.event(Line::new("parted").text("addr", addr).text("why", why));
            }
            Event::Refused(addr, code, reason) => out
                .event(Line::new("refused").text("addr", addr).number("code", *code).text("reason", reason)),
            Event::Became(role) => {
                out.event(Line::new("became").text("role", word(*role)));
                out.note(format_args!("now {}", if *role == Role::Leaf { "a leaf" } else { "an ultrapeer" }));
            }
            Event::Transfer(event) => self.heard_of_files(event, out),
            _ => {}
        }
        let count = |role| self.neighbours.values().filter(|is| **is == role).count() as u32;
        (self.ultrapeers, self.leaves) = (count(Role::Ultrapeer), count(Role::Leaf));
        out.status(format_args!(
            "{} ultrapeers, {} leaves; sharing {} files, {}; {} uploads",
            self.ultrapeers,
            self.leaves,
            self.files,
            Size(self.bytes),
            self.uploads
        ));
    }

    fn heard_of_files(&mut self, event: &transfer::Event, out: &mut Output) {
        match event {
            transfer::Event::Library(News::Ready { files, bytes, left_out }) => {
                if (self.files, self.bytes) != (*files, *bytes) || *files == 0 {
                    out.event(
                        Line::new("sharing")
                            .number("files", *files as u64)
                            .number("bytes", *bytes)
                            .number("left_out", *left_out as u64),
                    );
                }
                if *left_out > 0 {
                    out.note(format_args!("{left_out} files are left out, for there are too many"));
                }
                (self.files, self.bytes) = (*files, *bytes);
            }
            transfer::Event::Library(News::Unreadable { file, why }) => {
                let path = file.path().as_str();
                out.event(Line::new("unreadable").text("path", path).text("why", why));
                out.note(format_args!("{}: {why}", escape::name(path)));
            }
            transfer::Event::Library(News::Unsaved(why)) => {
                out.event(Line::new("unsaved").text("why", why));
                out.note(format_args!("the digests of shared files cannot be kept: {why}"));
            }
            transfer::Event::Uploading { peer, sha1, len } => {
                self.uploads += 1;
                out.event(
                    Line::new("uploading")
                        .text("peer", peer)
                        .text("urn", p2p_gnutella::Urn::Sha1(*sha1))
                        .number("bytes", *len),
                );
            }
            transfer::Event::Uploaded { peer, sha1, sent } => {
                self.uploads = self.uploads.saturating_sub(1);
                out.event(
                    Line::new("uploaded")
                        .text("peer", peer)
                        .text("urn", p2p_gnutella::Urn::Sha1(*sha1))
                        .number("sent", *sent),
                );
            }
            _ => {}
        }
    }
}
