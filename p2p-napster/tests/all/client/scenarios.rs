//! The scenarios that were recorded, each from every client's side. What differs on purpose stands in the lists.

use super::replay::{Difference, View, whole_and_byte_by_byte};

const PORT: &str = "the port stands in the login already; MP3::Napster knows it only afterwards";
const SPEED: &str = "the speed stands in the login already";
const TALLY: &str = "an upload is told when its first byte leaves, not when it was agreed on";
const BUILD: &str = "TekNap's number of build, where others have a mail address";
const FOLDER: &str = "files are told one by one, and each with its digest";
const CLAUSES: &str = "the order of the clauses, and a space behind them";

const fn view(record: &'static str, nick: &'static str, differences: &'static [Difference]) -> View {
    View { record, nick, login: 0, differences, data: &[], unlike: &[], without: &[] }
}

#[test]
fn scenario_01_register_and_log_in() {
    whole_and_byte_by_byte(&view(
        "01-register-login",
        "newbie",
        &[
            ("703 6705", &[], PORT),
            (
                "14 NAME: ADDRESS: CITY: STATE: PHONE: AGE: INCOME: EDUCATION:",
                &[],
                "nobody reads what a registration was asked for in 1999",
            ),
        ],
    ));
    // A wrong password.
    whole_and_byte_by_byte(&View { login: 1, ..view("01-register-login", "newbie", &[]) });
    whole_and_byte_by_byte(&View {
        login: 2,
        ..view(
            "01-register-login",
            "newbie",
            &[
                ("2 newbie newpw 0 \"v2.0\" 8", &["2 newbie newpw 6705 \"v2.0\" 8"], PORT),
                ("703 6705", &[], PORT),
                ("700 8", &[], SPEED),
            ],
        )
    });
}

const DOWNLOADER: &[Difference] = &[
    ("2 downloader dnpw 0 \"v2.0\" 9", &["2 downloader dnpw 6702 \"v2.0\" 9"], PORT),
    ("703 6702", &[], PORT),
    ("700 9", &[], SPEED),
    (
        "200 MAX_RESULTS 100 FILENAME CONTAINS \"generic\"",
        &["200 FILENAME CONTAINS \"generic\" MAX_RESULTS 100"],
        CLAUSES,
    ),
];
const SONG: &str = "608 downloader \"Z:\\nap\\Generic Band - Generic Song.mp3\"";

#[test]
fn scenario_02_share_search_get_browse_whois() {
    whole_and_byte_by_byte(&view(
        "02-share-search-get-browse-whois",
        "uploader",
        &[
            ("2 uploader uppw 0 \"v2.0\" 7", &["2 uploader uppw 6701 \"v2.0\" 7"], PORT),
            ("703 6701", &[], PORT),
            ("700 7", &[], SPEED),
            ("220", &[], TALLY),
            (SONG, &[SONG, "220"], TALLY),
        ],
    ));
    whole_and_byte_by_byte(&view("02-share-search-get-browse-whois", "downloader", DOWNLOADER));
}

#[test]
fn scenario_03_push_from_a_firewalled_uploader() {
    whole_and_byte_by_byte(&View {
        data: &[(
            2,
            b"SENDuploader \"Generic Band - Generic Song.mp3\"",
            b"SENDuploader \"Z:\\nap\\Generic Band - Generic Song.mp3\"",
            "the whole name, by which it was asked for",
        )],
        ..view("03-firewalled-push", "uploader", &[("700 7", &[], SPEED)])
    });
    whole_and_byte_by_byte(&view("03-firewalled-push", "downloader", DOWNLOADER));
}

