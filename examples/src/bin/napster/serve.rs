//! `napster serve`: the index server, with its accounts on the disk, and a metaserver beside it.

use crate::args::Serve;
use crate::config::File;
use crate::hangup::Hangup;
use crate::store::{self, Store};
use crate::{descriptors, figures, metaserver, text};
use p2p_core::node::{News, Node};
use p2p_examples::{Failure, Line, Output, Stop};
use p2p_napster::metaserver::Metaserver;
use p2p_napster::server::{Batch, Change, Config, Server, ServerCommand, ServerEvent, ServerStats};
use p2p_transport_tokio::{Options, Running, drive};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

/// How often the figures are told, if they changed.
const LOOK: Duration = Duration::from_secs(10);
/// Descriptors that are no connection: sockets, the store, requests for figures.
const SPARE: usize = 64;

pub(crate) async fn run(args: &Serve, out: &mut Output, stop: &Stop) -> Result<ExitCode, Failure> {
    let file = settings(args)?;
    let mut hangup = Hangup::install()?;
    let (mut serving, at) = Serving::start(&file, out).await?;
    let started = serving.prepare(&file, &at, args, out).await;
    let result = match started {
        Ok(metaserver) => {
            let result = serving.run(file, args, &mut hangup, out, stop).await;
            if let Some(metaserver) = metaserver {
                metaserver.stop().await;
            }
            result
        }
        Err(why) => Err(why),
    };
    serving.stop(out).await;
    result
}

/// The configuration, with what the arguments say instead.
fn settings(args: &Serve) -> Result<File, Failure> {
    let mut file = File::read(args.config.as_deref())?;
    if !args.listen.is_empty() {
        file.listen = Some(args.listen.clone());
    }
    file.metaserver = args.metaserver.or(file.metaserver);
    file.public = args.public.or(file.public);
    file.store = args.store.clone().or(file.store);
    #[cfg(feature = "metrics")]
    {
        file.metrics = args.metrics.or(file.metrics);
    }
    #[cfg(not(feature = "metrics"))]
    if file.metrics.is_some() {
        return Err(Failure::new("`metrics` needs a program built with the feature `metrics`"));
    }
    #[cfg(not(feature = "tls"))]
    if file.tls.is_some() {
        return Err(Failure::new("`tls` needs a program built with the feature `tls`"));
    }
    Ok(file)
}

/// A server that runs.
struct Serving {
    node: Node<Server>,
    news: News<ServerEvent>,
    shutdown: Option<oneshot::Sender<()>>,
    task: tokio::task::JoinHandle<Server>,
    store: Option<Arc<Store>>,
    /// Batches of changes that are being kept: one at a time.
    keeping: JoinSet<Result<(), redb::Error>>,
    #[cfg(feature = "tls")]
    certificate: Option<Arc<crate::certificate::Current>>,
}

impl Serving {
    /// Starts a server with what is kept, and waits until it listens.
    async fn start(file: &File, out: &mut Output) -> Result<(Self, Vec<SocketAddr>), Failure> {
        let mut config = file.config()?;
        let store = file.store.as_deref().map(Store::open).transpose()?.map(Arc::new);
        config.keep = store.is_some();
        let mut options = Options::default();
        options.connections = descriptors::raise().saturating_sub(SPARE).max(SPARE);
        if options.connections < config.limits.connections {
            let most = options.connections;
            out.note(format_args!("the system lets this process have {most} connections"));
        }
        // The server counts them itself, and says why it refuses one.
        options.per_address = usize::MAX;
        #[cfg(feature = "tls")]
        let certificate = file.tls.as_ref().map(crate::certificate::Current::read).transpose()?.map(Arc::new);
        #[cfg(feature = "tls")]
        if let Some(certificate) = &certificate {
            options = options.with_connector(crate::certificate::connector(certificate)?);
        }
        let sockets = config.listen.len() + config.listen_secured.len();
        if sockets == 0 {
            return Err(Failure::new("it is to listen nowhere"));
        }
        let server = server(config, store.as_deref(), out)?;
        let (shutdown, stopped) = oneshot::channel::<()>();
        let (node, news, run) = drive(server, options, async move {
            let _ = stopped.await;
        });
        let mut serving = Self {
            node,
            news,
            shutdown: Some(shutdown),
            task: tokio::spawn(run),
            store,
            keeping: JoinSet::new(),
            #[cfg(feature = "tls")]
            certificate,
        };
        match serving.listening(sockets).await {
            Ok(at) => Ok((serving, at)),
            Err(why) => {
                serving.stop(out).await;
                Err(why)
            }
        }
    }

