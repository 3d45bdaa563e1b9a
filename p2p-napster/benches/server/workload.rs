//! Who shares what and asks for what: synthetic users, made of dice, the same in every run. The load generator over
//! sockets (`napster-load` of the examples) is fed from here too.
//!
//! Words are drawn by Zipf's law from a vocabulary of 60,000, users' files by Zipf(0.8) from a catalogue of a third as
//! many songs as there are shared files. A song is about in three rips. Half of the users keep their files in one of
//! the folders that programs of the time made, the others in folders of their own.

use p2p_core::Rng;
use std::collections::BTreeSet;
use std::fmt::Write as _;

const VOCABULARY: usize = 60_000;
/// Where programs put what they fetch.
const FOLDERS: [&str; 8] = [
    "C:\\Program Files\\Napster\\Music\\",
    "C:\\My Documents\\My Music\\",
    "C:\\Napster\\",
    "C:\\My Music\\",
    "C:\\WINDOWS\\Desktop\\My Music\\",
    "D:\\mp3\\",
    "/home/music/mp3/",
    "C:\\My Documents\\Napster Music\\",
];

/// Ranks from 0, the rank `r` with the weight `1 / (r + 1)^s`.
pub(crate) struct Zipf(Vec<f64>);

impl Zipf {
    pub(crate) fn new(len: usize, s: f64) -> Self {
        let mut sum = 0.0;
        Self((1..=len).map(|rank| (sum += (rank as f64).powf(-s), sum).1).collect())
    }

    pub(crate) fn draw(&self, rng: &mut Rng) -> usize {
        let at = rng.unit() * self.0.last().copied().unwrap_or_default();
        self.0.partition_point(|sum| *sum <= at).min(self.0.len() - 1)
    }
}

/// The same number for the same things, whatever was drawn before.
fn dice(seed: u64, of: u64) -> Rng {
    Rng::fast_from(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ of)
}

/// A song as it is in every one of its files.
pub(crate) struct Song {
    pub(crate) artist: String,
    pub(crate) title: String,
}

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Sort {
    /// Two to six words of a name that is shared.
    Song,
    /// An artist.
    Artist,
    /// Two words of a name and one that nobody has.
    Miss,
    /// One of the ten commonest words.
    Common,
    /// Two of them.
    TwoCommon,
}

impl Sort {
    pub(crate) const ALL: [Self; 5] = [Self::Song, Self::Artist, Self::Miss, Self::Common, Self::TwoCommon];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Song => "song, 2 to 6 words",
            Self::Artist => "artist",
            Self::Miss => "miss",
            Self::Common => "one common word",
            Self::TwoCommon => "two very common words",
        }
    }
}

pub(crate) struct Workload {
    seed: u64,
    words: Vec<String>,
    word: Zipf,
    song: Zipf,
    songs: usize,
}

impl Workload {
    /// For so many shared files in all.
    pub(crate) fn new(files: usize, seed: u64) -> Self {
        let mut rng = dice(seed, 0);
        let mut known = BTreeSet::new();
        let mut words = Vec::with_capacity(VOCABULARY);
        while words.len() < VOCABULARY {
            // Two to five syllables; the commonest words are short, as they are in languages.
            let syllables = if words.len() < 200 { 1 + rng.below(2) } else { 2 + rng.below(3) };
            let mut word = String::new();
            for _ in 0..syllables {
                word.push(char::from(b"bcdfghjklmnprstvwz"[rng.index(18)]));
                word.push(char::from(b"aeiou"[rng.index(5)]));
                if rng.chance(0.3) {
                    word.push(char::from(b"nrslt"[rng.index(5)]));
                }
            }
            if known.insert(word.clone()) {
                words.push(word);
            }
        }
        let songs = (files / 3).max(1000);
        Self { seed, words, word: Zipf::new(VOCABULARY, 1.0), song: Zipf::new(songs, 0.8), songs }
    }

    fn phrase(&self, rng: &mut Rng, words: u64) -> String {
        let mut text = String::new();
        for i in 0..words {
            let word = &self.words[self.word.draw(rng)];
            if i > 0 {
                text.push(' ');
            }
            text.push_str(&word[..1].to_ascii_uppercase());
            text.push_str(&word[1..]);
        }
        text
    }

