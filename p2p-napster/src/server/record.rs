//! What is stored of accounts and bans: [`Record`]s, a line each, in the order in which they became true.
//!
//! | line | fields |
//! | --- | --- |
//! | `a` | nick, level, salt, hash, cost in KiB, passes, mail, created, seen |
//! | `x` | nick: the account is gone |
//! | `b`, `m` | whom, by, reason, since, until or `-`: a ban, a muzzle |
//! | `c`, `u` | whom: the ban, the muzzle is lifted |
//!
//! Texts are in hexadecimal, times in seconds since 1970, and each line ends with its FNV-1a hash: a line that a crash
//! cut, or half overwrote, does not pass.

use super::accounts::{Account, Hashed};
use super::bans::{Ban, Banned};
use crate::wire::message::Level;
use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::vec::Vec;
use bytes::{BufMut, BytesMut};
use core::fmt::Write as _;
use core::str::{self, FromStr, Split};
use p2p_core::{Cost, UnixTime};

/// Something that became true.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Record<'a> {
    /// There is this account, in place of any before of the same nick.
    Account(Cow<'a, Account>),
    /// There is no account of this nick any more.
    Gone(Cow<'a, [u8]>),
    /// Somebody is banned, or muzzled.
    Ban(Kind, Cow<'a, Banned>, Cow<'a, Ban>),
    /// Is no longer.
    Lifted(Kind, Cow<'a, Banned>),
}

/// What somebody may not do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Log in.
    Ban,
    /// Speak.
    Muzzle,
}

impl Record<'_> {
    /// Appends the line.
    pub(super) fn encode(&self, out: &mut BytesMut) {
        let start = out.len();
        match self {
            Self::Account(account) => {
                out.put_slice(b"a ");
                hex(out, &account.nick);
                let _ = write!(out, "{} ", level_number(account.level));
                hex(out, &account.password.salt);
                hex(out, &account.password.hash);
                let cost = account.password.cost;
                let _ = write!(out, "{} {} ", cost.memory, cost.passes);
                hex(out, &account.email);
                let _ = write!(out, "{} {} ", account.created.as_secs(), account.seen.as_secs());
            }
            Self::Gone(nick) => {
                out.put_slice(b"x ");
                hex(out, nick);
            }
            Self::Ban(kind, who, ban) => {
                out.put_slice(if *kind == Kind::Ban { b"b " } else { b"m " });
                hex(out, &who.text());
                hex(out, &ban.by);
                hex(out, &ban.reason);
                let _ = write!(out, "{} ", ban.since.as_secs());
                match ban.until {
                    Some(until) => drop(write!(out, "{} ", until.as_secs())),
                    None => out.put_slice(b"- "),
                }
            }
            Self::Lifted(kind, who) => {
                out.put_slice(if *kind == Kind::Ban { b"c " } else { b"u " });
                hex(out, &who.text());
            }
        }
        let check = fnv(out.get(start..).unwrap_or_default());
        let _ = writeln!(out, "{check:016x}");
    }
}

impl Record<'static> {
    /// Reads a line without its end; `None` if it is not whole.
    pub(super) fn parse(line: &[u8]) -> Option<Self> {
        let line = str::from_utf8(line).ok()?;
        let (body, check) = line.split_at_checked(line.len().checked_sub(16)?)?;
        if u64::from_str_radix(check, 16).ok()? != fnv(body.as_bytes()) {
            return None;
        }
        let mut fields = body.split(' ');
        let record = match fields.next()? {
            "a" => Self::Account(Cow::Owned(account(&mut fields)?)),
            "x" => Self::Gone(Cow::Owned(text(&mut fields)?)),
            "b" => ban(Kind::Ban, &mut fields)?,
            "m" => ban(Kind::Muzzle, &mut fields)?,
            "c" => Self::Lifted(Kind::Ban, Cow::Owned(Banned::parse(&text(&mut fields)?))),
            "u" => Self::Lifted(Kind::Muzzle, Cow::Owned(Banned::parse(&text(&mut fields)?))),
            _ => return None,
        };
        Some(record)
    }
}

fn account(fields: &mut Split<'_, char>) -> Option<Account> {
    Some(Account {
        nick: text(fields)?.into(),
        level: level_of(number(fields)?)?,
        password: Hashed {
            salt: text(fields)?.try_into().ok()?,
            hash: text(fields)?.try_into().ok()?,
            cost: Cost { memory: number(fields)?, passes: number(fields)? },
        },
        email: text(fields)?.into(),
        created: UnixTime::from_secs(number(fields)?),
        seen: UnixTime::from_secs(number(fields)?),
    })
}

