//! Numbers for people: sizes, rates, times.

use std::fmt::{self, Display};
use std::time::Duration;

/// A number of bytes in powers of 1,000, with about three digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

impl Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self.0 {
            bytes @ 0..1_000 => format!("{bytes} B"),
            bytes @ 1_000..1_000_000 => scaled(bytes, 1e3, "kB"),
            bytes @ 1_000_000..1_000_000_000 => scaled(bytes, 1e6, "MB"),
            bytes @ 1_000_000_000..1_000_000_000_000 => scaled(bytes, 1e9, "GB"),
            bytes => scaled(bytes, 1e12, "TB"),
        };
        f.pad(&text)
    }
}

fn scaled(bytes: u64, unit: f64, name: &str) -> String {
    let value = bytes as f64 / unit;
    if value < 99.95 { format!("{value:.1} {name}") } else { format!("{value:.0} {name}") }
}

/// A span of time to the second, or to a tenth below ten: `0.8 s`, `12 s`, `3 m 20 s`, `4 h 05 m`, `3 d 4 h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub Duration);

impl Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secs = self.0.as_secs();
        let text = match secs {
            0..10 => format!("{:.1} s", self.0.as_secs_f64()),
            10..60 => format!("{secs} s"),
            60..3_600 => format!("{} m {:02} s", secs / 60, secs % 60),
            3_600..86_400 => format!("{} h {:02} m", secs / 3_600, secs % 3_600 / 60),
            _ => format!("{} d {} h", secs / 86_400, secs % 86_400 / 3_600),
        };
        f.pad(&text)
    }
}

/// A day and time in UTC: `2026-11-22 23:50`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Utc(pub u64);

impl Display for Utc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Howard Hinnant, "chrono-compatible low-level date algorithms": days to year, month, day.
        let (days, secs) = ((self.0 / 86_400) as i128 + 719_468, self.0 % 86_400);
        let era = days / 146_097;
        let of_era = days % 146_097;
        let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year + year / 4 - year / 100);
        let shifted = (5 * of_year + 2) / 153;
        let day = of_year - (153 * shifted + 2) / 5 + 1;
        let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
        let year = year + era * 400 + i128::from(month <= 2);
        write!(f, "{year}-{month:02}-{day:02} {:02}:{:02} UTC", secs / 3_600, secs % 3_600 / 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn for_people() {
        assert_eq!(Size(999).to_string(), "999 B");
        assert_eq!(Size(5_000_000).to_string(), "5.0 MB");
        assert_eq!(Size(512_400_000).to_string(), "512 MB");
        assert_eq!(Size(u64::MAX).to_string(), "18446744 TB");
        assert_eq!(Span(Duration::from_millis(840)).to_string(), "0.8 s");
        assert_eq!(Span(Duration::from_secs(59)).to_string(), "59 s");
        assert_eq!(Span(Duration::from_secs(200)).to_string(), "3 m 20 s");
        assert_eq!(Span(Duration::from_secs(14_700)).to_string(), "4 h 05 m");
        assert_eq!(Utc(0).to_string(), "1970-01-01 00:00 UTC");
        assert_eq!(Utc(1_795_391_400).to_string(), "2026-11-22 23:50 UTC");
        assert_eq!(Utc(951_782_400).to_string(), "2000-02-29 00:00 UTC");
        assert!(Utc(u64::MAX).to_string().starts_with("58455"));
    }
}
