//! What clients send to servers.

use super::{Level, Login, ShareDirectory, SharedFile, Speed};
use crate::wire::query::Query;

messages! {
    /// A message of a client to its server.
    ToServer<'a> {
        /// Logs in; a nick that nobody registered is free to use.
        2 Login(login: Login<'a> as record);
        /// Asks for the newest version of the client.
        4 VersionCheck(version: &'a [u8] as rest);
        /// Registers a nick and logs in.
        6 Register(login: Login<'a> as record);
        /// Whether a nick is free. More than one word is no nick.
        7 CheckNick(nick: &'a [u8] as rest);
        /// Whether a password is right.
        11 CheckPassword {
            /// The nick.
            nick: &'a [u8] as word,
            /// The password.
            password: &'a [u8] as secret,
        };
        /// Name, address, income: for a registration that nobody runs any more.
        14 RegistrationDetails(text: &'a [u8] as rest);
        /// Shares a file.
        100 Share(file: SharedFile<'a> as record);
        /// Shares a file no more. The name is written without quotes.
        102 Unshare(file: &'a [u8] as rest);
        /// Shares nothing any more.
        110 UnshareAll;
        /// Searches.
        200 Search(query: Query<'a> as record);
        /// Asks for a file of a user.
        203 Download {
            /// The holder.
            nick: &'a [u8] as word,
            /// The full name.
            file: &'a [u8] as quoted,
        };
        /// Says something to one user.
        205 PrivateMessage {
            /// Who is to get it.
            nick: &'a [u8] as word,
            /// What is said.
            text: &'a [u8] as rest,
        };
        /// Tell me when this user comes and goes.
        207 HotlistAdd(nick: &'a [u8] as word);
        /// The same, sent at login for each user of the client's list.
        208 HotlistInitial(nick: &'a [u8] as word);
        /// Asks what a user shares.
        211 Browse(nick: &'a [u8] as word);
        /// Asks for the totals.
        214 Stats;
        /// Who has this file?
        215 Resume {
            /// The digest's field.
            md5: &'a [u8] as word,
            /// The length in bytes.
            size: u64 as number,
        };
        /// A download began.
        218 DownloadStart;
        /// A download ended.
        219 DownloadEnd;
        /// An upload began.
        220 UploadStart;
        /// An upload ended.
        221 UploadEnd;
        /// Another data port, for servers that test it.
        300 OptionalPort(port: u16 as number);
        /// Takes a user off the hotlist.
        303 HotlistRemove(nick: &'a [u8] as word);
        /// Asks for the ignored users.
        320 IgnoreList;
        /// Takes no messages of this user.
        322 Ignore(nick: &'a [u8] as word);
        /// Takes messages of this user again.
        323 Unignore(nick: &'a [u8] as word);
        /// Ignores nobody any more.
        326 IgnoreClear;
        /// Enters a channel. The name ends at a space.
        400 JoinChannel(channel: &'a [u8] as rest);
        /// Leaves a channel.
        401 PartChannel(channel: &'a [u8] as rest);
        /// Says something in a channel.
        402 Say {
            /// The channel.
            channel: &'a [u8] as word,
            /// What is said.
            text: &'a [u8] as rest,
        };
        /// Asks for a channel's topic, or sets it.
        410 SetTopic {
            /// The channel.
            channel: &'a [u8] as word,
            /// The new topic.
            topic: &'a [u8] as rest,
        };
        /// Asks who is banned from a channel.
        420 ChannelBanList(channel: &'a [u8] as word);
        /// Bans from a channel.
        422 ChannelBan {
            /// The channel.
            channel: &'a [u8] as word,
            /// A nick or an address.
            who: &'a [u8] as word,
            /// Why.
            reason: Option<&'a [u8]> as optional_quoted,
        };
        /// Lifts a ban of a channel.
        423 ChannelUnban {
            /// The channel.
            channel: &'a [u8] as word,
            /// A nick or an address.
            who: &'a [u8] as word,
            /// Why.
            reason: Option<&'a [u8]> as optional_quoted,
        };
        /// Lifts all bans of a channel.
        424 ChannelBanClear(channel: &'a [u8] as word);
        /// Invites a user into a channel.
        430 Invite {
            /// The user.
            nick: &'a [u8] as word,
            /// The channel.
            channel: &'a [u8] as word,
        };
        /// Asks a user who cannot be connected to for a file: the user is to connect.
        500 DownloadFirewalled {
            /// The holder.
            nick: &'a [u8] as word,
            /// The full name.
            file: &'a [u8] as quoted,
        };
        /// Asks for a user's line.
        600 LinkSpeed(nick: &'a [u8] as word);
        /// Asks who a user is.
        603 Whois(nick: &'a [u8] as word);
        /// Gives a user another level.
        606 SetLevel {
            /// The user.
            nick: &'a [u8] as word,
            /// The new level.
            level: Level as record,
        };
        /// Will give a file to a user.
        608 AcceptUpload {
            /// Who asked.
            nick: &'a [u8] as word,
            /// The full name.
            file: &'a [u8] as quoted,
        };
        /// Will not give a file to a user.
        609 RefuseUpload {
            /// Who asked.
            nick: &'a [u8] as word,
            /// The full name.
            file: &'a [u8] as quoted,
        };
        /// Throws a user out.
        610 Kill {
            /// The user.
            nick: &'a [u8] as word,
            /// Why.
            reason: Option<&'a [u8]> as optional_quoted,
        };
        /// Deletes an account.
        611 Nuke(nick: &'a [u8] as word);
        /// Bans a user or an address.
        612 Ban {
            /// A nick or an address.
            who: &'a [u8] as word,
            /// Why.
            reason: Option<&'a [u8]> as optional_quoted,
        };
        /// Corrects another user's data port.
        613 SetPort {
            /// The user.
            nick: &'a [u8] as word,
            /// The port.
            port: u16 as number,
        };
        /// Lifts a ban.
        614 Unban {
            /// A nick or an address.
            who: &'a [u8] as word,
            /// Why.
            reason: Option<&'a [u8]> as optional_quoted,
        };
        /// Asks who is banned.
        615 BanList;
        /// Asks for the channels.
        617 ChannelList;
        /// Tells a user that all places are taken.
        619 QueueLimit {
            /// Who asked.
            nick: &'a [u8] as word,
            /// The full name.
            file: &'a [u8] as quoted,
            /// How many downloads are allowed at a time.
            limit: u32 as number,
        };
        /// Asks for the message of the day.
        621 Motd;
        /// Silences a user.
        622 Muzzle {
            /// The user.
            nick: &'a [u8] as word,
            /// Why.
            reason: Option<&'a [u8]> as optional_quoted,
        };
        /// Lets a user speak again.
        623 Unmuzzle {
            /// The user.
            nick: &'a [u8] as word,
            /// Why.
            reason: Option<&'a [u8]> as optional_quoted,
        };
        /// Takes the deletion of an account back.
        624 Unnuke(nick: &'a [u8] as word);
        /// Corrects another user's line.
        625 SetSpeed {
            /// The user.
            nick: &'a [u8] as word,
            /// The line.
            speed: Speed as number,
        };
        /// This user's data port cannot be reached.
        626 PortError(nick: &'a [u8] as word);
        /// Says something to all operators.
        627 OperatorMessage(text: &'a [u8] as rest);
        /// Says something to everybody.
        628 GlobalMessage(text: &'a [u8] as rest);
        /// Wants to see a user's files by a direct connection.
        640 DirectBrowse(nick: &'a [u8] as word);
        /// Will show its files.
        641 AcceptBrowse(nick: &'a [u8] as word);
        /// Will not show its files.
        642 RefuseBrowse {
            /// Who asked.
            nick: &'a [u8] as word,
            /// Why.
            text: Option<&'a [u8]> as optional_quoted,
        };
        /// An operator hides, or shows himself again.
        652 Cloak;
        /// The own line is another now.
        700 SetOwnSpeed(speed: Speed as number);
        /// The own password shall be another.
        701 SetOwnPassword(password: &'a [u8] as secret_rest);
        /// The own mail address is another now.
        702 SetOwnEmail(email: &'a [u8] as rest);
        /// The own data port is another now.
        703 DataPort(port: u16 as number);
        /// Is the server there?
        750 ServerPing(text: &'a [u8] as rest);
        /// Is a user there?
        751 Ping {
            /// The user.
            nick: &'a [u8] as word,
            /// What the answer is to repeat.
            text: &'a [u8] as rest,
        };
        /// Yes.
        752 Pong {
            /// Who asked.
            nick: &'a [u8] as word,
            /// What was to be repeated.
            text: &'a [u8] as rest,
        };
        /// Gives a user another password.
        753 SetPassword {
            /// The user.
            nick: &'a [u8] as word,
            /// The password.
            password: &'a [u8] as secret,
            /// Why.
            reason: Option<&'a [u8]> as optional_quoted,
        };
        /// Has the server read its configuration again.
        800 ReloadConfig(text: &'a [u8] as rest);
        /// Asks for the server's version.
        801 ServerVersion;
        /// Sets a value of the server's configuration.
        810 SetConfig(text: &'a [u8] as rest);
        /// Throws everybody out of a channel.
        820 ClearChannel(channel: &'a [u8] as rest);
        /// Sends a user to another server.
        821 Redirect {
            /// The user.
            nick: &'a [u8] as word,
            /// The other server.
            host: &'a [u8] as word,
            /// Its port.
            port: u16 as number,
        };
        /// Sends a user to a metaserver.
        822 Cycle {
            /// The user.
            nick: &'a [u8] as word,
            /// The metaserver.
            host: &'a [u8] as word,
        };
        /// Asks for the level that a channel needs, or sets it.
        823 ChannelLevel {
            /// The channel.
            channel: &'a [u8] as word,
            /// The new level.
            level: Option<&'a [u8]> as optional_word,
        };
        /// Says what the sender does, in a channel.
        824 Emote {
            /// The channel.
            channel: &'a [u8] as word,
            /// What is done.
            text: &'a [u8] as quoted,
        };
        /// Asks how many a channel takes, or sets it.
        826 ChannelLimit {
            /// The channel.
            channel: &'a [u8] as word,
            /// The new limit.
            limit: Option<u32> as optional_number,
        };
        /// Asks for the channels with all that is known of them.
        827 FullChannelList;
        /// Throws a user out of a channel.
        829 Kick {
            /// The channel.
            channel: &'a [u8] as word,
            /// The user.
            nick: &'a [u8] as word,
            /// Why.
            reason: Option<&'a [u8]> as optional_quoted,
        };
        /// Asks who is in a channel.
        830 ChannelNames(channel: &'a [u8] as rest);
        /// Asks for all users.
        831 UserList(text: &'a [u8] as rest);
        /// Shares files of one folder.
        870 ShareDirectory(directory: ShareDirectory<'a> as record);
        /// Shares a file that is no MP3.
        10300 ShareMedia {
            /// The full name.
            name: &'a [u8] as quoted,
            /// The length in bytes.
            size: u64 as number,
            /// The digest's field.
            md5: &'a [u8] as word,
            /// `audio`, `video`, `application`, `image` or `text`.
            media: &'a [u8] as word,
        };
    }
}
