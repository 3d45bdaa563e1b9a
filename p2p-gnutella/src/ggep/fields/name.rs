//! The names of fields, by the messages that they stand in.
//!
//! Sources: gtk-gnutella's `doc/public/GGEP`, its IPv6-Ready, out-of-band-v3, GUESS and head_pong; the rest as in use.

macro_rules! names {
    ($($(#[$group:meta])* { $($(#[$doc:meta])* $name:ident $text:literal)* })*) => {
        $($($(#[$doc])* pub const $name: &str = $text;)*)*

        /// All names of this file.
        pub const ALL: &[&str] = &[$($($text,)*)*];
    };
}

names! {
    // Files: in the records of hits, and H and u in queries.
    {
        /// A digest in binary: see [`parse_h`](super::parse_h).
        H "H"
        /// A URN without `urn:`.
        URN "u"
        /// The root of the tiger tree, 24 bytes.
        TTH "TT"
        /// Other holders, IPv4.
        ALT "ALT"
        /// Which of `ALT` speak TLS.
        ALT_TLS "ALT_TLS"
        /// Other holders, IPv6.
        ALT6 "ALT6"
        /// Which of `ALT6` speak TLS.
        ALT6_TLS "ALT6_TLS"
        /// When the file was made, in seconds since 1970.
        CREATED "CT"
        /// The size of a file of 2 GiB and more.
        LARGE_FILE "LF"
        /// The file is there in part: [`partial_result`](super::partial_result).
        PARTIAL "PRU"
        /// The folder that the file is in.
        PATH "PATH"
    }
    // Pings and pongs.
    {
        /// A ping that asks for cached pongs, or a pong's flags: [`Scp`](super::Scp).
        CACHED_PONGS "SCP"
        /// Hosts, IPv4.
        HOSTS "IPP"
        /// Which of `IPP` speak TLS.
        HOSTS_TLS "IPP_TLS"
        /// Hosts, IPv6.
        HOSTS6 "IPP6"
        /// Which of `IPP6` speak TLS.
        HOSTS6_TLS "IPP6_TLS"
        /// UDP host caches as text: [`host_caches`](super::host_caches).
        HOST_CACHES "PHC"
        /// The sender is a UDP host cache; its name, if it has one.
        UDP_HOST_CACHE "UDPHC"
        /// The sender's vendor and version: [`PeerVersion`](super::PeerVersion).
        VENDOR "VC"
        /// An ultrapeer, and its free places: [`Slots`](super::Slots).
        ULTRAPEER "UP"
        /// GUESS, and its version in half-bytes.
        GUESS "GUE"
        /// How long the sender is up on average a day, in seconds.
        UPTIME "DU"
        /// The sender speaks TLS.
        TLS "TLS"
        /// The address and port that the receiver was seen at.
        SEEN_AT "IP"
        /// The sender's IPv6 address.
        IPV6 "6"
        /// A key that queries by UDP must carry, 4 to 16 bytes.
        QUERY_KEY "QK"
        /// The sender is in the Gnutella DHT.
        DHT "DHT"
        /// Nodes of the DHT, IPv4.
        DHT_HOSTS "DHTIPP"
        /// The sender's language.
        LOCALE "LOC"
        /// The sender's name in the domain name system.
        HOST_NAME "HNAME"
    }
    // Queries.
    {
        /// Partial files are welcome.
        PARTIAL_WANTED "PR"
        /// Ultrapeers shall not take the hits themselves.
        NO_PROXY "NP"
        /// The newest files are asked for.
        WHATS_NEW "WH"
        /// Media: [`media`](super::media).
        MEDIA "M"
        /// Hits by UDP bear this token; empty in a query.
        SECURE_OOB "SO"
        /// IPv6 addresses are welcome; bit 0: and no others.
        IPV6_WANTED "I6"
        /// The query's text, if it is too long for the old place.
        EXTENDED_QUERY "XQ"
        /// The answer may be deflated.
        DEFLATED_UDP "Z"
    }
    // The private data of hits.
    {
        /// The sender's files can be browsed.
        BROWSE "BH"
        /// Push proxies, IPv4; in a HEAD ping the GUID of the servent that is meant.
        PUSH "PUSH"
        /// Which of `PUSH` speak TLS.
        PUSH_TLS "PUSH_TLS"
        /// Push proxies, IPv6.
        PUSH6 "PUSH6"
        /// Transfers between two firewalled servents, and their version.
        FIREWALL_TRANSFER "FW"
        /// The sender's exact version: [`GtkgVersion`](super::GtkgVersion).
        GTKG_VERSION "GTKGV"
    }
    // HEAD pongs, version 2.
    {
        /// The outcome.
        HEAD_CODE "C"
        /// The sender's vendor code.
        HEAD_VENDOR "V"
        /// Flags: bit 0, the sender speaks TLS.
        HEAD_FLAGS "F"
        /// Places in the queue.
        HEAD_QUEUE "Q"
        /// Other holders, IPv4.
        HEAD_ALT "A"
        /// Which of `A` speak TLS.
        HEAD_ALT_TLS "T"
        /// Other holders, IPv6.
        HEAD_ALT6 "A6"
        /// Which of `A6` speak TLS.
        HEAD_ALT6_TLS "T6"
        /// Other holders behind firewalls.
        HEAD_PUSH "P"
    }
}
