//! Digests behind our own types: [`Hasher`] for what is known when compiling, [`Digester`] for what is not.

use core::fmt;

/// A hash function with a digest type of its own.
pub trait Hasher: Clone + Default + Send {
    /// Its digest; the default one is all zeros, and stands for no bytes.
    type Digest: Copy + Default + fmt::Debug + Ord + AsRef<[u8]> + Send + 'static;
    /// Takes more bytes.
    fn update(&mut self, bytes: &[u8]);
    /// The digest of all bytes taken.
    fn finish(self) -> Self::Digest;

    /// The digest of `bytes`.
    fn digest(bytes: &[u8]) -> Self::Digest {
        let mut hasher = Self::default();
        hasher.update(bytes);
        hasher.finish()
    }
}

macro_rules! hashes {
    ($($feature:literal $kind:ident $size:literal $inner:ty, $hash:ident, $doc:literal;)*) => {
        /// The hash functions that this build has.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum DigestKind {
            $(#[cfg(feature = $feature)] #[doc = $doc] $kind,)*
        }

        #[derive(Clone)]
        #[allow(clippy::large_enum_variant)]
        enum Running {
            $(#[cfg(feature = $feature)] $kind($kind),)*
        }

        impl Digester {
            /// A running digest that has taken no bytes.
            #[must_use]
            pub fn new(kind: DigestKind) -> Self {
                match kind {
                    $(#[cfg(feature = $feature)] DigestKind::$kind => Self(Running::$kind($kind::default())),)*
                }
            }

            /// Takes more bytes.
            pub fn update(&mut self, bytes: &[u8]) {
                match &mut self.0 {
                    $(#[cfg(feature = $feature)] Running::$kind(hasher) => Hasher::update(hasher, bytes),)*
                    #[cfg(not(any($(feature = $feature),*)))]
                    _ => drop(bytes.len()),
                }
            }

            /// The digest of all bytes taken.
            #[must_use]
            pub fn finish(self) -> Digest {
                match self.0 {
                    $(#[cfg(feature = $feature)] Running::$kind(hasher) => {
                        Digest::from_slice(Hasher::finish(hasher).as_ref())
                    })*
                }
            }
        }

        $(
            #[cfg(feature = $feature)]
            #[doc = concat!($doc, ": the running hash function.")]
            #[derive(Clone, Default)]
            pub struct $kind($inner);

            #[cfg(feature = $feature)]
            impl fmt::Debug for $kind {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str(stringify!($kind))
                }
            }

            #[cfg(feature = $feature)]
            #[doc = concat!($doc, ": its digest.")]
            #[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
            pub struct $hash(pub [u8; $size]);

            #[cfg(feature = $feature)]
            impl AsRef<[u8]> for $hash {
                fn as_ref(&self) -> &[u8] {
                    &self.0
                }
            }

            #[cfg(feature = $feature)]
            impl fmt::Debug for $hash {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    hex(&self.0, f)
                }
            }

            #[cfg(feature = $feature)]
            impl fmt::Display for $hash {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    hex(&self.0, f)
                }
            }
        )*
    };
}

hashes! {
    "sha1" Sha1 20 sha1::Sha1, Sha1Hash, "SHA-1 (FIPS 180-4): BitTorrent's pieces";
    "sha256" Sha256 32 sha2::Sha256, Sha256Hash, "SHA-256 (FIPS 180-4)";
    "blake3" Blake3 32 blake3::Hasher, Blake3Hash, "BLAKE3";
    "md5" Md5 16 md5::Md5, Md5Hash, "MD5 (RFC 1321): Napster's file names for content";
    "tiger" Tiger 24 tiger::Tiger, TigerHash, "Tiger (Anderson and Biham, 1996): the nodes of Gnutella's trees";
    "tiger" TigerTree 24 crate::tiger_tree::Root, Tth, "The root of a tiger tree (THEX, 2003) with leaves of 1,024 bytes";
}

macro_rules! rust_crypto {
    ($($feature:literal $kind:ident $hash:ident $inner:ident;)*) => {$(
        #[cfg(feature = $feature)]
        impl Hasher for $kind {
            type Digest = $hash;

            fn update(&mut self, bytes: &[u8]) {
                $inner::Digest::update(&mut self.0, bytes);
            }

            fn finish(self) -> $hash {
                $hash($inner::Digest::finalize(self.0).into())
            }
        }
    )*};
}

rust_crypto! {
    "sha1" Sha1 Sha1Hash sha1;
    "sha256" Sha256 Sha256Hash sha2;
    "md5" Md5 Md5Hash md5;
    "tiger" Tiger TigerHash tiger;
}

#[cfg(feature = "sha256")]
impl Sha256 {
    /// The most bytes that [`short`](Self::short) takes: what fits into a block with its length.
    pub const SHORT: usize = 55;

    /// The digest of no more than [`SHORT`](Self::SHORT) bytes, faster: one block, and no buffer to be filled. More do not
    /// compile.
    #[must_use]
    pub fn short<const N: usize>(bytes: &[u8; N]) -> Sha256Hash {
        const { assert!(N <= Self::SHORT, "more than a block") };
        // FIPS 180-4, sections 5.3.3 and 5.1.1.
        let mut state = [
            0x6a09_e667,
            0xbb67_ae85,
            0x3c6e_f372,
            0xa54f_f53a,
            0x510e_527f,
            0x9b05_688c,
            0x1f83_d9ab,
            0x5be0_cd19,
        ];
        let mut block = [0; 64];
        block[..N].copy_from_slice(bytes);
        block[N] = 0x80;
        block[56..].copy_from_slice(&(8 * N as u64).to_be_bytes());
        sha2::block_api::compress256(&mut state, &[block]);
        let mut digest = [0; 32];
        let (words, _) = digest.as_chunks_mut::<4>();
        for (to, word) in words.iter_mut().zip(state) {
            *to = word.to_be_bytes();
        }
        Sha256Hash(digest)
    }
}

#[cfg(feature = "blake3")]
impl Hasher for Blake3 {
    type Digest = Blake3Hash;

    fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(self) -> Blake3Hash {
        Blake3Hash(*self.0.finalize().as_bytes())
    }
}

#[cfg(feature = "tiger")]
impl Hasher for TigerTree {
    type Digest = Tth;

    fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(self) -> Tth {
        Tth(self.0.finish().0)
    }
}

/// A running digest of a kind chosen at run time. It can travel with a [`Job`](crate::Job) and come back.
#[derive(Clone)]
pub struct Digester(Running);

impl fmt::Debug for Digester {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digester")
    }
}

/// A digest of a kind chosen at run time, at most 32 bytes long.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest {
    bytes: [u8; 32],
    len: u8,
}

impl Digest {
    #[cfg_attr(
        not(any(
            feature = "sha1",
            feature = "sha256",
            feature = "blake3",
            feature = "md5",
            feature = "tiger"
        )),
        allow(dead_code)
    )]
    fn from_slice(from: &[u8]) -> Self {
        let mut bytes = [0; 32];
        let len = from.len().min(32);
        bytes[..len].copy_from_slice(&from[..len]);
        Self { bytes, len: len as u8 }
    }
}

impl AsRef<[u8]> for Digest {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

impl PartialEq<[u8]> for Digest {
    fn eq(&self, other: &[u8]) -> bool {
        self.as_ref() == other
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex(self.as_ref(), f)
    }
}

fn hex(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}