fn ban(kind: Kind, fields: &mut Split<'_, char>) -> Option<Record<'static>> {
    let who = Banned::parse(&text(fields)?);
    let (by, reason): (Box<[u8]>, Box<[u8]>) = (text(fields)?.into(), text(fields)?.into());
    let since = UnixTime::from_secs(number(fields)?);
    let until = match fields.next()? {
        "-" => None,
        until => Some(UnixTime::from_secs(until.parse().ok()?)),
    };
    let ban = Ban { by, reason, since, until };
    Some(Record::Ban(kind, Cow::Owned(who), Cow::Owned(ban)))
}

const fn level_number(level: Level) -> u8 {
    match level {
        Level::Leech => 0,
        Level::User => 1,
        Level::Moderator => 2,
        Level::Admin => 3,
        Level::Elite => 4,
    }
}

const fn level_of(number: u8) -> Option<Level> {
    Some(match number {
        0 => Level::Leech,
        1 => Level::User,
        2 => Level::Moderator,
        3 => Level::Admin,
        4 => Level::Elite,
        _ => return None,
    })
}

/// A text and the space behind it; an empty one is a dot, so that no field is empty.
fn hex(out: &mut BytesMut, text: &[u8]) {
    if text.is_empty() {
        out.put_u8(b'.');
    }
    for byte in text {
        let _ = write!(out, "{byte:02x}");
    }
    out.put_u8(b' ');
}

fn text(fields: &mut Split<'_, char>) -> Option<Vec<u8>> {
    let field = fields.next()?;
    if field == "." {
        return Some(Vec::new());
    }
    let digits = field.as_bytes();
    if digits.is_empty() || !digits.len().is_multiple_of(2) {
        return None;
    }
    digits.chunks(2).map(|pair| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok()).collect()
}

fn number<T: FromStr>(fields: &mut Split<'_, char>) -> Option<T> {
    fields.next()?.parse().ok()
}

/// FNV-1a of 64 bits: finds torn lines, and needs to find nothing else.
fn fnv(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records() -> Vec<Record<'static>> {
        let account = Account {
            nick: b"J\xf6rg"[..].into(),
            level: Level::Admin,
            password: Hashed { salt: [7; 16], hash: [9; 32], cost: Cost::default() },
            email: b""[..].into(),
            created: UnixTime::from_secs(1_000),
            seen: UnixTime::from_secs(2_000),
        };
        let until = Some(UnixTime::from_secs(9));
        let ban = Ban {
            by: b"op"[..].into(),
            reason: b"two words\n"[..].into(),
            since: UnixTime::from_secs(5),
            until,
        };
        let who = Banned::parse(b"10.0.0.0/8");
        [
            Record::Account(Cow::Owned(account)),
            Record::Gone(Cow::Owned(b"eve".to_vec())),
            Record::Ban(Kind::Ban, Cow::Owned(who.clone()), Cow::Owned(ban.clone())),
            Record::Ban(
                Kind::Muzzle,
                Cow::Owned(Banned::parse(b"eve")),
                Cow::Owned(Ban { until: None, ..ban }),
            ),
            Record::Lifted(Kind::Ban, Cow::Owned(who.clone())),
            Record::Lifted(Kind::Muzzle, Cow::Owned(who)),
        ]
        .into()
    }

    #[test]
    fn what_is_written_is_read() {
        for record in records() {
            let mut line = BytesMut::new();
            record.encode(&mut line);
            assert_eq!(line.last(), Some(&b'\n'));
            assert_eq!(Record::parse(&line[..line.len() - 1]), Some(record));
        }
    }

    #[test]
    fn a_torn_line_is_none() {
        for record in records() {
            let mut line = BytesMut::new();
            record.encode(&mut line);
            let line = &line[..line.len() - 1];
            for cut in 0..line.len() {
                assert_eq!(Record::parse(&line[..cut]), None);
                assert_eq!(Record::parse(&line[cut + 1..]), None);
                let mut changed = line.to_vec();
                changed[cut] ^= 1;
                assert_eq!(Record::parse(&changed), None);
            }
        }
    }
}
