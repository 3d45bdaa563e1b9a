//! The configuration of `napster serve`: a file in TOML, over the server's own defaults.

use crate::session::first_line;
use p2p_core::{Bytes, Cost, Duration};
use p2p_examples::Failure;
use p2p_napster::link::LinkPeer;
use p2p_napster::server::{self, Limits, LinkConfig, ServerCommand};
use p2p_napster::wire::Level;
use serde::Deserialize;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

/// What a configuration says. Paths are meant from the folder that it lies in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct File {
    /// The server's name, as clients see it: a word.
    pub(crate) name: Option<String>,
    pub(crate) listen: Option<Vec<SocketAddr>>,
    /// What a metaserver tells clients.
    pub(crate) public: Option<SocketAddr>,
    pub(crate) metaserver: Option<SocketAddr>,
    /// Where accounts and bans are kept.
    pub(crate) store: Option<PathBuf>,
    pub(crate) metrics: Option<SocketAddr>,
    pub(crate) motd: Vec<String>,
    /// A file with more lines of it.
    pub(crate) motd_file: Option<PathBuf>,
    pub(crate) registered_only: bool,
    pub(crate) open_registration: Option<bool>,
    /// Seconds between two counts told to each user; 0: never.
    pub(crate) stats_seconds: Option<u64>,
    pub(crate) password_cost: Option<PasswordCost>,
    pub(crate) tls: Option<Tls>,
    /// Accounts that there are to be.
    pub(crate) account: Vec<Account>,
    /// Servers that it links with.
    pub(crate) link: Vec<Link>,
    pub(crate) limits: Numbers,
}

/// How slowly passwords are hashed (argon2id).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PasswordCost {
    memory_kib: u32,
    passes: u32,
}

/// A port for clients that secure their streams.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tls {
    pub(crate) listen: Vec<SocketAddr>,
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

/// An account that there is to be, of an operator as a rule.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Account {
    nick: String,
    /// `Leech`, `User`, `Moderator`, `Admin` or `Elite`.
    level: String,
    password_file: PathBuf,
}

/// Another server, as its operator agreed with ours.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Link {
    name: String,
    /// The password that it has to show, and the one that we show it.
    password_file: PathBuf,
    own_password_file: PathBuf,
    /// Where it is; who dials from elsewhere is refused.
    address: Option<SocketAddr>,
    /// Whether we dial it.
    dial: Option<bool>,
    /// The zlib level that we ask for, 0 to 9.
    zlib: Option<u8>,
    /// The highest level that its users have here.
    trust: Option<String>,
}

/// So many a minute, after so many at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rate {
    per_minute: u64,
    burst: u64,
}

/// What strangers can make the server use; what is left out is as the server has it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Numbers {
    connections: Option<usize>,
    connections_per_address: Option<usize>,
    login_seconds: Option<u64>,
    unread_seconds: Option<u64>,
    unread_bytes: Option<usize>,
    files_per_user: Option<u32>,
    results: Option<u32>,
    result_bytes: Option<usize>,
    browse_files: Option<u32>,
    channels: Option<usize>,
    channels_per_user: Option<usize>,
    channel_members: Option<usize>,
    accounts: Option<usize>,
    bans: Option<usize>,
    hashes_at_once: Option<usize>,
    hashes_waiting: Option<usize>,
    zlib_clients: Option<usize>,
    zlib_compressed: Option<usize>,
    linked_users: Option<usize>,
    linked_search_seconds: Option<u64>,
    logins: Option<Rate>,
    shares: Option<Rate>,
    shares_per_address: Option<Rate>,
    searches: Option<Rate>,
    searches_per_address: Option<Rate>,
    messages: Option<Rate>,
    messages_per_address: Option<Rate>,
}

