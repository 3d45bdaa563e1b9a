//! What is stored on the ring: [`Record`], of one of four [`Kind`]s, each at the place that its content gives it.
//!
//! | kind | place on the ring | who may change it | checked by whoever stores or fetches it |
//! | --- | --- | --- | --- |
//! | [`Value`](Record::Value) | SHA-256 of the value, its first 160 bits | nobody | the hash |
//! | [`Signed`] | SHA-256 of public key and salt, joined, its first 160 bits | who has the secret key | the signature (BEP 44) |
//! | [`Coded`] | SHA-256 of a tree over its [`Fragment`]s | nobody | the hash, each fragment by itself |
//! | [`Provider`] | what the publisher chose, [`Provider::place_of`] for a file | one for each address | the address it came from, by who is responsible |
//!
//! A record is written in [postcard](https://postcard.jamesmunns.com/wire-format): numbers as varints, byte strings
//! behind their length as a varint, arrays as they are, an enum behind its number.
//!
//! | record | fields in order |
//! | --- | --- |
//! | 0, value | the bytes |
//! | 1, signed | public key (32 bytes), salt (at most [`MAX_SALT`] bytes), sequence number (below 2^63), value, signature (64 bytes) |
//! | 2, provider | place on the ring (20 bytes), address ([`Place`]), SHA-256 of the content (32 bytes), its size in bytes |
//! | 3, coded | root of the tree (32 bytes), the value: on its way only, it is kept in fragments |
//! | 4, fragment | root of the tree (32 bytes), length of the value, number of the fragment (1 byte), its bytes, proof (a list of 32 bytes each) |
//! | 5, pointer | key (20 bytes), kind (a number), sequence number, when it was written (seconds since 1970), who has it ([`Place`]s) |

mod coded;
mod pointer;
mod signed;

pub use coded::{Coded, ENOUGH, FRAGMENTS, Fragment};
pub(crate) use pointer::MOST as POINTED;
pub use pointer::Pointer;
pub use signed::{PublicKey, SecretKey, Signed};

use crate::id::RingId;
use crate::peer::Place;
use bytes::Bytes;
use core::net::SocketAddr;
use serde::{Deserialize, Serialize};

/// The longest value in bytes. What is larger is to be published as a file, of which the ring only knows who has it.
pub const MAX_VALUE: usize = 64 * 1024;
/// The longest salt in bytes (BEP 44).
pub const MAX_SALT: usize = 64;

/// What a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// Bytes that are their own key.
    Value,
    /// Bytes that the holder of a key pair can replace.
    Signed,
    /// Who has something; many for each key.
    Provider,
    /// Bytes that are kept in fragments.
    Coded,
}

/// Something stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Record {
    /// Bytes, at the place of their hash: they never change.
    Value(Bytes),
    /// Bytes under a public key and a salt, with a sequence number.
    Signed(Signed),
    /// Somebody has something.
    Provider(Provider),
    /// Bytes to be kept in fragments, whole.
    Coded(Coded),
    /// One of the fragments of such bytes: what nodes keep. It cannot be put.
    Fragment(Fragment),
    /// Who has it. It cannot be put.
    Pointer(Pointer),
}

/// "I have this, here": one for each key and address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provider {
    /// Under which key.
    pub key: RingId,
    /// Where it is to be had. The node that is responsible takes the record only from this address (whatever the port).
    pub at: Place,
    /// SHA-256 of the content.
    pub sha256: [u8; 32],
    /// Bytes of the content.
    pub size: u64,
}

impl Provider {
    /// The key of a file's providers: SHA-256 over `"p2p-chord file"` and the SHA-256 of its content.
    #[must_use]
    pub fn place_of(sha256: &[u8; 32]) -> RingId {
        let mut input = [0; 46];
        input[..14].copy_from_slice(b"p2p-chord file");
        input[14..].copy_from_slice(sha256);
        RingId::of(&input)
    }

    /// The key of what is published under a name: SHA-256 over `"p2p-chord name"`, and the name.
    #[must_use]
    pub fn place_of_name(name: &str) -> RingId {
        RingId::of(&[b"p2p-chord name", name.as_bytes()].concat())
    }
}