#[test]
fn scenario_04_teknap_on_both_sides() {
    whole_and_byte_by_byte(&View {
        data: &[(
            3,
            b"1SENDLIST\n",
            b"1tek1\n\"\\srv\\napster\\tek\\up\\Tek Band - Tek Song.mp3\" 7e0e2303ad5740b9ad9265358345d135 40000 128 44100 2\n\n",
            "TekNap's two ends do not understand each other; the list comes in the form of the specification",
        )],
        ..view("04-teknap-both-sides",
        "tek1",
        &[
            ("2 tek1 tekpw 6711 \"TekNap-1.3g\" 7 5201 0", &["2 tek1 tekpw 6711 \"TekNap-1.3g\" 7"], BUILD),
            (
                "870 \"\\srv\\napster\\tek\\up\\\" \"Tek Band - Tek Song.mp3\" NOMD5COMPUTED 40000 128 44100 2",
                &["100 \"\\srv\\napster\\tek\\up\\Tek Band - Tek Song.mp3\" 7e0e2303ad5740b9ad9265358345d135 40000 128 44100 2"],
                FOLDER,
            ),
        ],
    )});
    whole_and_byte_by_byte(&View {
        data: &[(3, b"GETLIST\n", b"GETLIST", "TekNap itself breaks off when it gets the end of line")],
        ..view(
            "04-teknap-both-sides",
            "tek2",
            &[
                (
                    "2 tek2 tekpw 6712 \"TekNap-1.3g\" 7 5201 0",
                    &["2 tek2 tekpw 6712 \"TekNap-1.3g\" 7"],
                    BUILD,
                ),
                ("827", &[], "the list of channels with their levels is asked for by nobody here"),
            ],
        )
    });
}

const TEK: &str = "608 dl \"\\srv\\napster\\tek\\up\\Tek Band - Tek Song.mp3\"";
const PROBE: &str = "it breaks the protocol on purpose, as this client cannot";
/// The connections of the probe that asks in many ways, all but the first.
const PROBES: &[(usize, &str)] = &[
    (3, PROBE),
    (4, PROBE),
    (5, PROBE),
    (6, PROBE),
    (7, PROBE),
    (8, PROBE),
    (9, PROBE),
    (10, PROBE),
    (11, PROBE),
    (12, PROBE),
    (13, PROBE),
    (14, PROBE),
    (15, PROBE),
    (16, PROBE),
    (17, PROBE),
];
const ONCE: &str = "a file that is wanted already is not asked for again";
const WORDS: &str = "a refusal in words, where it is left at nothing";
const UNASKED: &str = "a list is for those who asked for it (640)";

#[test]
fn scenario_11_teknap_is_asked_in_many_ways() {
    whole_and_byte_by_byte(&View {
        data: &[
            (6, b"1", b"1INVALID REQUEST", WORDS),
            (12, b"1", b"1INVALID REQUEST", WORDS),
            (
                14,
                b"1SENDLIST\ntek1\n\"\\srv\\napster\\tek\\up\\Tek Band - Tek Song.mp3\" NOMD5COMPUTED 40000 128 44100 2\n\n",
                b"1INVALID REQUEST",
                UNASKED,
            ),
            (15, b"1SENDLIST\n", b"1INVALID REQUEST", UNASKED),
            (17, b"11", b"1", "TekNap greets once more who has left"),
        ],
        ..view(
            "11-teknap-data-port-cases",
            "tek1",
            &[
                (
                    "2 tek1 tekpw 6711 \"TekNap-1.3g\" 7 5201 0",
                    &["2 tek1 tekpw 6711 \"TekNap-1.3g\" 7"],
                    BUILD,
                ),
                (
                    "870 \"\\srv\\napster\\tek\\up\\\" \"Tek Band - Tek Song.mp3\" NOMD5COMPUTED 40000 128 44100 2",
                    &[
                        "100 \"\\srv\\napster\\tek\\up\\Tek Band - Tek Song.mp3\" d413e9a4dd8160177800a29b904f42ed 40000 128 44100 2",
                    ],
                    FOLDER,
                ),
                (
                    "608 dl \"\\srv\\napster\\tek\\up\\Tek Band - Tek Song.mp3\" @3",
                    &[TEK, TEK, TEK, TEK],
                    "TekNap forgets a request after a broken connection, and answers none any more",
                ),
            ],
        )
    });
    whole_and_byte_by_byte(&View {
        without: PROBES,
        ..view(
            "11-teknap-data-port-cases",
            "dl",
            &[
                (
                    "203 tek1 \"\\srv\\napster\\tek\\up\\Tek Band - Tek Song.mp3\" @1",
                    &["203 tek1 \"\\srv\\napster\\tek\\up\\Tek Band - Tek Song.mp3\"", "218", "219"],
                    "the probe does not tell of transfers",
                ),
                ("203 tek1 \"\\srv\\napster\\tek\\up\\Tek Band - Tek Song.mp3\" @3..", &[], ONCE),
            ],
        )
    });
}

