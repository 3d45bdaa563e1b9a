//! `gnutella get`: a file of whoever has it, into a folder.

use crate::INTERRUPTED;
use crate::args::Get;
use crate::session::{self, Session};
use p2p_examples::fetching::Fetching;
use p2p_examples::{Failure, Line, Output, Stop};
use p2p_gnutella::servent::{Command, Event};
use p2p_gnutella::transfer::{self, Locator, Progress, Wanted};
use p2p_gnutella::{Magnet, Urn};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

/// What is wanted: a link, a URN, or a URL of a servent with a URN in it.
pub(crate) fn wanted(what: &str) -> Result<Wanted, Failure> {
    if let Some(url) = what.strip_prefix("http://") {
        if let Some((_, path)) = url.split_once('/')
            && path.starts_with("get/")
        {
            let mut link = Magnet::default();
            link.sources.push(what.into());
            return Wanted::of_magnet(&link)
                .ok_or_else(|| Failure::new("the URL is none of a file: http://ADDR/get/NUMBER/NAME"));
        }
        let (place, _) = url.split_once('/').unwrap_or((url, ""));
        let at = url.find("urn:").ok_or_else(|| Failure::new("the URL has no URN with a SHA-1"))?;
        let urn: Urn = url[at..].parse().map_err(Failure::during("the URN of the URL"))?;
        let mut wanted: Wanted = urn.to_string().parse().map_err(Failure::new)?;
        let source = place.parse().map_err(|_| Failure::new("the URL has no address with a port"))?;
        wanted.sources.push(Locator::at(source));
        return Ok(wanted);
    }
    if !what.starts_with("urn:") && what.parse::<Magnet>().is_err() {
        return Err(Failure::new("neither a magnet link nor a URN nor a URL of a servent"));
    }
    what.parse().map_err(Failure::new)
}

pub(crate) async fn run(args: &Get, out: &mut Output, stop: &Stop) -> Result<ExitCode, Failure> {
    let wanted = wanted(&args.what)?;
    if args.network.is_empty() && wanted.sources.is_empty() {
        return Err(Failure::new(
            "nobody to ask: give --peer, --udp-cache or --web-cache, or a link that names a source",
        ));
    }
    let has_place = args.listen.is_some_and(|at| !at.ip().is_unspecified());
    if args.network.is_empty() && !has_place && wanted.sources.iter().all(|source| source.addr.is_none()) {
        return Err(Failure::new(
            "who has it is behind a firewall and has to connect: give --peer, so that it is known where to, or --listen",
        ));
    }
    std::fs::create_dir_all(&args.to).map_err(Failure::during(args.to.display()))?;
    let mut config = session::guest(&args.network, args.listen.or_else(|| beside(args, &wanted)));
    // What is fetched is given to others meanwhile, and nothing else.
    config.transfers.scan_every = Duration::ZERO;
    let mut session = Session::start(config, session::options(&[&args.to], &args.network)?, out).await?;
    let result = Transfer::new(args, out).run(&mut session, wanted, stop).await;
    session.stop().await;
    result
}

/// Where to listen if nothing but this machine is named.
fn beside(args: &Get, wanted: &Wanted) -> Option<SocketAddr> {
    let is_here = |source: &Locator| source.addr.is_some_and(|addr| addr.ip().is_loopback());
    let all_here = args.network.is_empty() && wanted.sources.iter().all(is_here);
    all_here.then(|| SocketAddr::from(([127, 0, 0, 1], 0)))
}

struct Transfer<'a> {
    args: &'a Get,
    out: &'a mut Output,
    fetching: Fetching,
    size: Option<u64>,
}

impl<'a> Transfer<'a> {
    fn new(args: &'a Get, out: &'a mut Output) -> Self {
        Self { args, out, fetching: Fetching::new(&args.to), size: None }
    }