/// Why something is not a sound record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// The value is longer than [`MAX_VALUE`].
    #[error(
        "{0} bytes are more than {MAX_VALUE}: publish it as a file, and who wants it fetches it from its holders"
    )]
    TooLarge(usize),
    /// The salt is longer than [`MAX_SALT`].
    #[error("a salt of {0} bytes is longer than {MAX_SALT}")]
    Salt(usize),
    /// The sequence number does not fit into 63 bits, as BEP 44 has it.
    #[error("sequence number of more than 63 bits")]
    Sequence,
    /// The public key is none, or the signature is not of it and this content.
    #[error("the signature is not right")]
    Signature,
    /// The fragment is not one of the value with its key, or fragments do not fit together.
    #[error("not a fragment of this value")]
    Fragment,
    /// Nobody can be at the address of a provider.
    #[error("no address where anything could be fetched")]
    Address,
    /// Not a record as it is written.
    #[error("not a record")]
    Malformed,
}

impl Record {
    /// What it is.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Value(_) => Kind::Value,
            Self::Signed(_) => Kind::Signed,
            Self::Provider(_) => Kind::Provider,
            Self::Coded(_) | Self::Fragment(_) => Kind::Coded,
            Self::Pointer(pointer) => pointer.kind,
        }
    }

    /// Its place on the ring.
    #[must_use]
    pub fn key(&self) -> RingId {
        match self {
            Self::Value(value) => RingId::of(value),
            Self::Signed(signed) => signed.key(),
            Self::Provider(provider) => provider.key,
            Self::Coded(coded) => coded.key(),
            Self::Fragment(fragment) => fragment.key(),
            Self::Pointer(pointer) => pointer.key,
        }
    }

    /// The bytes that somebody stored; none of a provider or a fragment.
    #[must_use]
    pub const fn value(&self) -> Option<&Bytes> {
        match self {
            Self::Value(value) => Some(value),
            Self::Signed(signed) => Some(&signed.value),
            Self::Coded(coded) => Some(coded.value()),
            Self::Provider(_) | Self::Fragment(_) | Self::Pointer(_) => None,
        }
    }

    /// Checks what can be checked of a record by itself: lengths, and the signature.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self) -> Result<(), RecordError> {
        self.check_form()?;
        if let Self::Signed(signed) = self { signed.check() } else { Ok(()) }
    }

    /// The same, but for the signature: who put it knows that it is right, and who stores it checks.
    pub(crate) fn check_form(&self) -> Result<(), RecordError> {
        if let Some(value) = self.value()
            && value.len() > MAX_VALUE
        {
            return Err(RecordError::TooLarge(value.len()));
        }
        match self {
            Self::Value(_) => Ok(()),
            Self::Signed(signed) => signed.check_lengths(),
            Self::Provider(provider) => {
                let addr = SocketAddr::from(provider.at);
                let nobody = addr.port() == 0 || addr.ip().is_unspecified() || addr.ip().is_multicast();
                if nobody { Err(RecordError::Address) } else { Ok(()) }
            }
            Self::Coded(coded) => coded.check(),
            Self::Fragment(fragment) => fragment.check(),
            Self::Pointer(pointer) => pointer.check(),
        }
    }

    /// How many bytes it takes in a message, at most.
    #[must_use]
    pub fn wire_len(&self) -> usize {
        // Kind and lengths as varints; the fixed fields as they are.
        match self {
            Self::Value(value) => 1 + 3 + value.len(),
            Self::Signed(signed) => 1 + 32 + 1 + signed.salt.len() + 9 + 3 + signed.value.len() + 64,
            Self::Provider(_) => 1 + 20 + 20 + 32 + 10,
            Self::Coded(coded) => 1 + 32 + 3 + coded.value().len(),
            Self::Fragment(fragment) => 1 + fragment.wire_len(),
            Self::Pointer(pointer) => 1 + 20 + 1 + 10 + 10 + 1 + 20 * pointer.at.len(),
        }
    }

    /// As it is written.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        // Nothing that it is made of can fail to be written into memory.
        postcard::to_allocvec(self).unwrap_or_default().into()
    }

    /// Reads a record and checks it.
    ///
    /// # Errors
    /// If it is none, if anything follows it, or if it does not stand its own [`check`](Self::check).
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let (record, rest): (Self, _) =
            postcard::take_from_bytes(bytes).map_err(|_| RecordError::Malformed)?;
        if !rest.is_empty() {
            return Err(RecordError::Malformed);
        }
        record.check()?;
        Ok(record)
    }
}
