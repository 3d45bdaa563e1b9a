//! Hashing of what strangers choose, with a key that they do not know.

use core::hash::Hasher as _;
use siphasher::sip::SipHasher13;

/// SipHash-1-3 under a secret key: nobody can choose names or words that fall together.
#[derive(Clone, Copy)]
pub(super) struct HashKey([u64; 2]);

impl HashKey {
    pub(super) const fn new(key: [u64; 2]) -> Self {
        Self(key)
    }

    fn hasher(self) -> SipHasher13 {
        SipHasher13::new_with_keys(self.0[0], self.0[1])
    }

    /// Of bytes as they are.
    pub(super) fn hash(self, bytes: &[u8]) -> u32 {
        self.hash_twice([bytes, &[]], &[]).0
    }

    /// Of the two together alone, and with `more` behind them.
    pub(super) fn hash_twice(self, [bytes, rest]: [&[u8]; 2], more: &[u8]) -> (u32, u32) {
        let mut hasher = self.hasher();
        hasher.write(bytes);
        if !rest.is_empty() {
            hasher.write(rest);
        }
        let first = hasher.finish() as u32;
        if !more.is_empty() {
            hasher.write(more);
        }
        (first, hasher.finish() as u32)
    }

    /// Of an md5 and a size.
    pub(super) fn hash_digest(self, md5: &[u8; 16], size: u64) -> u32 {
        let mut bytes = [0; 24];
        bytes[..16].copy_from_slice(md5);
        bytes[16..].copy_from_slice(&size.to_le_bytes());
        self.hash(&bytes)
    }

    /// Of a word in ASCII lower case.
    pub(super) fn hash_word(self, word: &[u8]) -> u32 {
        let mut hasher = self.hasher();
        let mut lower = [0; 32];
        for part in word.chunks(lower.len()) {
            let lower = &mut lower[..part.len()];
            lower.copy_from_slice(part);
            lower.make_ascii_lowercase();
            hasher.write(lower);
        }
        hasher.finish() as u32
    }
}

impl core::fmt::Debug for HashKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("HashKey")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_fall_together_in_any_case_and_with_a_key_of_ones_own() {
        let key = HashKey::new([1, 2]);
        let long = [b'A'; 100];
        assert_eq!(key.hash_word(&long), key.hash(&[b'a'; 100]));
        assert_eq!(key.hash_word(b"Blue\xc9"), key.hash(b"blue\xc9"));
        assert_ne!(key.hash(b"blue"), HashKey::new([1, 3]).hash(b"blue"));
        let twice = key.hash_twice([b"blue", b" "], b"train");
        assert_eq!(twice, (key.hash(b"blue "), key.hash(b"blue train")));
    }
}