impl File {
    /// Reads a configuration; without one all is as the server has it.
    pub(crate) fn read(path: Option<&Path>) -> Result<Self, Failure> {
        let Some(path) = path else { return Ok(Self::default()) };
        let shown = path.display();
        let text = std::fs::read_to_string(path).map_err(Failure::during(&shown))?;
        let mut file: Self = toml::from_str(&text).map_err(|error| wrong(&shown, &text, &error))?;
        file.settle(path.parent().unwrap_or_else(|| Path::new("")));
        Ok(file)
    }

    /// Paths are meant from this folder.
    fn settle(&mut self, folder: &Path) {
        let tls = self.tls.iter_mut().flat_map(|tls| [&mut tls.certificate, &mut tls.key]);
        let passwords = self.account.iter_mut().map(|account| &mut account.password_file);
        let links =
            self.link.iter_mut().flat_map(|link| [&mut link.password_file, &mut link.own_password_file]);
        let own = self.store.iter_mut().chain(&mut self.motd_file);
        for path in own.chain(tls).chain(passwords).chain(links) {
            *path = folder.join(&*path);
        }
    }

    /// The server's own configuration.
    pub(crate) fn config(&self) -> Result<server::Config, Failure> {
        let mut config = server::Config::default();
        if let Some(name) = &self.name {
            if name.is_empty()
                || name.len() > 64
                || name.contains(|c: char| c.is_whitespace() || c.is_control())
            {
                return Err(Failure::new("the server's name must be a word"));
            }
            config.name.clone_from(name);
        }
        if let Some(listen) = &self.listen {
            config.listen.clone_from(listen);
        }
        if let Some(tls) = &self.tls {
            config.listen_secured.clone_from(&tls.listen);
        }
        if let Some(cost) = self.password_cost {
            // RFC 9106: 8 KiB a lane, and a pass at least. The upper ends keep a login within seconds.
            if !(8..=1 << 20).contains(&cost.memory_kib) || !(1..=100).contains(&cost.passes) {
                return Err(Failure::new("password_cost: memory_kib is 8 to 1048576, passes 1 to 100"));
            }
            config.cost = Cost { memory: cost.memory_kib, passes: cost.passes };
        }
        config.motd = self.motd()?;
        config.registered_only = self.registered_only;
        config.open_registration = self.open_registration.unwrap_or(config.open_registration);
        if let Some(seconds) = self.stats_seconds {
            config.stats_every = Duration::from_secs(seconds);
        }
        config.links = self.link.iter().map(Link::config).collect::<Result<_, _>>()?;
        config.limits = self.limits();
        Ok(config)
    }

    /// The lines of the message of the day.
    pub(crate) fn motd(&self) -> Result<Vec<Bytes>, Failure> {
        let mut text = self.motd.join("\n").into_bytes();
        if let Some(path) = &self.motd_file {
            if !text.is_empty() {
                text.push(b'\n');
            }
            // Bytes: it is in the operator's own encoding.
            text.extend(std::fs::read(path).map_err(Failure::during(path.display()))?);
        }
        let text = text.strip_suffix(b"\n").unwrap_or(&text);
        if text.is_empty() {
            return Ok(Vec::new());
        }
        let lines = text.split(|byte| *byte == b'\n');
        lines
            .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
            .map(|line| match line.len() {
                0..=1_000 => Ok(Bytes::copy_from_slice(line)),
                _ => Err(Failure::new("a line of the message of the day is longer than 1000 bytes")),
            })
            .collect()
    }

