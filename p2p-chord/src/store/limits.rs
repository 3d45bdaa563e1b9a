//! How much a node stores for others: [`Limits`].

use p2p_core::Duration;

/// How much a node stores, of everybody and of one block of addresses (an IPv4 /24, an IPv6 /64).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes in all, with 320 for each record: 64 MiB, a thousand of the largest values.
    pub bytes: usize,
    /// Records in all: 65,536, with small values a third of the bytes.
    pub records: usize,
    /// Bytes of one publisher's block: an eighth of all, so that it takes several blocks to fill a node.
    pub publisher_bytes: usize,
    /// Records of one publisher's block: an eighth of all.
    pub publisher_records: usize,
    /// Bytes of copies that nodes of one block may hand over: half of all at once, and as much again in
    /// [`Self::copies_time`]. Whom they name as publishers cannot be checked, so this is what holds a node that lies.
    pub copies_bytes: usize,
    /// See there: an hour.
    pub copies_time: Duration,
    /// Providers of one key: 128. More than anybody asks, and a list of them stays below 12 KiB.
    pub providers: usize,
    /// Providers of one key from one block: 8. A household behind one address has no more; it takes 16 blocks to fill
    /// a key's list.
    pub providers_alike: usize,
    /// The longest that anything is kept after it was put last: 25 hours, so that who republishes once a day is safe.
    pub ttl: Duration,
    /// Bytes of records that are none of its business and that many ask it for on their way: 4 MiB; 0 for none. See
    /// [`Get::fresh`](crate::Get::fresh).
    pub cache_bytes: usize,
    /// How long such a record is good for if it can change: 30 s. What never changes is, for as long as it would be kept
    /// where it came from.
    pub cache_mutable: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes: 64 << 20,
            records: 65_536,
            publisher_bytes: 8 << 20,
            publisher_records: 8_192,
            copies_bytes: 32 << 20,
            copies_time: Duration::from_secs(3_600),
            providers: 128,
            providers_alike: 8,
            ttl: Duration::from_secs(25 * 3_600),
            cache_bytes: 4 << 20,
            cache_mutable: Duration::from_secs(30),
        }
    }
}
