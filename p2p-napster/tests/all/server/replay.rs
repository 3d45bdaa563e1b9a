//! What real clients said to opennap-ng, said to this server: it must answer with the same types, in the same order, with
//! the same fields, but for what [`normal`] and each scenario's list of differences say.

use super::capture::{Event, events};
use super::rig::{Heard, Rig, config};
use p2p_core::{ConnId, Duration};
use p2p_napster::wire::Decoder;
use std::collections::BTreeMap;

/// A scenario, and where this server answers otherwise on purpose.
struct Scenario {
    pcap: &'static [u8],
    port: u16,
    /// Connections that are left out, and why.
    without: &'static [usize],
    /// Connection, what opennap-ng sent as `type text` (or the nth of those, `@n`), and what this server sends in its
    /// place: each is used once.
    differences: &'static [(usize, &'static str, &'static [&'static str])],
}

/// What may differ everywhere: the message of the day (621), counts (214), seconds in whois (604), the reproach for a
/// browse (205 in the asker's own name), the order of a list of files (212).
fn normal(heard: &[Heard], own: &str) -> Vec<String> {
    let reproach = format!("{own} ");
    let mut lines: Vec<String> = Vec::new();
    for (kind, text) in heard {
        let text = String::from_utf8_lossy(text).into_owned();
        match kind {
            621 => {}
            205 if text.starts_with(&reproach) => {}
            214 => lines.push(String::from("214")),
            604 => {
                let mut fields: Vec<&str> = text.split(' ').collect();
                fields[2] = "seconds";
                lines.push(format!("604 {}", fields.join(" ")));
            }
            _ => lines.push(format!("{kind} {text}").trim_end().to_owned()),
        }
    }
    for run in lines.chunk_by_mut(|a, b| a.starts_with("212 ") && b.starts_with("212 ")) {
        run.sort();
    }
    lines
}

/// Plays a scenario in pieces of `step` bytes; what each connection should have been sent, and was.
fn play(scenario: &Scenario, step: usize) {
    let mut config = config();
    config.name = if scenario.port == 8890 { "serverb".into() } else { "servera".into() };
    config.stats_every = Duration::ZERO;
    let mut rig = Rig::with(config);
    let mut conns: BTreeMap<usize, ConnId> = BTreeMap::new();
    let mut sent: BTreeMap<usize, Vec<u8>> = BTreeMap::new();
    let mut said: BTreeMap<usize, Vec<u8>> = BTreeMap::new();
    for event in events(scenario.pcap, &[scenario.port]) {
        match event {
            Event::Open(n, ip, _) if !scenario.without.contains(&n) => {
                let ip = std::net::Ipv4Addr::from(ip).to_string();
                conns.insert(n, rig.connect(&ip));
            }
            Event::Client(n, bytes) if conns.contains_key(&n) => {
                said.entry(n).or_default().extend(&bytes);
                for part in bytes.chunks(step) {
                    rig.data(conns[&n], part);
                }
                rig.settle();
            }
            Event::Server(n, bytes) if conns.contains_key(&n) => sent.entry(n).or_default().extend(bytes),
            Event::Close(n) if conns.contains_key(&n) => rig.leave(conns[&n]),
            _ => {}
        }
    }
    let mut differences: Vec<_> = scenario.differences.to_vec();
    assert!(!conns.is_empty(), "a scenario has clients");
    for (n, conn) in conns {
        let own = nick(&said[&n]);
        let heard = rig.hear(conn);
        let (mut expected, mut count) = (Vec::new(), BTreeMap::new());
        for line in normal(&frames(&sent.remove(&n).unwrap_or_default()), &own) {
            let nth = count.entry(line.clone()).or_insert(0);
            *nth += 1;
            let named = format!("{line} @{nth}");
            match differences
                .iter()
                .position(|(of, theirs, _)| *of == n && (line == *theirs || named == *theirs))
            {
                Some(at) => expected.extend(differences.remove(at).2.iter().map(|ours| (*ours).to_owned())),
                None => expected.push(line),
            }
        }
        assert_eq!(normal(&heard, &own), expected, "connection {n}, {own}");
        if expected.contains(&String::from("214")) {
            assert!(heard.iter().any(|(kind, text)| *kind == 621 && text.starts_with(b"VERSION opennap ")));
            assert!(heard.iter().any(|(kind, text)| *kind == 621 && text.starts_with(b"SERVER server")));
        }
    }
    assert!(differences.is_empty(), "differences that are none: {differences:?}");
}

fn frames(bytes: &[u8]) -> Vec<Heard> {
    let mut decoder = Decoder::new(u16::MAX);
    decoder.push(bytes.to_vec().into());
    std::iter::from_fn(|| decoder.next().unwrap()).map(|frame| (frame.kind, frame.body.to_vec())).collect()
}

/// The nick that a client logged in with.
fn nick(said: &[u8]) -> String {
    let login = frames(said).into_iter().find(|(kind, _)| matches!(kind, 2 | 6));
    let text = login.map(|(_, text)| String::from_utf8_lossy(&text).into_owned()).unwrap_or_default();
    text.split(' ').next().unwrap_or_default().to_owned()
}

