//! What an MP3 file says of itself: bit rate, frequency and playing time, out of its first frames.
//!
//! | bits of a frame's head | what |
//! | --- | --- |
//! | 11 | ones |
//! | 2 | version: 0 MPEG 2.5, 2 MPEG 2, 3 MPEG 1 |
//! | 2 | layer: 1 is layer III |
//! | 1 | no checksum |
//! | 4, 2 | bit rate, frequency: rows of the tables below |
//! | 1 | padding |
//!
//! Sources: ISO/IEC 11172-3 and 13818-3 (heads), id3.org (`ID3v2` tags), the Xing and VBRI heads as LAME writes them.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

/// Bytes that are looked at behind the tag.
const LOOK: usize = 16 * 1024;

/// How a file sounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sound {
    /// kbit/s, the mean if it varies.
    pub(crate) bitrate: u32,
    /// Hz.
    pub(crate) frequency: u32,
    pub(crate) seconds: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Frame {
    bitrate: u32,
    frequency: u32,
    samples: u32,
    len: usize,
    /// Bytes from its beginning to where a Xing head would be.
    side: usize,
}

/// Looks at a file of this size; `None` if no two frames of layer III follow each other at its beginning.
pub(crate) fn look(path: &Path, size: u64) -> io::Result<Option<Sound>> {
    let mut file = File::open(path)?;
    let mut head = [0; 10];
    let mut start = 0;
    if file.read_exact(&mut head).is_ok() && head.starts_with(b"ID3") {
        // Four bytes of seven bits each, the head not counted.
        start = head[6..].iter().fold(0u64, |len, byte| len << 7 | u64::from(byte & 0x7f)) + 10;
    }
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::with_capacity(LOOK);
    file.take(LOOK as u64).read_to_end(&mut bytes)?;
    Ok(sound(&bytes, size.saturating_sub(start)))
}

/// How the sound that begins somewhere in these bytes is, if it has so many in all.
fn sound(bytes: &[u8], size: u64) -> Option<Sound> {
    let (at, frame) = (0..bytes.len()).find_map(|at| {
        let frame = frame(bytes.get(at..)?)?;
        let next = self::frame(bytes.get(at + frame.len..)?)?;
        (next.frequency == frame.frequency).then_some((at, frame))
    })?;
    let size = size.saturating_sub(at as u64);
    let frames = frames(&bytes[at..], &frame).filter(|frames| *frames > 0);
    let of_frames =
        frames.map(|frames| u64::from(frames) * u64::from(frame.samples) / u64::from(frame.frequency));
    let seconds = of_frames.unwrap_or_else(|| size / (u64::from(frame.bitrate) * 125));
    let bitrate = match of_frames {
        Some(seconds) if seconds > 0 => u32::try_from(size * 8 / seconds / 1_000).ok()?,
        _ => frame.bitrate,
    };
    Some(Sound { bitrate, frequency: frame.frequency, seconds: u32::try_from(seconds).ok()? })
}

/// How many frames there are, where the first one says so because the bit rate varies.
fn frames(bytes: &[u8], frame: &Frame) -> Option<u32> {
    let number = |at: usize| Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    match bytes.get(frame.side..frame.side + 4)? {
        b"Xing" if number(frame.side + 4)? & 1 == 1 => number(frame.side + 8),
        _ => match bytes.get(36..40)? {
            b"VBRI" => number(50),
            _ => None,
        },
    }
}

fn frame(bytes: &[u8]) -> Option<Frame> {
    const MPEG1: [u32; 15] = [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320];
    const MPEG2: [u32; 15] = [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160];
    const FREQUENCY: [u32; 3] = [44_100, 48_000, 32_000];
    let head: [u8; 4] = bytes.get(..4)?.try_into().ok()?;
    let (version, layer) = (head[1] >> 3 & 3, head[1] >> 1 & 3);
    if head[0] != 0xff || head[1] & 0xe0 != 0xe0 || layer != 1 || version == 1 {
        return None;
    }
    let first = version == 3;
    let row = usize::from(head[2] >> 4);
    let bitrate = *(if first { MPEG1 } else { MPEG2 }).get(row).filter(|rate| **rate > 0)?;
    // MPEG 2 halves the frequencies, MPEG 2.5 halves them again.
    let halved = if first { 0 } else { 2 - u32::from(version) / 2 };
    let frequency = *FREQUENCY.get(usize::from(head[2] >> 2 & 3))? >> halved;
    let samples = if first { 1_152 } else { 576 };
    let padding = usize::from(head[2] >> 1 & 1);
    let len = (samples / 8 * bitrate * 1_000 / frequency) as usize + padding;
    let mono = head[3] >> 6 == 3;
    let side = 4 + match (first, mono) {
        (true, false) => 32,
        (false, true) => 9,
        _ => 17,
    };
    Some(Frame { bitrate, frequency, samples, len, side })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So many frames of silence, of 128 kbit/s at 44,100 Hz.
    fn frames_of(head: [u8; 4], count: usize) -> Vec<u8> {
        let len = frame(&head).expect("a head").len;
        (0..count).flat_map(|_| head.into_iter().chain(std::iter::repeat(0)).take(len)).collect()
    }

    #[test]
    fn constant_rates() {
        // 417 bytes a frame, 26 ms each.
        let bytes = frames_of([0xff, 0xfb, 0x90, 0x64], 383);
        let found = sound(&bytes[..LOOK], bytes.len() as u64);
        assert_eq!(found, Some(Sound { bitrate: 128, frequency: 44_100, seconds: 9 }));
        let junk = [b"junk\xff\xfb before".as_slice(), &bytes].concat();
        assert_eq!(sound(&junk[..LOOK], junk.len() as u64), found);
        // MPEG 2, layer III, 64 kbit/s at 22,050 Hz; MPEG 2.5 at 11,025 Hz.
        for (head, frequency) in [([0xff, 0xf3, 0x80, 0xc4], 22_050), ([0xff, 0xe3, 0x80, 0xc4], 11_025)] {
            let bytes = frames_of(head, 50);
            let found = sound(&bytes, bytes.len() as u64).expect("sound");
            assert_eq!((found.bitrate, found.frequency), (64, frequency));
        }
    }

    #[test]
    fn a_varying_rate_is_told_by_its_frames() {
        let mut bytes = frames_of([0xff, 0xfb, 0x90, 0x64], 40);
        bytes[36..44].copy_from_slice(b"Xing\0\0\0\x01");
        bytes[44..48].copy_from_slice(&3_829u32.to_be_bytes());
        // A hundred seconds in three million bytes.
        let found = sound(&bytes, 3_000_000);
        assert_eq!(found, Some(Sound { bitrate: 240, frequency: 44_100, seconds: 100 }));
    }

    #[test]
    fn what_is_no_sound() {
        let once = frames_of([0xff, 0xfb, 0x90, 0x64], 1);
        for bytes in [b"".as_slice(), b"\xff\xfb\x90", &[0xff; 9_000], &[0; 9_000], &once] {
            assert_eq!(sound(bytes, 9_000), None);
        }
    }
}