    /// Waits until all sockets are open.
    async fn listening(&mut self, sockets: usize) -> Result<Vec<SocketAddr>, Failure> {
        let mut at = Vec::new();
        while at.len() < sockets {
            match self.news.next().await {
                Some(ServerEvent::Listening(addr)) => at.push(addr),
                Some(ServerEvent::Down(why)) => return Err(Failure::new(format_args!("listening: {why}"))),
                Some(_) => {}
                None => return Err(Failure::new("the server stopped")),
            }
        }
        Ok(at)
    }

    /// What there is beside the sockets for clients, and says where all are.
    async fn prepare(
        &mut self,
        file: &File,
        at: &[SocketAddr],
        args: &Serve,
        out: &mut Output,
    ) -> Result<Option<Running<Metaserver>>, Failure> {
        self.register(file.accounts()?, out).await?;
        let secured = file.tls.as_ref().map_or(0, |tls| tls.listen.len());
        let (plain, secured) = at.split_at(at.len() - secured);
        let mut line = Line::new("listening").texts("addrs", plain).texts("secured", secured);
        if let Some(addr) = plain.first() {
            line = line.text("addr", addr);
        }
        let mut running = None;
        if let Some(listen) = file.metaserver {
            let public = file.public.or_else(|| plain.iter().copied().find(|at| !at.ip().is_unspecified()));
            let public = public.ok_or_else(|| {
                Failure::new(
                    "the metaserver needs an address to tell: give --public, or listen at one address",
                )
            })?;
            let (metaserver, addr) = metaserver::start(listen, public).await?;
            line = line.text("metaserver", addr);
            out.note(format_args!("the metaserver is at {addr}, and sends clients to {public}"));
            running = Some(metaserver);
        }
        if let Some(metrics) = file.metrics {
            let addr = figures::serve(metrics, self.node.clone()).await?;
            line = line.text("metrics", addr);
            out.note(format_args!("figures at http://{addr}/metrics and http://{addr}/stats"));
        }
        for addr in plain {
            out.note(format_args!("clients are served at {addr}"));
        }
        for addr in secured {
            out.note(format_args!("clients that secure their streams are served at {addr}"));
        }
        if self.store.is_none() && args.config.is_none() {
            out.note("accounts and bans live as long as this process; --store FILE keeps them");
        }
        out.event(line);
        Ok(running)
    }

    /// Makes the accounts that the configuration names, while changes are kept.
    async fn register(
        &mut self,
        accounts: Vec<(String, ServerCommand)>,
        out: &mut Output,
    ) -> Result<(), Failure> {
        for (nick, command) in accounts {
            let node = self.node.clone();
            let mut registering = tokio::spawn(async move { node.run(command).await });
            let registered = loop {
                tokio::select! {
                    done = &mut registering => break done.map_err(Failure::new)?,
                    news = self.news.next() => self.heard(news, out)?,
                }
            };
            registered.map_err(Failure::during(format_args!("account {nick}")))?;
        }
        Ok(())
    }

    async fn run(
        &mut self,
        mut file: File,
        args: &Serve,
        hangup: &mut Hangup,
        out: &mut Output,
        stop: &Stop,
    ) -> Result<ExitCode, Failure> {
        let mut look = tokio::time::interval(LOOK);
        let mut told = ServerStats::default();
        loop {
            tokio::select! {
                biased;
                () = stop.asked() => {
                    if let Some(last) = figures::stats(&self.node).await {
                        out.event(figures::line(&last));
                    }
                    return Ok(ExitCode::SUCCESS);
                }
                news = self.news.next() => self.heard(news, out)?,
                Some(kept) = self.keeping.join_next() => {
                    if let Ok(Err(why)) = kept {
                        out.event(Line::new("not_kept").text("why", &why));
                        out.note(Failure::new(format_args!("accounts and bans could not be kept: {why}")));
                    }
                }
                () = hangup.next() => match self.reload(&file, args, out).await {
                    Ok(new) => file = new,
                    Err(why) => {
                        // It goes on as it was.
                        out.event(Line::new("not_reloaded").text("why", &why));
                        out.note(format_args!("not reloaded: {why}"));
                    }
                },
                _ = look.tick() => {
                    if let Some(now) = figures::stats(&self.node).await
                        && now != told
                    {
                        out.event(figures::line(&now));
                        out.note(figures::sentence(&now));
                        told = now;
                    }
                }
            }
        }
    }

    fn heard(&mut self, news: Option<ServerEvent>, out: &mut Output) -> Result<(), Failure> {
        match news {
            Some(ServerEvent::Down(why)) => Err(Failure::new(format_args!("a socket is gone: {why}"))),
            Some(ServerEvent::Changes { batch, changes }) => {
                for change in &changes {
                    tell(change, out);
                }
                if let Some(store) = &self.store {
                    self.keeping.spawn(keep(Arc::clone(store), self.node.clone(), batch, changes));
                }
                Ok(())
            }
            Some(news) => {
                linked(&news, out);
                Ok(())
            }
            None => Err(Failure::new("the server stopped")),
        }
    }

