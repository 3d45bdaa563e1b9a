//! A client that runs, and is logged in.

use crate::args::Login;
use crate::{random, text};
use p2p_core::node::{News, Node, OpError};
use p2p_core::{Bytes, IoError, Target};
use p2p_examples::{Failure, Line, Output, Stop};
use p2p_napster::Client;
use p2p_napster::client::{Command, Config, Error, Event};
use p2p_transport_tokio::{Folder, Options, Running, spawn};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

/// The port where Napster's users took data connections.
const PORT: u16 = 6699;

/// How a client of this run behaves, but for where it listens.
pub(crate) fn config(login: &Login) -> Result<Config, Failure> {
    let mut config = Config::default();
    config.nick = match &login.nick {
        Some(nick) => Bytes::copy_from_slice(nick.as_bytes()),
        None => format!("p2p{}", random::word(8)?).into(),
    };
    config.password = password(login)?.into();
    config.speed = login.speed;
    config.zlib = login.zlib;
    Ok(config)
}

fn password(login: &Login) -> Result<String, Failure> {
    let given = match &login.password_file {
        Some(file) => Some(first_line(file)?),
        None => std::env::var("NAPSTER_PASSWORD").ok(),
    };
    match given {
        Some(word) if word.is_empty() || word.contains(|c: char| c.is_whitespace() || c == '"') => {
            Err(Failure::new("the protocol has no passwords that are empty, or with spaces or quotes"))
        }
        Some(word) => Ok(word),
        None if login.register => {
            Err(Failure::new("to register a nick, give --password-file or NAPSTER_PASSWORD"))
        }
        None => random::word(16),
    }
}

