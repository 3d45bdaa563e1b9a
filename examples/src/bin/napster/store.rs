//! Accounts and bans on the disk: [`Store`], an embedded database (redb) in one file, each batch of changes in a
//! transaction of its own that is on the device when it ends.
//!
//! | table | key | value |
//! | --- | --- | --- |
//! | `accounts` | nick in lower case | nick, level, salt, hash, cost in KiB, passes, mail, created, seen |
//! | `bans`, `muzzles` | whom, as an operator writes it | by, reason, since, until |
//! | `about` | `version` | 1 |
//!
//! Texts are bytes as they came, times are seconds since 1970. The database's file is locked while it is open, and only its
//! owner may read it.

use p2p_core::{Cost, IoError, UnixTime};
use p2p_examples::Failure;
use p2p_napster::server::{Account, Ban, Banned, Change, Hashed};
use p2p_napster::wire::Level;
use redb::backends::FileBackend;
use redb::{Database, ReadableDatabase, ReadableTable, Table, TableDefinition};
use std::fs::OpenOptions;
use std::path::Path;

type AccountRow<'a> = (&'a [u8], &'a str, &'a [u8; 16], &'a [u8; 32], (u32, u32), &'a [u8], u64, u64);
type BanRow<'a> = (&'a [u8], &'a [u8], u64, Option<u64>);

const ACCOUNTS: TableDefinition<'_, &[u8], AccountRow<'_>> = TableDefinition::new("accounts");
const BANS: TableDefinition<'_, &[u8], BanRow<'_>> = TableDefinition::new("bans");
const MUZZLES: TableDefinition<'_, &[u8], BanRow<'_>> = TableDefinition::new("muzzles");
const ABOUT: TableDefinition<'_, &str, u64> = TableDefinition::new("about");
/// The version of what stands in the tables.
const VERSION: u64 = 1;

/// The database.
#[derive(Debug)]
pub(crate) struct Store {
    database: Database,
}

/// All that is in it.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    pub(crate) accounts: Vec<Account>,
    pub(crate) bans: Vec<(Banned, Ban)>,
    pub(crate) muzzles: Vec<(Banned, Ban)>,
}

impl Store {
    /// Opens the database, made if it is not there.
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        let failed =
            |error: &dyn std::fmt::Display| Failure::new(format_args!("{}: {error}", path.display()));
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path).map_err(|error| failed(&error))?;
        let database = FileBackend::new(file).and_then(|file| redb::Builder::new().create_with_backend(file));
        let database = database.map_err(|error| failed(&error))?;
        let store = Self { database };
        let version = store.prepare().map_err(|error| failed(&error))?;
        if version != VERSION {
            return Err(failed(&format_args!("its version is {version}, not {VERSION}")));
        }
        Ok(store)
    }

    /// Makes the tables that are not there; the version.
    fn prepare(&self) -> Result<u64, redb::Error> {
        let write = self.database.begin_write()?;
        let version = {
            let mut about = write.open_table(ABOUT)?;
            let version = about.get("version")?.map(|version| version.value());
            if version.is_none() {
                about.insert("version", VERSION)?;
            }
            write.open_table(ACCOUNTS)?;
            write.open_table(BANS)?;
            write.open_table(MUZZLES)?;
            version.unwrap_or(VERSION)
        };
        write.commit()?;
        Ok(version)
    }

    /// Reads all of it.
    pub(crate) fn load(&self) -> Result<Kept, Failure> {
        self.read().map_err(Failure::during("reading accounts and bans"))
    }

    fn read(&self) -> Result<Kept, redb::Error> {
        let read = self.database.begin_read()?;
        let mut kept = Kept::default();
        for row in read.open_table(ACCOUNTS)?.iter()? {
            let (_, row) = row?;
            let (nick, level, salt, hash, (memory, passes), email, created, seen) = row.value();
            let password = Hashed { salt: *salt, hash: *hash, cost: Cost { memory, passes } };
            // A level of a later version is no reason to lose the account, and none to trust it.
            let mut account =
                Account::new(nick, Level::from_name(level.as_bytes()).unwrap_or_default(), password);
            account.email = email.into();
            account.created = UnixTime::from_secs(created);
            account.seen = UnixTime::from_secs(seen);
            kept.accounts.push(account);
        }
        for (table, list) in [(BANS, &mut kept.bans), (MUZZLES, &mut kept.muzzles)] {
            for row in read.open_table(table)?.iter()? {
                let (who, row) = row?;
                let (by, reason, since, until) = row.value();
                let ban = Ban {
                    by: by.into(),
                    reason: reason.into(),
                    since: UnixTime::from_secs(since),
                    until: until.map(UnixTime::from_secs),
                };
                list.push((Banned::parse(who.value()), ban));
            }
        }
        Ok(kept)
    }

    /// Keeps all these changes, or none of them. They are on the device when this returns.
    pub(crate) fn keep(&self, changes: &[Change]) -> Result<(), redb::Error> {
        let write = self.database.begin_write()?;
        {
            let mut accounts = write.open_table(ACCOUNTS)?;
            let mut bans = write.open_table(BANS)?;
            let mut muzzles = write.open_table(MUZZLES)?;
            for change in changes {
                match change {
                    Change::Account(account) => {
                        let password = &account.password;
                        let row: AccountRow<'_> = (
                            &account.nick,
                            account.level.name(),
                            &password.salt,
                            &password.hash,
                            (password.cost.memory, password.cost.passes),
                            &account.email,
                            account.created.as_secs(),
                            account.seen.as_secs(),
                        );
                        accounts.insert(account.nick.to_ascii_lowercase().as_slice(), row)?;
                    }
                    Change::Unregistered(nick) => {
                        accounts.remove(nick.to_ascii_lowercase().as_slice())?;
                    }
                    Change::Banned(who, ban) => put(&mut bans, who, ban)?,
                    Change::Muzzled(who, ban) => put(&mut muzzles, who, ban)?,
                    Change::Unbanned(who) => drop(bans.remove(who.text().as_slice())?),
                    Change::Unmuzzled(who) => drop(muzzles.remove(who.text().as_slice())?),
                    // Nothing that this version knows how to keep: the machine must not take it for kept.
                    _ => return Err(redb::Error::ValueTooLarge(0)),
                }
            }
        }
        write.commit()?;
        Ok(())
    }
}