#[test]
fn scenario_12_mp3napster_is_asked_in_many_ways() {
    whole_and_byte_by_byte(&View {
        unlike: &[
            (220, "told when the first byte leaves, and at most twice a minute: servers complain of more"),
            (221, "the same"),
        ],
        data: &[
            (4, b"1", b"1INVALID REQUEST", WORDS),
            (7, b"1", b"1INVALID REQUEST", WORDS),
            (12, b"1", b"1INVALID REQUEST", WORDS),
            (13, b"1", b"1INVALID REQUEST", WORDS),
            (14, b"1", b"1INVALID REQUEST", UNASKED),
            (15, b"1", b"1INVALID REQUEST", UNASKED),
        ],
        ..view(
            "12-mp3napster-data-port-cases",
            "uploader",
            &[
                ("2 uploader uppw 0 \"v2.0\" 7", &["2 uploader uppw 6701 \"v2.0\" 7"], PORT),
                ("703 6701", &[], PORT),
                ("700 7", &[], SPEED),
            ],
        )
    });
    whole_and_byte_by_byte(&View {
        without: PROBES,
        ..view(
            "12-mp3napster-data-port-cases",
            "dl",
            &[
                (
                    "203 uploader \"Z:\\nap\\Generic Band - Generic Song.mp3\" @1",
                    &["203 uploader \"Z:\\nap\\Generic Band - Generic Song.mp3\"", "218", "219"],
                    "the probe does not tell of transfers",
                ),
                ("203 uploader \"Z:\\nap\\Generic Band - Generic Song.mp3\" @3..", &[], ONCE),
            ],
        )
    });
}

const NEVER: &str = "no command of this client";
const BROKEN: &str = "a search that no server can read";
const TYPE: &str = "a word of the grammar, which any case has";
const KNOWN: &str = "only who registers asks whether a nick is free";

const ALICE: &[Difference] = &[
    ("7 alice", &[], KNOWN),
    (
        "100 \"C:\\mp3\\Generic Band - Generic Song.mp3\" b92870e0d41bc8e698cf2f0a1ddfeac7-443332 443332 128 44100 60",
        &[
            "100 \"C:\\mp3\\Generic Band - Generic Song.mp3\" b92870e0d41bc8e698cf2f0a1ddfeac7 443332 128 44100 60",
        ],
        "a digest is 32 digits",
    ),
    (
        "619 bob \"C:\\mp3\\Generic Band - Generic Song.mp3\" 1",
        &["609 bob \"nofile\""],
        "there is room, so nobody is queued; and who asks for what is not shared is told so",
    ),
    ("824 #test \"waves\"", &[], NEVER),
    ("410 #test new topic here", &[], NEVER),
    (
        "102 \"C:\\mp3\\Generic Band - Generic Song.mp3\"",
        &[],
        "the name stands without quotes, or servers know no such file",
    ),
    ("110", &[], NEVER),
    (
        "870 \"C:\\mp3\" \"one song.mp3\" 0 1000 128 44100 10 \"two song.mp3\" 0 2000 160 44100 20",
        &[
            "100 \"C:\\mp3one song.mp3\" ede3d3b685b4e137ba4cb2521329a75e 1000 128 44100 10",
            "100 \"C:\\mp3two song.mp3\" cf40a1de3f93b4a025409b5efa5aa210 2000 160 44100 20",
        ],
        FOLDER,
    ),
    (
        "10300 \"movie file.avi\" 7000000 0 video",
        &["10300 \"movie file.avi\" 7000000 6d532f61a64ccfcda3ee9616674e7c3b video"],
        "with its digest",
    ),
];