    /// The limits, those left out as the server has them.
    pub(crate) fn limits(&self) -> Limits {
        fn set<T: Copy>(to: &mut T, from: Option<T>) {
            *to = from.unwrap_or(*to);
        }
        fn set_rate(to: &mut server::Rate, from: Option<Rate>) {
            *to = from.map_or(*to, |rate| server::Rate::new(rate.per_minute, rate.burst));
        }
        let numbers = &self.limits;
        let mut limits = Limits::default();
        set(&mut limits.connections, numbers.connections);
        set(&mut limits.connections_per_address, numbers.connections_per_address);
        set(&mut limits.login_patience, numbers.login_seconds.map(Duration::from_secs));
        set(&mut limits.unread_patience, numbers.unread_seconds.map(Duration::from_secs));
        set(&mut limits.unread_bytes, numbers.unread_bytes);
        set(&mut limits.files_per_user, numbers.files_per_user);
        set(&mut limits.results, numbers.results);
        // Who raises the one means that so many come, so the other goes along with it.
        let share = limits.result_bytes / Limits::default().results.max(1) as usize;
        let fitting = share.saturating_mul(limits.results as usize).max(limits.result_bytes);
        limits.result_bytes = numbers.result_bytes.unwrap_or(fitting);
        set(&mut limits.browse_files, numbers.browse_files);
        set(&mut limits.channels, numbers.channels);
        set(&mut limits.channels_per_user, numbers.channels_per_user);
        set(&mut limits.channel_members, numbers.channel_members);
        set(&mut limits.accounts, numbers.accounts);
        set(&mut limits.bans, numbers.bans);
        // A processor is left to the server itself: where all of them hash, others wait for milliseconds.
        let processors = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        limits.derivations = numbers.hashes_at_once.unwrap_or_else(|| (processors - 1).max(1));
        set(&mut limits.derivations_waiting, numbers.hashes_waiting);
        set(&mut limits.zlib, numbers.zlib_clients);
        set(&mut limits.zlib_compressed, numbers.zlib_compressed);
        set(&mut limits.linked_users, numbers.linked_users);
        set(&mut limits.search_patience, numbers.linked_search_seconds.map(Duration::from_secs));
        set_rate(&mut limits.logins, numbers.logins);
        set_rate(&mut limits.shares, numbers.shares);
        set_rate(&mut limits.shares_per_address, numbers.shares_per_address);
        set_rate(&mut limits.searches, numbers.searches);
        set_rate(&mut limits.searches_per_address, numbers.searches_per_address);
        set_rate(&mut limits.messages, numbers.messages);
        set_rate(&mut limits.messages_per_address, numbers.messages_per_address);
        limits
    }

    /// What makes the accounts that there are to be, and their nicks.
    pub(crate) fn accounts(&self) -> Result<Vec<(String, ServerCommand)>, Failure> {
        self.account.iter().map(|account| Ok((account.nick.clone(), account.command()?))).collect()
    }

    /// What of another configuration only takes effect at the next start.
    pub(crate) fn fixed_differences(&self, other: &Self) -> Vec<&'static str> {
        let tls = |file: &Self| file.tls.as_ref().map(|tls| tls.listen.clone());
        [
            ("name", self.name != other.name),
            ("listen", self.listen != other.listen),
            ("public", self.public != other.public),
            ("metaserver", self.metaserver != other.metaserver),
            ("store", self.store != other.store),
            ("metrics", self.metrics != other.metrics),
            ("registered_only", self.registered_only != other.registered_only),
            ("open_registration", self.open_registration != other.open_registration),
            ("stats_seconds", self.stats_seconds != other.stats_seconds),
            ("password_cost", self.password_cost != other.password_cost),
            ("tls.listen", tls(self) != tls(other)),
            ("link", self.link != other.link),
        ]
        .into_iter()
        .filter_map(|(name, differs)| differs.then_some(name))
        .collect()
    }
}

impl Account {
    /// What makes it.
    fn command(&self) -> Result<ServerCommand, Failure> {
        let level = level_of(&self.level)?;
        let password = first_line(&self.password_file)?.into();
        Ok(ServerCommand::Register { nick: self.nick.as_bytes().into(), password, level })
    }
}

fn level_of(name: &str) -> Result<Level, Failure> {
    let level = Level::from_name(name.as_bytes());
    level.ok_or_else(|| {
        Failure::new(format_args!("{name} is no level of Leech, User, Moderator, Admin, Elite"))
    })
}

