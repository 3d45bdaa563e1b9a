//! Consistent overhead byte stuffing (Cheshire and Baker, 1997): the same data without any NUL, a byte in 254 longer.

use alloc::vec::Vec;

/// The longest run between two codes, and the code of one that no NUL follows.
const RUN_MAX: usize = 254;

/// The data without NULs.
#[must_use]
pub fn encode(data: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(data.len() + data.len() / RUN_MAX + 1);
    // A NUL behind the end closes the last run, and is not written.
    for run in data.split(|byte| *byte == 0) {
        let mut parts = run.chunks(RUN_MAX).peekable();
        if parts.peek().is_none() {
            out.push(1);
        }
        while let Some(part) = parts.next() {
            out.push(part.len() as u8 + 1);
            out.extend_from_slice(part);
            // A full run says that no NUL follows, so one that does needs a code of its own.
            if part.len() == RUN_MAX && parts.peek().is_none() {
                out.push(1);
            }
        }
    }
    // The NUL behind the end needs none.
    if data
        .split(|byte| *byte == 0)
        .next_back()
        .is_some_and(|run| !run.is_empty() && run.len() % RUN_MAX == 0)
    {
        out.pop();
    }
    out
}

/// The data that was encoded; `None` if it is not COBS.
#[must_use]
pub fn decode(coded: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(coded.len());
    let mut rest = coded;
    while let Some((code, behind)) = rest.split_first() {
        let (run, behind) = behind.split_at_checked(usize::from(*code).checked_sub(1)?)?;
        if run.contains(&0) {
            return None;
        }
        out.extend_from_slice(run);
        rest = behind;
        if usize::from(*code) <= RUN_MAX && !rest.is_empty() {
            out.push(0);
        }
    }
    Some(out)
}
