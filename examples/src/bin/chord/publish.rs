//! `chord publish`: files that others find by name and fetch from here.

use crate::args::Publish;
use crate::{INTERRUPTED, guest};
use p2p_chord::archive::{Command, Event, Item};
use p2p_chord::files::{self, Files};
use p2p_chord::{Archive, Chord, Event as Told};
use p2p_core::{FileId, Id, RelPath, Root};
use p2p_examples::units::Size;
use p2p_examples::{Failure, Line, Output, Stop, escape};
use p2p_transport_tokio::{Folder, Options, Rate, Running, spawn};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

pub(crate) async fn run(args: &Publish, out: &mut Output, stop: &Stop) -> Result<ExitCode, Failure> {
    if args.name.is_some() && args.files.len() > 1 {
        return Err(Failure::new("--name is for a single file"));
    }
    let (folders, items) = items(args)?;
    let storage = Folder::with_roots(&folders).map_err(Failure::during("opening the files' folders"))?;
    let mut config = files::Config::default();
    config.listen = Some(args.listen.unwrap_or_else(|| guest::any(&args.via)));
    let archive = Archive::new(Chord::new(guest::config(&args.via)), Files::new(config));
    let mut options = Options::default().with_storage(storage);
    options.upload = args.upload_rate.map(Rate::bytes);
    let mut running = spawn(archive, options);
    let result = publish(&mut running, args, items, out, stop).await;
    running.stop().await;
    result
}

/// The folders that the files lie in, and the files by name.
fn items(args: &Publish) -> Result<(Vec<PathBuf>, Vec<Item>), Failure> {
    let mut folders: Vec<PathBuf> = Vec::new();
    let mut items = Vec::new();
    for path in &args.files {
        let shown = path.display().to_string();
        let shown = escape::text_of(&shown, 1_000);
        let whole = path.canonicalize().map_err(Failure::during(shown))?;
        if !whole.is_file() {
            return Err(Failure::during(shown)("not a file"));
        }
        let name = whole.file_name().and_then(|name| name.to_str());
        let name = name.ok_or_else(|| Failure::during(shown)("its name is not Unicode"))?;
        let folder = whole.parent().unwrap_or_else(|| Path::new("/"));
        let root = folders.iter().position(|known| known == folder).unwrap_or_else(|| {
            folders.push(folder.to_owned());
            folders.len() - 1
        });
        let root = u16::try_from(root).map_err(|_| Failure::new("too many folders"))?;
        let file = FileId::new(Root(root), RelPath::local([name]).map_err(Failure::during(shown))?);
        // A link's own name is what its owner calls the file.
        let own = path.file_name().and_then(|name| name.to_str()).unwrap_or(name);
        items.push(Item { name: args.name.clone().unwrap_or_else(|| own.to_owned()), file });
    }
    Ok((folders, items))
}

async fn publish(
    running: &mut Running<Archive>,
    args: &Publish,
    items: Vec<Item>,
    out: &mut Output,
    stop: &Stop,
) -> Result<ExitCode, Failure> {
    loop {
        match running.news.next().await {
            Some(Event::Files(files::Event::Listening(at))) => {
                out.event(Line::new("listening").text("addr", at));
                break;
            }
            Some(Event::Files(files::Event::NotListening(why))) => {
                return Err(Failure::during("cannot listen")(why));
            }
            Some(Event::Ring(Told::NoSocket(why))) => return Err(Failure::during("no socket")(why)),
            Some(_) => {}
            None => return Err(Failure::new("it stopped")),
        }
    }
    if !guest::join(&running.node, &args.via, stop).await? {
        return Ok(ExitCode::from(INTERRUPTED));
    }
    for item in items {
        let name = item.name.clone();
        let Some((events, result)) = guest::answers(&running.node, Command::Publish(item), stop).await else {
            return Ok(ExitCode::from(INTERRUPTED));
        };
        result.map_err(Failure::during(escape::name(&name)))?;
        for event in events {
            if let Event::Files(files::Event::Shared { sha256, size, .. }) = event {
                let sha256 = Id(sha256);
                out.event(
                    Line::new("published").text("name", &name).text("sha256", sha256).number("bytes", size),
                );
                out.say(format_args!("{}: {}, SHA-256 {sha256}", escape::name(&name), Size(size)));
            }
        }
    }
    out.event(Line::new("publishing").number("files", args.files.len() as u64));
    out.note("others can fetch from here, until interrupted");
    loop {
        tokio::select! {
            () = stop.asked() => return Ok(ExitCode::SUCCESS),
            news = running.news.next() => match news {
                Some(news) => tell(&news, out),
                None => return Err(Failure::new("it stopped")),
            },
        }
    }
}

fn tell(news: &Event, out: &mut Output) {
    match news {
        Event::Files(files::Event::Served { to, sha256, sent, whole }) => {
            let line = Line::new("served").text("to", to).text("sha256", Id(*sha256));
            out.event(line.number("bytes", *sent).flag("whole", *whole));
        }
        Event::Files(files::Event::Changed { file, sha256 }) => {
            let name = escape::name(file.path().as_str()).to_string();
            out.event(Line::new("changed").text("file", file.path()).text("sha256", Id(*sha256)));
            out.note(format_args!("{name} is another file now, and is given to nobody any more"));
        }
        Event::Ring(Told::NotAgain { error, .. }) => {
            out.event(Line::new("not_again").text("why", error));
            out.note(format_args!("the ring could not be told again: {error}; trying on"));
        }
        _ => {}
    }
}
