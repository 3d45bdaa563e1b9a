//! What servers send to clients.

use super::{Hit, Member, Offer, ResumeMatch, SharedFile, Speed, Whois, WireAddr};
use crate::wire::codec::record::Record;
use crate::wire::text::{Fields, Malformed, Writer};

messages! {
    /// A message of a server to a client. It may be as hostile as one of another user.
    ToClient<'a> {
        /// The login failed; the server closes.
        0 LoginError(text: &'a [u8] as rest);
        /// The login worked.
        3 LoginAck(ack: LoginAck<'a> as record);
        /// The answer to a version check; opennap-ng leaves it empty.
        4 Version(text: &'a [u8] as rest);
        /// Where to get a newer program: a server would run code of its choice. Never act on it.
        5 AutoUpgrade(text: &'a [u8] as rest);
        /// The nick is free.
        8 NickFree;
        /// The nick is taken.
        9 NickTaken;
        /// The nick cannot be one.
        10 NickInvalid(text: &'a [u8] as rest);
        /// The password is right.
        12 PasswordOk;
        /// Nobody knows; sent behind a right password by the first servers.
        13 Echo(text: &'a [u8] as rest);
        /// Nothing is shared any more, and how many files were.
        110 UnsharedAll(count: Option<u32> as optional_number);
        /// A hit of a search.
        201 Hit(hit: Hit<'a> as record);
        /// No more hits.
        202 SearchEnd;
        /// The holder agrees: connect. Port 0: ask for a push.
        204 DownloadAck(offer: Offer<'a> as record);
        /// A user says something.
        205 PrivateMessage {
            /// Who says it.
            nick: &'a [u8] as word,
            /// What is said.
            text: &'a [u8] as rest,
        };
        /// The file cannot be had.
        206 DownloadError {
            /// The holder.
            nick: &'a [u8] as word,
            /// The full name.
            file: &'a [u8] as quoted,
        };
        /// A user of the hotlist came.
        209 SignedOn {
            /// The user.
            nick: &'a [u8] as word,
            /// The user's line.
            speed: Speed as number,
        };
        /// A user of the hotlist went, or is not there.
        210 SignedOff(nick: &'a [u8] as word);
        /// One file of a browsed user.
        212 BrowseEntry {
            /// The user.
            nick: &'a [u8] as word,
            /// The file.
            file: SharedFile<'a> as record,
        };
        /// The end of a browse.
        213 BrowseEnd {
            /// The user.
            nick: &'a [u8] as word,
            /// The user's address, where the server says it.
            addr: Option<WireAddr> as optional_number,
        };
        /// The totals.
        214 Stats {
            /// Users online.
            users: u32 as number,
            /// Files shared.
            files: u64 as number,
            /// Their size in GB.
            gigabytes: u64 as number,
        };
        /// A holder of the file asked for by digest.
        216 ResumeMatch(found: ResumeMatch<'a> as record);
        /// No more of them.
        217 ResumeEnd;
        /// The user is on the hotlist now.
        301 HotlistAck(nick: &'a [u8] as word);
        /// The user cannot be put on the hotlist.
        302 HotlistError(nick: &'a [u8] as word);
        /// The server throws the client out.
        316 Disconnecting(text: &'a [u8] as rest);
        /// The end of the ignored users, and how many.
        320 IgnoreListEnd(count: u32 as number);
        /// An ignored user.
        321 IgnoreEntry(nick: &'a [u8] as word);
        /// The user is ignored now.
        322 Ignored(nick: &'a [u8] as word);
        /// The user is not ignored any more.
        323 Unignored(nick: &'a [u8] as word);
        /// The user was not ignored.
        324 NotIgnored(nick: &'a [u8] as word);
        /// The user is ignored already.
        325 AlreadyIgnored(nick: &'a [u8] as word);
        /// Nobody is ignored any more, and how many were.
        326 IgnoreCleared(count: u32 as number);
        /// The client is out of a channel.
        401 Parted(channel: &'a [u8] as rest);
        /// Somebody says something in a channel.
        403 Said {
            /// The channel.
            channel: &'a [u8] as word,
            /// Who.
            nick: &'a [u8] as word,
            /// What.
            text: &'a [u8] as rest,
        };
        /// An error or a mere notice: nothing says which, or what it is about.
        404 Notice(text: &'a [u8] as rest);
        /// The client is in a channel.
        405 Joined(channel: &'a [u8] as rest);
        /// A user came into a channel.
        406 UserJoined(member: Member<'a> as record);
        /// A user left a channel.
        407 UserParted(member: Member<'a> as record);
        /// A user that is in the channel just entered.
        408 Member(member: Member<'a> as record);
        /// No more of them.
        409 MembersEnd(channel: &'a [u8] as rest);
        /// A channel's topic.
        410 Topic {
            /// The channel.
            channel: &'a [u8] as word,
            /// Its topic.
            topic: &'a [u8] as rest,
        };
        /// No more bans of the channel.
        420 ChannelBansEnd(text: &'a [u8] as rest);
        /// A ban of a channel.
        421 ChannelBanEntry(text: &'a [u8] as rest);
        /// A user invites into a channel.
        430 Invited {
            /// The user.
            nick: &'a [u8] as word,
            /// The channel, and what else servers say of it.
            text: &'a [u8] as rest,
        };
        /// A user who cannot be connected to is asked for a file: connect there.
        501 PushOrder(offer: Offer<'a> as record);
        /// A user's line.
        601 LinkSpeed {
            /// The user.
            nick: &'a [u8] as word,
            /// The line.
            speed: Speed as number,
        };
        /// Who a user is.
        604 Whois(whois: Whois<'a> as record);
        /// Who a user was that is not online.
        605 Whowas {
            /// The user.
            nick: &'a [u8] as word,
            /// The level.
            level: &'a [u8] as quoted,
            /// When the user was last seen, in seconds since 1970.
            last_seen: u64 as number,
        };
        /// A user wants a file.
        607 UploadRequest {
            /// Who asks.
            nick: &'a [u8] as word,
            /// The full name.
            file: &'a [u8] as quoted,
            /// The line of a user on a linked server.
            speed: Option<Speed> as optional_number,
        };
        /// A user will not give a file.
        609 UploadRefused {
            /// The holder.
            nick: &'a [u8] as word,
            /// The full name.
            file: &'a [u8] as quoted,
        };
        /// An operator says what the data port is. Never act on it without the application.
        613 SetPort(port: u16 as number);
        /// No more bans.
        615 BanListEnd;
        /// A banned address.
        616 BanEntry {
            /// The address, as text.
            who: &'a [u8] as word,
            /// Who set the ban.
            setter: &'a [u8] as word,
            /// Why.
            reason: &'a [u8] as quoted,
            /// Since when, in seconds since 1970.
            since: u64 as number,
            /// For how many seconds; 0 is for ever.
            seconds: u64 as number,
        };
        /// No more channels.
        617 ChannelListEnd;
        /// A channel.
        618 ChannelEntry {
            /// The channel.
            channel: &'a [u8] as word,
            /// How many are in it.
            users: u32 as number,
            /// Its topic.
            topic: &'a [u8] as rest,
        };
        /// A holder's places are all taken.
        620 QueueLimit {
            /// The holder.
            nick: &'a [u8] as word,
            /// The full name.
            file: &'a [u8] as quoted,
            /// The length in bytes.
            size: u64 as number,
            /// How many downloads are allowed at a time.
            limit: u32 as number,
        };
        /// A line of the message of the day. Some clients read `VERSION` and `SERVER` in the first ones.
        621 Motd(text: &'a [u8] as rest);
        /// A user could not reach the client's data port.
        626 PortError(nick: &'a [u8] as word);
        /// A user says something to the operators.
        627 OperatorMessage {
            /// Who.
            nick: &'a [u8] as word,
            /// What.
            text: &'a [u8] as rest,
        };
        /// An operator says something to everybody.
        628 GlobalMessage {
            /// Who.
            nick: &'a [u8] as word,
            /// What.
            text: &'a [u8] as rest,
        };
        /// A banned nick.
        629 BanEntryNick(text: &'a [u8] as rest);
        /// A user wants to see the files by a direct connection.
        640 BrowseRequest(nick: &'a [u8] as word);
        /// A user will show its files: connect.
        641 BrowseAccepted {
            /// The user.
            nick: &'a [u8] as word,
            /// The user's address.
            addr: WireAddr as number,
            /// The user's data port.
            port: u16 as number,
        };
        /// A user will not show its files, or has none.
        642 BrowseError {
            /// The user.
            nick: &'a [u8] as word,
            /// Why.
            text: Option<&'a [u8]> as optional_quoted,
        };
        /// Somebody logged in with the same nick; the server closes.
        748 GhostLogin(text: &'a [u8] as rest);
        /// Is the client there? Also the answer to the client's own question.
        750 ServerPing(text: &'a [u8] as rest);
        /// A user asks whether the client is there.
        751 Ping {
            /// The user.
            nick: &'a [u8] as word,
            /// What the answer is to repeat.
            text: &'a [u8] as rest,
        };
        /// A user is there.
        752 Pong {
            /// The user.
            nick: &'a [u8] as word,
            /// What was to be repeated.
            text: &'a [u8] as rest,
        };
        /// Go to another server. Never act on it without the application.
        821 Redirect {
            /// The other server.
            host: &'a [u8] as word,
            /// Its port.
            port: u16 as number,
        };
        /// Go to a metaserver. Never act on it without the application.
        822 Cycle(host: &'a [u8] as rest);
        /// Somebody in a channel says what he does.
        824 Emote {
            /// The channel.
            channel: &'a [u8] as word,
            /// Who.
            nick: &'a [u8] as word,
            /// What.
            text: &'a [u8] as quoted,
        };
        /// A user in a channel.
        825 NamesEntry(member: Member<'a> as record);
        /// No more channels.
        827 FullChannelListEnd;
        /// A channel with all that is known of it.
        828 FullChannelEntry {
            /// The channel.
            channel: &'a [u8] as word,
            /// How many are in it.
            users: u32 as number,
            /// A number that is 1 wherever it was seen: whether the channel was made by a user.
            unused: u32 as number,
            /// The level that it needs.
            level: u32 as number,
            /// How many it takes; 0 is any number.
            limit: u32 as number,
            /// Its topic.
            topic: &'a [u8] as quoted,
        };
        /// No more users of the channel.
        830 NamesEnd(channel: &'a [u8] as rest);
        /// A user of all users, as text.
        832 UserListEntry(text: &'a [u8] as rest);
        /// Connect somewhere, for the server's sake. Never act on it.
        900 ConnectTest(text: &'a [u8] as rest);
        /// Listen somewhere, for the server's sake. Never act on it.
        901 ListenTest(text: &'a [u8] as rest);
    }
}

/// The acknowledgement of a login (3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoginAck<'a> {
    /// The mail address that the server has of the user.
    pub email: &'a [u8],
    /// The zlib level, if the client asked for one: all that follows is compressed, both ways. The address is in quotes
    /// then.
    pub zlib: Option<u8>,
}

impl<'a> Record<'a> for LoginAck<'a> {
    fn read(from: &mut Fields<'a>) -> Result<Self, Malformed> {
        Ok(Self {
            email: from.next()?.map_or(&[][..], |field| field.bytes),
            zlib: from.next()?.map(|field| field.number()).transpose()?,
        })
    }
    fn write(&self, to: &mut Writer<'_>) {
        match self.zlib {
            Some(level) => to.quoted(self.email).number(level),
            None if self.email.is_empty() => to,
            None => to.word(self.email),
        };
    }
}