const BOB: &[Difference] = &[
    (
        "200 FILENAME CONTAINS \"second\" MAX_RESULTS 10 TYPE ANY",
        &["200 FILENAME CONTAINS \"second\" MAX_RESULTS 10 TYPE any"],
        TYPE,
    ),
    (
        "200 FILENAME CONTAINS \"ogg\" MAX_RESULTS 10 TYPE ANY",
        &["200 FILENAME CONTAINS \"ogg\" MAX_RESULTS 10 TYPE any"],
        TYPE,
    ),
    (
        "200 FILENAME CONTAINS \"generic -song\" MAX_RESULTS 10",
        &["200 FILENAME CONTAINS \"generic\" MAX_RESULTS 10 FILENAME EXCLUDES \"song\""],
        "a clause of its own for what a name must not have",
    ),
    (
        "200 MAX_RESULTS 10 FILENAME CONTAINS \"generic\" LINESPEED \"AT LEAST\" 5",
        &["200 FILENAME CONTAINS \"generic\" MAX_RESULTS 10 LINESPEED \"AT LEAST\" 5"],
        CLAUSES,
    ),
    ("200 FILENAME CONTAINS \"a \"quoted\" string\" MAX_RESULTS 100", &[], BROKEN),
    ("200 FILENAME CONTAINS \"\" MAX_RESULTS 100", &[], BROKEN),
    ("200", &[], BROKEN),
    (
        "500 alice \"C:\\mp3\\Generic Band - Generic Song.mp3\"",
        &[],
        "only who cannot be dialled is asked to dial",
    ),
    ("203 nobody \"nofile\"", &[], ONCE),
    ("600 alice", &[], NEVER),
    ("827", &[], NEVER),
    ("830 #test", &[], NEVER),
    ("750", &["750 servera"], "the answer to the server's own ping, in its words"),
    ("214", &[], NEVER),
    ("621", &[], NEVER),
    ("801", &[], NEVER),
    ("626 alice", &[], NEVER),
    ("700 8", &[], NEVER),
    ("703 0", &[], NEVER),
    ("300 6699", &[], NEVER),
    ("310", &[], NEVER),
    ("316", &[], NEVER),
    ("1234 x", &[], NEVER),
    ("218", &[], "no transfer began"),
    ("219", &[], "no transfer ended"),
];

const PAT: &[Difference] = &[
    ("300 6800", &[], NEVER),
    ("700 6", &[], NEVER),
    ("702 me@x.org", &[], NEVER),
    ("701 newpw", &[], NEVER),
    ("320", &[], "the client knows whom it ignores"),
    ("326", &[], NEVER),
    ("208 quin", &[], "said by itself, of whom it watches already"),
    ("430 quin #lobby", &[], NEVER),
    ("10210 quin #lobby", &[], NEVER),
    ("610 quin", &[], NEVER),
    ("612 quin", &[], NEVER),
    ("615", &[], NEVER),
    ("606 pat Elite", &[], NEVER),
    ("628 x", &[], NEVER),
    ("627 help mods", &[], NEVER),
    ("821 quin 1.2.3.4 8888", &[], NEVER),
    ("10112", &[], NEVER),
    ("10115", &[], NEVER),
    ("10118", &[], NEVER),
    ("10119 quin", &[], NEVER),
    ("920 1", &[], NEVER),
    ("11 a b", &[], NEVER),
];

#[test]
fn scenario_09_every_type() {
    const RECORD: &str = "09-all-numerics-probe";
    whole_and_byte_by_byte(&view(RECORD, "alice", ALICE));
    whole_and_byte_by_byte(&view(RECORD, "bob", BOB));
    whole_and_byte_by_byte(&view(RECORD, "pat", PAT));
    whole_and_byte_by_byte(&view(
        RECORD,
        "dave",
        &[(
            "6 dave pass 0 \"probe\" 1 d@e.f",
            &["2 dave pass 0 \"probe\" 1"],
            "a nick is registered only once the server has said that it is free",
        )],
    ));
    whole_and_byte_by_byte(&view(RECORD, "a*b", &[("7 dave", &[], KNOWN), ("7 a b", &[], KNOWN)]));
    whole_and_byte_by_byte(&view(
        RECORD,
        "fred",
        &[("2 fred pw 0 \"probe\" 0 0", &["2 fred pw 0 \"probe\" 0"], BUILD)],
    ));
    // A second login of a nick, wrong passwords, and one that is pushed out; "fr2" speaks zlib, which this client never
    // asks for.
    for (nick, login) in [("alice", 1), ("dave", 1), ("dave", 2), ("dave", 3), ("quin", 0), ("boss2", 0)] {
        whole_and_byte_by_byte(&View { login, ..view(RECORD, nick, &[]) });
    }
}
