//! The uploads of `napster share`: a bar for each on a terminal, a line for the beginning and the end of each.

use crate::text;
use p2p_examples::progress::Figures;
use p2p_examples::units::{Size, Span};
use p2p_examples::{Line, Output};
use p2p_napster::client::Event;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

/// Uploads under way, by their numbers.
#[derive(Debug, Default)]
pub(crate) struct Uploads(BTreeMap<u64, Upload>);

#[derive(Debug)]
struct Upload {
    /// For people: to whom, and what.
    nick: String,
    name: String,
    began: Instant,
    /// From which byte on, up to which, and of how many.
    offset: u64,
    have: u64,
    size: u64,
}

impl Uploads {
    pub(crate) fn heard(&mut self, news: &Event, out: &mut Output) {
        match news {
            Event::Uploading { upload, nick, name, offset, size } => {
                let begins = Line::new("uploading").number("upload", *upload);
                let begins = begins.text("nick", text::whole(nick)).text("name", text::whole(name));
                out.event(begins.number("offset", *offset).number("size", *size));
                let (nick, name) = (text::name(nick), text::name(name));
                out.note(format_args!("{nick} fetches {name}"));
                let (began, offset, size) = (Instant::now(), *offset, *size);
                self.0.insert(*upload, Upload { nick, name, began, offset, have: offset, size });
            }
            Event::UploadProgress { upload, nick, name, have, size } => {
                let line = Line::new("progress").text("state", "sending").number("upload", *upload);
                let line = line.text("nick", text::whole(nick)).text("name", text::whole(name));
                out.event(line.number("have", *have).number("size", *size));
                if let Some(upload) = self.0.get_mut(upload) {
                    upload.have = *have;
                }
            }
            Event::Uploaded { upload, nick, name, sent, complete } => {
                let took = self.0.remove(upload).map_or(Duration::ZERO, |upload| upload.began.elapsed());
                let ends = Line::new("uploaded").number("upload", *upload);
                let ends = ends.text("nick", text::whole(nick)).text("name", text::whole(name));
                let ends = ends.number("sent", *sent).flag("complete", *complete);
                out.event(ends.number("milliseconds", took.as_millis() as u64));
                let how = if *complete { "has" } else { "broke off" };
                let (nick, name, rate) = (text::name(nick), text::name(name), rate(*sent, took));
                let (sent, took) = (Size(*sent), Span(took));
                out.note(format_args!("{nick} {how} {name}: {sent} sent in {took}, {rate}/s"));
            }
            // A line of something else has taken the bars away.
            _ => {}
        }
        let bars: Vec<String> = self.0.values().map(|upload| upload.bar(upload.began.elapsed())).collect();
        out.lines(&bars);
    }
}

fn rate(bytes: u64, took: Duration) -> Size {
    Size((bytes as f64 / took.max(Duration::from_millis(1)).as_secs_f64()) as u64)
}

impl Upload {
    fn bar(&self, took: Duration) -> String {
        let figures = Figures {
            doing: "sending",
            done: self.have,
            all: self.size,
            rate_in: rate(self.have - self.offset, took).0,
            ..Figures::default()
        };
        format!("{}  to {}: {}", figures.line(), self.nick, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_says_to_whom_and_how_fast() {
        let upload = Upload {
            nick: "bob".into(),
            name: "Song.mp3".into(),
            began: Instant::now(),
            offset: 1_000_000,
            have: 3_000_000,
            size: 4_000_000,
        };
        assert_eq!(
            upload.bar(Duration::from_secs(4)),
            "sending  75.0% ███████████████····· 3.0 MB of 4.0 MB  500 kB/s  3.0 s left  to bob: Song.mp3"
        );
        // One that has not begun yet.
        let upload = Upload { have: 1_000_000, ..upload };
        assert!(upload.bar(Duration::ZERO).contains(" 0 B/s "), "{}", upload.bar(Duration::ZERO));
    }
}
