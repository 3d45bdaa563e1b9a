//! What is not here yet of the generations that go out next: [`Missing`].

use super::Playout;
use p2p_core::Instant;

/// A generation that misses something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missing {
    /// Its number.
    pub generation: u64,
    /// The symbols that are here, bit by bit.
    pub here: u64,
    /// Those that there are; all that there can be if its manifest misses.
    pub all: u64,
    /// How many more symbols it takes; `None` if its manifest misses.
    pub wanted: Option<u8>,
    /// When it was first seen that there is such a generation; if its manifest is here, when that came.
    pub since: Instant,
}

impl Playout {
    /// Generations that miss something, beginning with the oldest, and the numbers that are here of each (bit by bit).
    /// One that is not signed misses its manifest too.
    pub fn missing(&self) -> impl Iterator<Item = Missing> {
        let first = (self.next.0 - self.base) as usize;
        let slots = self.slots.iter().enumerate().skip(first);
        slots.filter_map(|(at, slot)| {
            let generation = self.base + at as u64;
            let since = slot.seen?;
            match &slot.listed {
                None => {
                    let here = slot.symbols.iter().enumerate().filter(|(_, symbol)| symbol.is_some());
                    let here = here.fold(0, |bits, (index, _)| bits | 1 << index);
                    let all = u64::MAX >> (64 - u32::from(self.shape.symbols()));
                    Some(Missing { generation, here, all, wanted: None, since })
                }
                Some(listed) => {
                    let wanted = u32::from(listed.count).saturating_sub(slot.sound.count_ones());
                    // Below 64.
                    let wanted = wanted as u8;
                    (wanted > 0).then_some(Missing {
                        generation,
                        here: slot.sound,
                        all: listed.numbers(self.shape),
                        wanted: Some(wanted),
                        since: slot.signed.map_or(since, |signed| signed.max(since)),
                    })
                }
            }
        })
    }
}