fn whole_and_byte_by_byte(scenario: &Scenario) {
    play(scenario, usize::MAX);
    play(scenario, 1);
}

#[test]
fn scenario_01_register_and_log_in() {
    whole_and_byte_by_byte(&Scenario {
        pcap: include_bytes!("../data/01-register-login.pcap"),
        port: 8888,
        without: &[],
        differences: &[],
    });
}

#[test]
fn scenario_02_share_search_get_browse_whois() {
    whole_and_byte_by_byte(&Scenario {
        pcap: include_bytes!("../data/02-share-search-get-browse-whois.pcap"),
        port: 8888,
        without: &[],
        differences: &[],
    });
}

#[test]
fn scenario_03_push_from_a_firewalled_uploader() {
    whole_and_byte_by_byte(&Scenario {
        pcap: include_bytes!("../data/03-firewalled-push.pcap"),
        port: 8888,
        without: &[],
        // Counts that came because a minute had passed.
        differences: &[(0, "214 @2", &[]), (1, "214 @2", &[])],
    });
}

#[test]
fn scenario_04_teknap_on_both_sides() {
    whole_and_byte_by_byte(&Scenario {
        pcap: include_bytes!("../data/04-teknap-both-sides.pcap"),
        port: 8888,
        without: &[],
        differences: &[],
    });
}

const TUNE_THEIRS: &str = "201 \"/home/x/Other Artist - Second Tune (live).ogg\" \
    00000000000000000000000000000000 1215752191 144 48000 61 alice 16777343 4";
const TUNE: &str = "201 \"/home/x/Other Artist - Second Tune (live).ogg\" \
    00000000000000000000000000000000 99999999999 131 44101 61 alice 16777343 4";
const ENTRY_THEIRS: &str = "212 alice \"/home/x/Other Artist - Second Tune (live).ogg\" \
    00000000000000000000000000000000 1215752191 144 48000 61";
const ENTRY: &str = "212 alice \"/home/x/Other Artist - Second Tune (live).ogg\" \
    00000000000000000000000000000000 99999999999 131 44101 61";

#[test]
fn scenario_09_every_type() {
    whole_and_byte_by_byte(&Scenario {
        pcap: include_bytes!("../data/09-all-numerics-probe.pcap"),
        port: 8888,
        // 7: a fifth login in a second, which opennap-ng refuses as too fast; 10: compressed.
        without: &[6, 10],
        differences: &[
            // Who does not share a file is not asked for it.
            (0, "607 bob \"nofile\"", &[]),
            (11, "607 quin \"x\"", &[]),
            // Neither sizes nor rates are changed on their way.
            (1, TUNE_THEIRS, &[TUNE]),
            (1, TUNE_THEIRS, &[TUNE]),
            (1, ENTRY_THEIRS, &[ENTRY]),
            (1, ENTRY_THEIRS, &[ENTRY]),
            (1, ENTRY_THEIRS, &[ENTRY]),
            // The ending of a name is a word of it.
            (1, "202 @4", &[TUNE, "202"]),
            // So says the asker's answer.
            (1, "206 nobody \"nofile\"", &["206 alice \"nofile\"", "206 nobody \"nofile\""]),
            (
                12,
                "642 pat \"pat is not sharing any files.\"",
                &["206 pat \"x\"", "642 pat \"pat is not sharing any files.\""],
            ),
            // Files are found by their digest, which opennap-ng was built without.
            (
                1,
                "217",
                &[
                    "216 alice 16777343 6699 \"C:\\mp3\\Generic Band - Generic Song.mp3\" \
                 b92870e0d41bc8e698cf2f0a1ddfeac7 443332 4",
                    "217",
                ],
            ),
            // Files that are no MP3s are found by their type.
            (1, "202 @12", &["201 \"movie file.avi\" 0 7000000 0 0 0 alice 16777343 4", "202"]),
            // Uptime and totals.
            (
                11,
                "10115 6 0 6 0 0 2 1795349855 51 0 3 0 0 0 0 0 0",
                &["10115 5 0 5 0 0 2 0 1700001000 0 0 1 0 0 0 0 0 0"],
            ),
        ],
    });
}

#[test]
fn scenario_06_behind_a_metaserver() {
    whole_and_byte_by_byte(&Scenario {
        pcap: include_bytes!("../data/06-metaserver.pcap"),
        port: 8890,
        without: &[],
        differences: &[],
    });
}

#[test]
fn scenario_11_teknap_is_asked_in_many_ways() {
    whole_and_byte_by_byte(&Scenario {
        pcap: include_bytes!("../data/11-teknap-data-port-cases.pcap"),
        port: 8888,
        without: &[],
        // Counts that came because a minute had passed.
        differences: &[(1, "214 @2", &[])],
    });
}

#[test]
fn scenario_12_mp3napster_is_asked_in_many_ways() {
    whole_and_byte_by_byte(&Scenario {
        pcap: include_bytes!("../data/12-mp3napster-data-port-cases.pcap"),
        port: 8888,
        without: &[],
        differences: &[],
    });
}