/// The first line of a file: a password.
pub(crate) fn first_line(file: &Path) -> Result<String, Failure> {
    let text = std::fs::read_to_string(file).map_err(Failure::during(file.display()))?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

/// Options of a driver with files in this folder and a thread for each core to read, write and digest.
fn options(login: &Login, dir: Option<&Path>) -> Result<Options, Failure> {
    let mut options = Options::default();
    options.workers = std::thread::available_parallelism().map_or(2, usize::from);
    // A user's list comes at once: the most that a client takes of one, and some more.
    options.desk.answers_hard = 60_000;
    #[cfg(feature = "tls")]
    if login.is_secured() {
        options = options.with_connector(p2p_examples::trust::connector(&login.ca)?);
    }
    #[cfg(not(feature = "tls"))]
    let _ = login;
    match dir {
        Some(dir) => Ok(options.with_storage(Folder::new(dir).map_err(Failure::during(dir.display()))?)),
        None => Ok(options),
    }
}

/// Where to listen: what was asked for, and whether another port will do if that one is taken.
fn listen(login: &Login, usual: u16) -> (Option<SocketAddr>, bool) {
    if login.firewalled {
        return (None, false);
    }
    if let Some(listen) = login.listen {
        return (Some(listen), false);
    }
    // What all servers are on this machine for needs no door to the outside.
    let is_local = |target: &Target| match target {
        Target::Addr(at) => at.ip().is_loopback(),
        Target::Name { host, .. } => host == "localhost",
    };
    let local = login.servers.iter().chain(&login.metaservers).all(is_local);
    let ip: IpAddr = if local { Ipv4Addr::LOCALHOST.into() } else { Ipv4Addr::UNSPECIFIED.into() };
    (Some(SocketAddr::new(ip, login.port.unwrap_or(usual))), login.port.is_none())
}

/// A client that runs.
pub(crate) struct Session {
    running: Running<Client>,
    pub(crate) nick: Bytes,
}

impl Session {
    /// Starts a client that shares, at the usual port.
    pub(crate) async fn sharing(login: &Login, dir: &Path, out: &mut Output) -> Result<Self, Failure> {
        Self::start(login, Some(dir), PORT, out).await
    }

    /// Starts a client that only asks and fetches, at any port.
    pub(crate) async fn fetching(
        login: &Login,
        dir: Option<&Path>,
        out: &mut Output,
    ) -> Result<Self, Failure> {
        Self::start(login, dir, 0, out).await
    }

    async fn start(login: &Login, dir: Option<&Path>, usual: u16, out: &mut Output) -> Result<Self, Failure> {
        let mut config = config(login)?;
        let nick = config.nick.clone();
        let (at, flexible) = listen(login, usual);
        config.listen = at;
        let mut attempt = attempt(&config, options(login, dir)?).await?;
        if flexible
            && let (Err(Error::Listen { why: IoError::InUse, .. }), Some(at)) = (&attempt, &mut config.listen)
        {
            at.set_port(0);
            attempt = self::attempt(&config, options(login, dir)?).await?;
        }
        let (running, at) = attempt.map_err(Failure::new)?;
        let line = Line::new("listening").text("nick", text::whole(&nick));
        out.event(match at {
            Some(at) => line.text("addr", at),
            None => line,
        });
        Ok(Self { running, nick })
    }

    /// Logs in; false if somebody interrupted. What the client says meanwhile is `told`.
    pub(crate) async fn log_in(
        &mut self,
        login: &Login,
        out: &mut Output,
        stop: &Stop,
        told: fn(&Self, &Event, &mut Output),
    ) -> Result<bool, Failure> {
        let joined = {
            let join = self.running.node.join(login.bootstrap());
            tokio::pin!(join);
            tokio::select! {
                joined = &mut join => joined,
                () = stop.asked() => return Ok(false),
            }
        };
        while let Some(news) = self.running.news.try_next() {
            told(self, &news, out);
        }
        match joined {
            Ok(()) => Ok(true),
            Err(why @ OpError::Failed(Error::Unreachable(IoError::Insecure))) => {
                let hint = "its certificate is not for that name, or not trusted (--ca FILE), or no TLS is spoken there";
                Err(Failure::new(format_args!("{why}: {hint}")))
            }
            Err(why @ OpError::Failed(Error::Unreachable(IoError::TimedOut))) if login.is_secured() => {
                Err(Failure::new(format_args!("{why}: perhaps no TLS is spoken there")))
            }
            Err(why) => Err(Failure::new(why)),
        }
    }

    /// What is told of a login, and of its end.
    pub(crate) fn tell(&self, news: &Event, out: &mut Output) {
        match news {
            Event::LoggedIn { server } => {
                out.event(
                    Line::new("logged_in").text("server", server).text("nick", text::whole(&self.nick)),
                );
                out.note(format_args!("logged in at {server} as {}", text::name(&self.nick)));
            }
            Event::LoggedOut(why) => {
                out.event(Line::new("logged_out").text("why", why));
                out.note(Failure::new(format_args!("logged out: {why}")));
            }
            _ => {}
        }
    }

    pub(crate) const fn node(&self) -> &Node<Client> {
        &self.running.node
    }

    pub(crate) const fn parts(&mut self) -> (&Node<Client>, &mut News<Event>) {
        (&self.running.node, &mut self.running.news)
    }

    /// The next news; a client that is gone has none.
    pub(crate) async fn news(&mut self) -> Result<Event, Failure> {
        self.running.news.next().await.ok_or_else(|| Failure::new("the client stopped"))
    }

    pub(crate) async fn stop(self) {
        self.running.stop().await;
    }

    /// The answers of a question until it ends; `None` if somebody interrupted.
    pub(crate) async fn answers<T>(
        &self,
        command: Command,
        stop: &Stop,
        read: impl Fn(Event) -> Option<T>,
    ) -> Result<Option<Vec<T>>, Failure> {
        let mut asked = self.running.node.ask(command);
        let mut answers = Vec::new();
        loop {
            tokio::select! {
                answer = asked.try_next() => match answer.map_err(Failure::new)? {
                    Some(event) => answers.extend(read(event)),
                    None => return Ok(Some(answers)),
                },
                () = stop.asked() => return Ok(None),
            }
        }
    }
}

type Attempt = Result<(Running<Client>, Option<SocketAddr>), Error>;

/// Runs a client until it listens, or cannot.
async fn attempt(config: &Config, options: Options) -> Result<Attempt, Failure> {
    let mut running = spawn(Client::new(config.clone()), options);
    if config.listen.is_none() {
        return Ok(Ok((running, None)));
    }
    while let Some(news) = running.news.next().await {
        match news {
            Event::Listening(at) => return Ok(Ok((running, Some(at)))),
            Event::NotListening(error) => {
                running.stop().await;
                return Ok(Err(error));
            }
            _ => {}
        }
    }
    Err(Failure::new("the client stopped"))
}