    /// Reads the configuration again, and takes over what can be changed while users are there. All of it is read before
    /// any of it holds.
    async fn reload(&mut self, old: &File, args: &Serve, out: &mut Output) -> Result<File, Failure> {
        let new = settings(args)?;
        let (config, accounts) = (new.config()?, new.accounts()?);
        #[cfg(feature = "tls")]
        if let (Some(certificate), Some(tls)) = (&self.certificate, &new.tls) {
            certificate.read_again(tls)?;
        }
        self.command(ServerCommand::Motd(config.motd)).await?;
        self.command(ServerCommand::SetLimits(Box::new(config.limits))).await?;
        self.register(accounts, out).await?;
        let later = new.fixed_differences(old);
        out.event(Line::new("reloaded").texts("at_next_start", &later));
        out.note(if later.is_empty() {
            "reloaded".into()
        } else {
            format!("reloaded; at the next start also: {}", later.join(", "))
        });
        Ok(new)
    }

    async fn command(&self, command: ServerCommand) -> Result<(), Failure> {
        self.node.run(command).await.map_err(Failure::new)
    }

    /// Stops the server. What became true by then is kept before it ends.
    async fn stop(mut self, out: &mut Output) {
        drop(self.shutdown.take());
        while let Some(news) = self.news.next().await {
            // It is ending anyway.
            let _ = self.heard(Some(news), out);
        }
        let _ = self.task.await;
    }
}

/// A server that knows what is kept.
fn server(config: Config, store: Option<&Store>, out: &mut Output) -> Result<Server, Failure> {
    let Some(store) = store else { return Ok(Server::new(config)) };
    let kept = store.load()?;
    out.event(
        Line::new("kept")
            .number("accounts", kept.accounts.len() as u64)
            .number("bans", kept.bans.len() as u64)
            .number("muzzles", kept.muzzles.len() as u64),
    );
    if kept.accounts.len() > config.limits.accounts || kept.bans.len() > config.limits.bans {
        return Err(Failure::new("there are more accounts or bans than the limits allow: raise them"));
    }
    let server = Server::new(config).with_accounts(kept.accounts);
    Ok(server.with_bans(kept.bans).with_muzzles(kept.muzzles))
}

/// What becomes of links.
fn linked(news: &ServerEvent, out: &mut Output) {
    match news {
        ServerEvent::LinkUp { server, level } => {
            out.event(Line::new("link_up").text("server", text::whole(server)).number("zlib", *level));
            out.note(format_args!("linked with {}", text::name(server)));
        }
        ServerEvent::LinkDown { server, why } => {
            out.event(Line::new("link_down").text("server", text::whole(server)).text("why", why));
            out.note(Failure::new(format_args!("no link with {}: {why}", text::name(server))));
        }
        ServerEvent::LinkRefused { from, why } => {
            out.event(Line::new("link_refused").text("from", from).text("why", why));
            out.note(Failure::new(format_args!("{from} may not link: {why}")));
        }
        _ => {}
    }
}

/// Keeps a batch of changes, and says whether that was done.
async fn keep(
    store: Arc<Store>,
    node: Node<Server>,
    batch: Batch,
    changes: Vec<Change>,
) -> Result<(), redb::Error> {
    let kept = tokio::task::spawn_blocking(move || store.keep(&changes)).await;
    let kept = kept.unwrap_or_else(|why| Err(redb::Error::Io(why.into())));
    let result = kept.as_ref().copied().map_err(store::reason);
    // A server that is gone waits for nothing.
    let _ = node.run(ServerCommand::Kept { batch, result }).await;
    kept
}

fn tell(change: &Change, out: &mut Output) {
    use text::whole;
    out.event(match change {
        Change::Account(account) => {
            Line::new("account").text("nick", whole(&account.nick)).text("level", account.level)
        }
        Change::Unregistered(nick) => Line::new("unregistered").text("nick", whole(nick)),
        Change::Banned(who, ban) => {
            Line::new("banned").text("who", whole(&who.text())).text("by", whole(&ban.by))
        }
        Change::Unbanned(who) => Line::new("unbanned").text("who", whole(&who.text())),
        Change::Muzzled(who, ban) => {
            Line::new("muzzled").text("who", whole(&who.text())).text("by", whole(&ban.by))
        }
        Change::Unmuzzled(who) => Line::new("unmuzzled").text("who", whole(&who.text())),
        _ => return,
    });
}