impl Link {
    fn config(&self) -> Result<LinkConfig, Failure> {
        let level = self.zlib.unwrap_or(6);
        if level > 9 {
            return Err(Failure::new(format_args!("link {}: zlib is 0 to 9", self.name)));
        }
        let peer = LinkPeer {
            name: self.name.as_bytes().into(),
            password: first_line(&self.password_file)?.into_bytes().into(),
            own_password: first_line(&self.own_password_file)?.into_bytes().into(),
            level,
        };
        let mut link = LinkConfig::new(peer);
        link.address = self.address.map(Into::into);
        link.dial = self.dial.unwrap_or(false);
        if link.dial && link.address.is_none() {
            return Err(Failure::new(format_args!("link {}: there is no address to dial", self.name)));
        }
        match &self.trust {
            Some(trust) => Ok(link.trust(level_of(trust)?)),
            None => Ok(link),
        }
    }
}

/// What is wrong with a file, in one line.
fn wrong(shown: &impl std::fmt::Display, text: &str, error: &toml::de::Error) -> Failure {
    let at = error.span().map_or(0, |span| span.start.min(text.len()));
    let line = text.as_bytes().iter().take(at).filter(|byte| **byte == b'\n').count() + 1;
    let what = error.message().lines().collect::<Vec<_>>().join(", ");
    Failure::new(format_args!("{shown} line {line}: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The configuration that shows all there is to say says what holds if nothing is said.
    #[test]
    fn the_example_has_the_defaults() {
        let text = include_str!("../../../napster.toml");
        let file: File = toml::from_str(text).expect("sound TOML");
        let (mut found, usual) = (file.config().expect("sound"), server::Config::default());
        // By how many processors there are.
        found.limits.derivations = usual.limits.derivations;
        assert_eq!(format!("{found:?}"), format!("{usual:?}"));
        // With the remarks taken away, all names are known, and each is there.
        let all: String =
            text.lines().map(|line| line.strip_prefix("#: ").unwrap_or(line).to_owned() + "\n").collect();
        let file: File = toml::from_str(&all).expect("sound TOML");
        let debug = format!("{file:?}");
        assert!(!debug.contains("None"), "something is not shown: {debug}");
        assert_eq!((file.account.len(), file.link.len()), (1, 1));
    }

    #[test]
    fn what_is_wrong_is_said_in_one_line() {
        let text = "name = \"a\"\n[limits]\nconnection = 5\n";
        let error = toml::from_str::<File>(text).expect_err("a name that is unknown");
        let said = wrong(&"file", text, &error).to_string();
        assert!(
            said.starts_with("file line 3: unknown field `connection`") && !said.contains('\n'),
            "{said}"
        );
    }

    #[test]
    fn limits_and_paths() {
        let text =
            "store = \"s.redb\"\n[limits]\nconnections = 7\nsearches = { per_minute = 3, burst = 2 }\n";
        let mut file: File = toml::from_str(text).expect("sound");
        file.settle(Path::new("/etc/napster"));
        assert_eq!(file.store.as_deref(), Some(Path::new("/etc/napster/s.redb")));
        let limits = file.limits();
        assert_eq!((limits.connections, limits.searches), (7, server::Rate::new(3, 2)));
        assert_eq!(limits.results, Limits::default().results);
        let bytes = |text: &str| {
            let file: File = toml::from_str(&format!("[limits]\n{text}")).expect("sound");
            file.limits().result_bytes
        };
        assert_eq!([bytes(""), bytes("results = 5"), bytes("result_bytes = 9")], [65_536, 65_536, 9]);
        assert!((650_000..=655_360).contains(&bytes("results = 1000")));
        assert_eq!(bytes("results = 1000\nresult_bytes = 100000"), 100_000);
        assert_eq!(file.fixed_differences(&File::default()), ["store"]);
    }
}
