//! `GTKGV`: the exact version of a gtk-gnutella (its `doc/public/GGEP/GTKG-V`).

/// What `GTKGV` tells. Numbers are big-endian.
///
/// | bytes | what |
/// | --- | --- |
/// | 1 | version of the field: 0 or 1 |
/// | 1, 1, 1 | major, minor, patch |
/// | 1 | a letter, or 0 |
/// | 4 | date of the release, in seconds since 1970 |
/// | 4 | number of the build |
/// | 1 and more | since version 1: flags, and what they announce; not looked at |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GtkgVersion {
    /// Major, minor, patch.
    pub version: [u8; 3],
    /// `u` unstable, `b` beta, 0 neither.
    pub letter: u8,
    /// When it was released, in seconds since 1970.
    pub released: u32,
    /// The number of the build.
    pub build: u32,
}

impl GtkgVersion {
    /// Reads the data of `GTKGV`.
    #[must_use]
    pub fn parse(data: &[u8]) -> Option<Self> {
        let [_, major, minor, patch, letter, r0, r1, r2, r3, b0, b1, b2, b3] = *data.first_chunk::<13>()?;
        Some(Self {
            version: [major, minor, patch],
            letter,
            released: u32::from_be_bytes([r0, r1, r2, r3]),
            build: u32::from_be_bytes([b0, b1, b2, b3]),
        })
    }
}
