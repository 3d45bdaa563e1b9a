//! Numbers that wrap on the wire and not in a node: [`widen`].

/// The number nearest to `around` whose low 32 bits are these: what a generation's number on the wire stands for, given
/// one that was seen of late. A stream of 100,000 generations a second wraps after twelve hours.
#[must_use]
pub(crate) const fn widen(low: u32, around: u64) -> u64 {
    // The distance as a signed number of 32 bits; before the first generation there is none.
    let ahead = low.wrapping_sub(around as u32) as i32;
    match around.checked_add_signed(ahead as i64) {
        Some(wide) => wide,
        None => low as u64,
    }
}

#[cfg(test)]
mod tests {
    use super::widen;

    #[test]
    fn the_nearest_one() {
        let turn = 1 << 32;
        assert_eq!(widen(5, 0), 5);
        assert_eq!(widen(u32::MAX, 3), u64::from(u32::MAX), "there is none before the first");
        assert_eq!(widen(2, turn - 3), turn + 2);
        assert_eq!(widen(u32::MAX - 2, turn + 4), turn - 3);
        assert_eq!(widen(7, 5 * turn + 7), 5 * turn + 7);
    }
}