    /// The song of a rank. Ten songs or so are of one artist.
    pub(crate) fn song(&self, rank: usize) -> Song {
        let rng = &mut dice(self.seed, 1 << 40 | rank as u64);
        let artist = rng.below(1 + self.songs as u64 / 10);
        let of_artist = &mut dice(self.seed, 2 << 40 | artist);
        let words = 1 + of_artist.below(2);
        let artist = self.phrase(of_artist, words);
        let words = 2 + rng.below(4);
        Song { artist, title: self.phrase(rng, words) }
    }

    /// The songs that a user shares, with their ranks: each once, and no two of the same name.
    fn songs_of(&self, rng: &mut Rng, files: usize) -> Vec<(usize, Song)> {
        let mut known = BTreeSet::new();
        let mut songs = Vec::with_capacity(files);
        while songs.len() < files.min(self.songs / 2) {
            let rank = self.song.draw(rng);
            let song = self.song(rank);
            if known.insert((song.artist.clone(), song.title.clone())) {
                songs.push((rank, song));
            }
        }
        songs
    }

    /// Appends the messages (type 100) in which a user shares its files. Returns how many.
    pub(crate) fn shares(&self, user: u64, files: usize, out: &mut Vec<u8>) -> usize {
        let rng = &mut dice(self.seed, 3 << 40 | user);
        let folder = if rng.chance(0.5) {
            FOLDERS[rng.index(FOLDERS.len())].to_owned()
        } else {
            format!("{}:\\{}\\", ["C", "D", "E"][rng.index(3)], self.phrase(rng, 2))
        };
        let by_artist = rng.chance(0.2);
        let songs = self.songs_of(rng, files);
        let mut text = String::new();
        for (rank, song) in &songs {
            text.clear();
            text.push('"');
            text.push_str(&folder);
            if by_artist {
                let _ = write!(text, "{}\\", song.artist);
            }
            let _ = write!(text, "{} - {}.mp3\"", song.artist, song.title);
            self.put_attributes(*rank, rng, &mut text);
            put(out, 100, text.as_bytes());
        }
        songs.len()
    }

    /// ` md5 size bitrate freq seconds` of one of the rips of a song.
    fn put_attributes(&self, rank: usize, rng: &mut Rng, text: &mut String) {
        let rip = [0, 0, 0, 0, 0, 0, 1, 1, 1, 2][rng.index(10)];
        let rng = &mut dice(self.seed, (4 + rip) << 40 | rank as u64);
        let bitrate = [128, 128, 128, 128, 160, 192, 256][rng.index(7)];
        let seconds = 120 + rng.below(300);
        let size = seconds * bitrate * 125 + rng.below(4096);
        let _ = write!(text, " {:032x} {size} {bitrate} 44100 {seconds}", u128::from_le_bytes(rng.bytes()));
    }

    /// The text of a search (type 200).
    pub(crate) fn query(&self, sort: Sort, rng: &mut Rng) -> String {
        let common = |rng: &mut Rng| rng.index(10);
        let words = match sort {
            Sort::Artist => self.song(self.song.draw(rng)).artist,
            Sort::Song => {
                let words = 2 + rng.index(5);
                self.some_words(words, rng)
            }
            Sort::Miss => format!("{} qxqxq", self.some_words(2, rng)),
            Sort::Common => self.words[common(rng)].clone(),
            Sort::TwoCommon => {
                let first = common(rng);
                let second = (first + 1 + rng.index(9)) % 10;
                format!("{} {}", self.words[first], self.words[second])
            }
        };
        format!("FILENAME CONTAINS \"{words}\" MAX_RESULTS 100")
    }

    /// So many words of a song that somebody shares more likely than not.
    fn some_words(&self, count: usize, rng: &mut Rng) -> String {
        let song = self.song(self.song.draw(rng));
        let name = format!("{} {}", song.artist, song.title).to_ascii_lowercase();
        let mut words: Vec<&str> = name.split(' ').collect();
        rng.shuffle(&mut words);
        words.truncate(count);
        words.join(" ")
    }
}

/// Appends a message.
pub(crate) fn put(out: &mut Vec<u8>, kind: u16, text: &[u8]) {
    out.extend((text.len() as u16).to_le_bytes());
    out.extend(kind.to_le_bytes());
    out.extend(text);
}

/// What a user logs in with, who can be dialled.
pub(crate) fn login(user: u64) -> String {
    format!("user{user} secret 6699 \"load 1.0\" 8")
}
