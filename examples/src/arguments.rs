//! Arguments that more than one program takes: sizes, addresses, patterns of file names.

use std::net::{SocketAddr, ToSocketAddrs};

/// A number of bytes: digits, then nothing, `k`, `M`, `G` (powers of 1,000) or `KiB`, `MiB`, `GiB` (powers of 1,024).
///
/// # Errors
/// If it is none, or past 2^64.
pub fn bytes(text: &str) -> Result<u64, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let scale: u64 = match unit.trim_start() {
        "" | "B" => 1,
        "k" | "K" | "kB" => 1_000,
        "M" | "MB" => 1_000_000,
        "G" | "GB" => 1_000_000_000,
        "Ki" | "KiB" => 1 << 10,
        "Mi" | "MiB" => 1 << 20,
        "Gi" | "GiB" => 1 << 30,
        _ => return Err("a number of bytes, such as 65536, 500k, 2M or 256KiB".into()),
    };
    let number: u64 = number.parse().map_err(|_| "a number of bytes, such as 65536, 500k or 256KiB")?;
    number.checked_mul(scale).ok_or_else(|| "too large".into())
}

/// A number of bytes that is at least one.
///
/// # Errors
/// As [`bytes()`], and of 0.
pub fn rate(text: &str) -> Result<u64, String> {
    match bytes(text)? {
        0 => Err("must be at least 1; leave it away for no limit".into()),
        rate => Ok(rate),
    }
}

/// `HOST:PORT`, a name or an address; the first address that a name has.
///
/// # Errors
/// If it is no such thing, or the name does not resolve.
pub fn peer(text: &str) -> Result<SocketAddr, String> {
    if let Ok(addr) = text.parse() {
        return Ok(addr);
    }
    let mut found =
        text.to_socket_addrs().map_err(|error| format!("no HOST:PORT, or not to be resolved ({error})"))?;
    found.next().ok_or_else(|| "the name has no address".into())
}

/// Whether a path (parts joined by `/`) fits a pattern: `*` and `?` stay within a part, `**` crosses parts, `{a,b}` and
/// `[a-z]` as in a shell. A pattern without `/` is compared with the last part alone; one that names a folder takes in
/// all that is below it.
#[must_use]
pub fn fits(pattern: &str, path: &str) -> bool {
    let pattern = pattern.trim_end_matches('/');
    if !pattern.contains('/') {
        // Any single part: the file's name, or a folder on the way to it.
        return path.split('/').any(|part| fast_glob::glob_match(pattern, part));
    }
    let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
    ends.into_iter().any(|end| fast_glob::glob_match(pattern, &path[..end]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        assert_eq!(bytes("65536"), Ok(65_536));
        assert_eq!(bytes("500k"), Ok(500_000));
        assert_eq!(bytes("256KiB"), Ok(262_144));
        assert!(bytes("").is_err());
        assert!(bytes("k").is_err());
        assert!(bytes("-1").is_err());
        assert!(bytes("18446744073709551615k").is_err());
        assert!(rate("0").is_err());
    }

    #[test]
    fn patterns() {
        assert!(fits("*.iso", "debian/images/netinst.iso"));
        assert!(!fits("*.iso", "debian/SUMS"));
        assert!(fits("images", "images/a/b.txt"));
        assert!(fits("images/", "images/a/b.txt"));
        assert!(fits("images/*.txt", "images/b.txt"));
        assert!(!fits("images/*.txt", "images/a/b.txt"));
        assert!(fits("images/**/*.txt", "images/a/b.txt"));
        assert!(fits("images/a", "images/a/b.txt"));
        assert!(fits("part-{1,2}?", "part-1x"));
        assert!(!fits("b", "abc"));
    }
}
