//! Readers of what went out, each at its own pace: [`Cursor`], and what it is given, [`Output`].

use super::Playout;
use bytes::Bytes;

/// What goes out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// A packet of the stream.
    Packet {
        /// Its generation.
        generation: u64,
        /// Its number in that.
        index: u8,
        /// Where it begins, in bytes from where its reader began.
        offset: u64,
        /// As the source sent it.
        data: Bytes,
    },
    /// Packets did not come in time.
    Gap {
        /// Of this generation.
        generation: u64,
        /// So many of it; `None` if not even that is known.
        packets: Option<u8>,
    },
    /// Generations were skipped: the source is too far ahead for what misses to be waited for, or the reader too far
    /// behind for it to be here still.
    Jump {
        /// From this one on.
        from: u64,
        /// Up to this one, which goes out next.
        to: u64,
    },
    /// The stream ended.
    End,
}

/// How far a reader is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The generation of what it is given next.
    pub generation: u64,
    index: u8,
    given: u64,
    ended: bool,
}

impl Cursor {
    /// A reader that begins with this generation.
    #[must_use]
    pub const fn new(generation: u64) -> Self {
        Self { generation, index: 0, given: 0, ended: false }
    }
}
impl Playout {
    /// What a reader is given next of what went out. A packet that went out as a hole and came after all is given too.
    pub fn read(&self, reader: &mut Cursor) -> Option<Output> {
        if reader.generation < self.base {
            let (from, to) = (reader.generation, self.base);
            (reader.generation, reader.index) = (to, 0);
            return Some(Output::Jump { from, to });
        }
        let Cursor { generation, index, .. } = *reader;
        if self.end.is_some_and(|end| generation >= end) {
            return (!core::mem::replace(&mut reader.ended, true)).then_some(Output::End);
        }
        if (generation, index) >= self.next {
            return None;
        }
        let slot = &self.slots[self.at(generation)?];
        let Some(count) = slot.listed.as_ref().map(|listed| listed.count) else {
            (reader.generation, reader.index) = (generation + 1, 0);
            return Some(Output::Gap { generation, packets: None });
        };
        let past = if generation == self.next.0 { self.next.1 } else { count };
        let found = (index..past).find(|&index| slot.is_sound(index));
        let output = match found {
            Some(found) if found == index => {
                let data = slot.symbols[usize::from(index)].clone()?;
                let offset = reader.given;
                reader.given += data.len() as u64;
                reader.index = index + 1;
                Output::Packet { generation, index, offset, data }
            }
            found => {
                reader.index = found.unwrap_or(past);
                Output::Gap { generation, packets: Some(reader.index - index) }
            }
        };
        if reader.index >= count {
            (reader.generation, reader.index) = (generation + 1, 0);
        }
        Some(output)
    }
}