fn put(
    table: &mut Table<'_, &'static [u8], BanRow<'static>>,
    who: &Banned,
    ban: &Ban,
) -> Result<(), redb::StorageError> {
    let row: BanRow<'_> = (&ban.by, &ban.reason, ban.since.as_secs(), ban.until.map(UnixTime::as_secs));
    table.insert(who.text().as_slice(), row)?;
    Ok(())
}

/// Why something was not kept, in the words of the machine.
pub(crate) fn reason(error: &redb::Error) -> IoError {
    match error {
        redb::Error::Io(error) => p2p_transport_tokio::io_error(error),
        _ => IoError::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    struct Place(PathBuf);

    impl Drop for Place {
        fn drop(&mut self) {
            let _ = std::fs::remove_file(&self.0);
        }
    }

    fn place(name: &str) -> Place {
        let path = std::env::temp_dir().join(format!("p2p-napster-store-{name}-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        Place(path)
    }

    fn account(nick: &[u8], level: Level) -> Account {
        let cost = Cost { memory: 8, passes: 1 };
        let mut account = Account::new(nick, level, Hashed { salt: [7; 16], hash: [9; 32], cost });
        account.email = b"a@b\xff"[..].into();
        account.created = UnixTime::from_secs(5);
        account.seen = UnixTime::from_secs(6);
        account
    }

    fn ban(until: Option<u64>) -> Ban {
        let until = until.map(UnixTime::from_secs);
        Ban { by: b"op"[..].into(), reason: b"two words\n"[..].into(), since: UnixTime::from_secs(5), until }
    }

    #[test]
    fn what_is_kept_is_read_again() {
        let place = place("all");
        let (boss, eve) = (account(b"Boss", Level::Elite), account(b"J\xf6rg", Level::User));
        let (network, nick) = (Banned::parse(b"10.0.0.0/8"), Banned::parse(b"mal"));
        let store = Store::open(&place.0).expect("a store");
        store
            .keep(&[
                Change::Account(account(b"BOSS", Level::User)),
                Change::Account(eve.clone()),
                Change::Account(account(b"gone", Level::User)),
                Change::Banned(network.clone(), ban(Some(9))),
                Change::Banned(nick.clone(), ban(None)),
                Change::Muzzled(nick.clone(), ban(None)),
            ])
            .expect("kept");
        store
            .keep(&[
                Change::Account(boss.clone()),
                Change::Unregistered(b"GONE"[..].into()),
                Change::Unbanned(nick.clone()),
            ])
            .expect("kept");
        assert!(Store::open(&place.0).is_err(), "it is locked");
        drop(store);
        let kept = Store::open(&place.0).expect("a store").load().expect("all");
        assert_eq!(kept.accounts, [boss, eve]);
        assert_eq!(kept.bans, [(network, ban(Some(9)))]);
        assert_eq!(kept.muzzles, [(nick, ban(None))]);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(&place.0).expect("a file").permissions().mode();
            assert_eq!(mode & 0o077, 0, "it is nobody else's to read");
        }
    }

    #[test]
    fn a_file_of_something_else_is_no_store() {
        let place = place("junk");
        std::fs::write(&place.0, vec![b'x'; 10_000]).expect("written");
        assert!(Store::open(&place.0).is_err());
        assert_eq!(std::fs::read(&place.0).expect("read"), vec![b'x'; 10_000], "and it is left alone");
    }
}