    async fn run(&mut self, session: &mut Session, wanted: Wanted, stop: &Stop) -> Result<ExitCode, Failure> {
        // Who is named may give it at once; others are looked for beside.
        if !self.args.network.is_empty() && wanted.sources.is_empty() {
            if !session.join(&self.args.network, stop).await? {
                return Ok(ExitCode::from(INTERRUPTED));
            }
        } else if !self.args.network.is_empty() {
            let (node, network) = (session.node().clone(), self.args.network.clone());
            tokio::spawn(async move { node.join(network.bootstrap()).await });
        }
        let line = Line::new("getting").number("sources", wanted.sources.len() as u64);
        self.out.event(match wanted.numbered {
            None => line.text("urn", Urn::Sha1(wanted.sha1)),
            Some(_) => line.text("name", &wanted.name),
        });
        let (node, news) = session.parts();
        let mut asked = node.ask(Command::Transfer(transfer::Command::Download(wanted)));
        loop {
            tokio::select! {
                biased;
                () = stop.asked() => break,
                told = news.next() => match told {
                    None => return Err(Failure::new("the servent stopped")),
                    Some(Event::Transfer(transfer::Event::SourceLost { source, why, .. })) => {
                        self.lost(&source, &why);
                    }
                    Some(_) => {}
                },
                answer = asked.try_next() => match answer.map_err(Failure::new)? {
                    Some(Event::Transfer(transfer::Event::Progress(progress))) => self.progress(&progress),
                    Some(Event::Transfer(transfer::Event::Saved { file, size })) => {
                        self.fetching.saved(file.path().as_str(), size, self.out);
                    }
                    Some(_) => {}
                    None => return Ok(ExitCode::SUCCESS),
                },
            }
        }
        Ok(self.fetching.interrupted(self.size, self.out))
    }

    fn lost(&mut self, source: &Locator, why: &transfer::SourceError) {
        let who = match (source.addr, source.servent) {
            (Some(addr), _) => addr.to_string(),
            (None, Some(servent)) => servent.to_string(),
            (None, None) => "somebody".into(),
        };
        self.out.event(Line::new("source_lost").text("source", &who).text("why", why));
        self.out.note(Failure::new(format_args!("{who}: {why}")));
    }

    fn progress(&mut self, progress: &Progress) {
        self.fetching.set_have(progress.have);
        self.size = progress.size;
        let line = Line::new("progress")
            .number("have", progress.have)
            .number("sources", progress.sources as u64)
            .number("giving", progress.giving as u64)
            .number("queued", progress.queued as u64)
            .flag("verified", progress.has_tree);
        self.out.event(match progress.size {
            Some(size) => line.number("size", size),
            None => line,
        });
        if progress.giving == 0 && progress.have < progress.size.unwrap_or(u64::MAX) {
            let waits = match (progress.queued, progress.sources) {
                (0, 0) => "nobody is known who has it; looking".into(),
                (0, sources) => format!("waiting for {sources} who may have it"),
                (queued, _) => format!("in the queue of {queued}"),
            };
            return self.out.status(waits);
        }
        self.fetching.draw(progress.size, u32::try_from(progress.giving).ok(), self.out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_wanted() {
        let urn = "urn:sha1:PLSTHIPQGSSZTS5FJUPAKUZWUGYQYPFB";
        assert!(wanted(urn).expect("a URN").sources.is_empty());
        let url = format!("http://192.0.2.1:6346/uri-res/N2R?{urn}");
        assert_eq!(
            wanted(&url).expect("a URL").sources,
            [Locator::at("192.0.2.1:6346".parse().expect("an address"))]
        );
        let url = "http://192.0.2.1:6346/get/7/a%20song.mp3";
        let numbered = wanted(url).expect("a URL of a file by number");
        assert_eq!((numbered.numbered.as_deref(), &*numbered.name), (Some(&b"a song.mp3"[..]), "a song.mp3"));
        assert_eq!(numbered.sources[0].number, Some(7));
        let link = format!("magnet:?xt={urn}&xs={url}");
        assert_eq!(wanted(&link).expect("a link").sources.len(), 1);
        for bad in [
            "words",
            "magnet:?kt=words",
            "urn:md5:x",
            "http://192.0.2.1/",
            "http://x/N2R?urn:sha1:A",
            "http://192.0.2.1:6346/get/x/y",
        ] {
            assert!(wanted(bad).is_err(), "{bad}");
        }
    }
}
