//! Content that a simulation knows: zeros and shared buffers, recognised by where they lie in memory, digested once.

use crate::storage::{ZEROS, each_zero};
use bytes::Bytes;
use p2p_core::{Digest, DigestKind, Digester};
use std::collections::HashMap;

/// More spans than a simulation asks for; past it they are computed again.
const KNOWN: usize = 1 << 20;

/// Known content, and digests of spans of it: by kind, buffer (0 for zeros), beginning and length. Looked up only, so
/// the order of the map is never seen; and whether bytes are a slice of a buffer follows from what was done with them,
/// not from where that buffer happens to lie, so runs are equal.
#[derive(Debug, Default)]
pub(crate) struct Known {
    shared: Vec<Bytes>,
    digests: HashMap<(DigestKind, u32, u64, u64), Digest>,
}

fn within(whole: &[u8], part: &[u8]) -> Option<usize> {
    let at = (part.as_ptr() as usize).checked_sub(whole.as_ptr() as usize)?;
    (at + part.len() <= whole.len()).then_some(at)
}

impl Known {
    pub(crate) fn share(&mut self, content: Bytes) {
        self.shared.push(content);
    }

    fn find(&self, data: &[u8]) -> Option<(usize, usize)> {
        self.shared.iter().enumerate().find_map(|(which, whole)| Some((which, within(whole, data)?)))
    }

    /// The slice of a shared buffer that two slices of it are together, if the second follows the first there.
    pub(crate) fn joined(&self, first: &Bytes, second: &Bytes) -> Option<Bytes> {
        if first.as_ptr() as usize + first.len() != second.as_ptr() as usize {
            return None;
        }
        let (which, at) = self.find(first)?;
        let whole = &self.shared[which];
        let end = at + first.len() + second.len();
        (end <= whole.len()).then(|| whole.slice(at..end))
    }

    pub(crate) fn of(&mut self, kind: DigestKind, len: u64) -> Digest {
        self.once((kind, 0, 0, len), |digester| each_zero(len, &mut |part| digester.update(&part)))
    }

    pub(crate) fn of_bytes(&mut self, kind: DigestKind, data: &[Bytes]) -> Digest {
        if data.iter().all(|part| within(&ZEROS, part).is_some()) {
            return self.of(kind, data.iter().map(|part| part.len() as u64).sum());
        }
        if let [one] = data
            && let Some((which, at)) = self.find(one)
        {
            let key = (kind, which as u32 + 1, at as u64, one.len() as u64);
            return self.once(key, |digester| digester.update(one));
        }
        let mut digester = Digester::new(kind);
        data.iter().for_each(|part| digester.update(part));
        digester.finish()
    }

    fn once(&mut self, key: (DigestKind, u32, u64, u64), feed: impl FnOnce(&mut Digester)) -> Digest {
        if let Some(known) = self.digests.get(&key) {
            return *known;
        }
        let mut digester = Digester::new(key.0);
        feed(&mut digester);
        let digest = digester.finish();
        if self.digests.len() < KNOWN {
            self.digests.insert(key, digest);
        }
        digest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_of_a_shared_buffer_join_and_are_digested_once() {
        let content = Bytes::from((0..100u8).collect::<Vec<_>>());
        let mut known = Known::default();
        known.share(content.clone());
        let joined = known.joined(&content.slice(10..20), &content.slice(20..25)).unwrap();
        assert_eq!((joined.as_ptr(), joined.len()), (content[10..].as_ptr(), 15));
        assert!(known.joined(&content.slice(10..20), &content.slice(21..25)).is_none());
        assert!(known.joined(&content.slice(10..20), &Bytes::copy_from_slice(&content[20..25])).is_none());
        let digest = known.of_bytes(DigestKind::Sha1, &[content.slice(3..9)]);
        assert_eq!(known.digests.len(), 1);
        assert_eq!(known.of_bytes(DigestKind::Sha1, &[Bytes::copy_from_slice(&content[3..9])]), digest);
        assert_eq!(known.digests.len(), 1, "a copy is digested for real");
    }
}
