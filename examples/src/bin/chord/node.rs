//! `chord node`: a member of a ring, that keeps what others store there.

use crate::INTERRUPTED;
use crate::args::Node;
use p2p_chord::{Bootstrap, Chord, Command, Config, Error, Event, Status};
use p2p_core::node::OpError;
use p2p_core::{FileId, RelPath, Root};
use p2p_examples::units::Size;
use p2p_examples::{Failure, Line, Output, Stop};
use p2p_transport_tokio::{Folder, Options, Running, spawn};
use std::process::ExitCode;
use std::time::Duration;

/// The file in the folder of `--store`.
const FILE: &str = "records";
/// How often it is looked how the node is.
const LOOK: Duration = Duration::from_secs(1);

pub(crate) async fn run(args: &Node, out: &mut Output, stop: &Stop) -> Result<ExitCode, Failure> {
    let mut config = Config::default();
    config.network = args.network.id();
    config.listen = args.listen;
    config.advertised = args.advertise;
    let mut options = Options::default();
    if let Some(dir) = &args.store {
        let file = RelPath::from_parts([FILE]).map_err(Failure::new)?;
        config.store = Some(FileId::new(Root(0), file));
        let folder = Folder::new(dir).map_err(Failure::during(dir.display()))?;
        // Two that write one journal would lose what both said is stored.
        let folder = folder.exclusive().map_err(Failure::during(dir.display()))?;
        options = options.with_storage(folder);
    }
    let stored = config.store.is_some();
    let mut running = spawn(Chord::new(config), options);
    let result = match ready(&mut running, stored, out).await {
        Ok(()) => member(&mut running, args, out, stop).await,
        Err(why) => Err(why),
    };
    running.stop().await;
    result
}

/// Waits until it hears others, and has read what it stored.
async fn ready(running: &mut Running<Chord>, stored: bool, out: &mut Output) -> Result<(), Failure> {
    let (mut listens, mut loaded) = (false, !stored);
    while !(listens && loaded) {
        match running.news.next().await {
            Some(Event::Listening(at)) => {
                listens = true;
                out.event(Line::new("listening").text("addr", at));
                out.note(format_args!("listening at {at}"));
            }
            Some(Event::Loaded { records }) => {
                loaded = true;
                out.event(Line::new("loaded").number("records", records as u64));
                out.note(format_args!("{records} records were stored before"));
            }
            Some(Event::NoSocket(why)) => return Err(Failure::during("cannot listen")(why)),
            Some(Event::StoreUnreadable(why)) => return Err(Failure::during("cannot read the store")(why)),
            Some(_) => {}
            None => return Err(Failure::new("the node stopped")),
        }
    }
    Ok(())
}

async fn member(
    running: &mut Running<Chord>,
    args: &Node,
    out: &mut Output,
    stop: &Stop,
) -> Result<ExitCode, Failure> {
    let joined = tokio::select! {
        () = stop.asked() => return Ok(ExitCode::from(INTERRUPTED)),
        joined = running.node.join(Bootstrap(args.bootstrap.clone())) => joined,
    };
    match joined {
        Err(OpError::Failed(Error::NoAddress)) => {
            return Err(Failure::new("say where others reach this node: --advertise ADDR"));
        }
        other => other.map_err(Failure::during("joining"))?,
    }
    let mut every = tokio::time::interval(LOOK);
    let mut last = None;
    loop {
        tokio::select! {
            biased;
            () = stop.asked() => return Ok(ExitCode::SUCCESS),
            news = running.news.next() => match news {
                Some(news) => tell(&news, out),
                None => return Err(Failure::new("the node stopped")),
            },
            _ = every.tick() => {
                if let Some(status) = status(running).await {
                    show(&status, last != Some(status), out);
                    last = Some(status);
                }
            }
        }
    }
}

async fn status(running: &Running<Chord>) -> Option<Status> {
    let mut asked = running.node.ask(Command::Status);
    while let Some(Ok(event)) = asked.next().await {
        if let Event::Status(status) = event {
            return Some(status);
        }
    }
    None
}

fn show(status: &Status, is_new: bool, out: &mut Output) {
    if is_new {
        let line = Line::new("status").flag("member", status.member).flag("small", status.small);
        let line =
            line.number("successors", status.successors as u64).number("fingers", status.fingers as u64);
        out.event(line.number("records", status.records as u64).number("bytes", status.bytes as u64));
    }
    let ring = match (status.member, status.small) {
        (false, _) => "no member of a ring".to_owned(),
        (true, true) => format!("a ring of {}", status.successors + 1),
        (true, false) => format!("{} successors, {} fingers", status.successors, status.fingers),
    };
    out.status(format_args!("{ring}; {} records, {}", status.records, Size(status.bytes as u64)));
}

fn tell(news: &Event, out: &mut Output) {
    match news {
        Event::Joined(peer) => {
            out.event(Line::new("joined").text("addr", peer.addr()).text("id", peer.id()));
            out.note(format_args!("at {} on the ring, as {}", peer.id(), peer.addr()));
        }
        Event::Isolated => {
            out.event(Line::new("isolated"));
            out.note("nobody of the ring answers; asking on");
        }
        Event::StoreFailed(why) => {
            out.event(Line::new("store_failed").text("why", why));
            out.note(format_args!("what is stored cannot be written: {why}"));
        }
        Event::NoStreams(why) => {
            out.event(Line::new("no_streams").text("why", why));
            out.note(format_args!(
                "no TCP at that address ({why}): values above a thousand bytes pass this node by"
            ));
        }
        _ => {}
    }
}
