//! `sim`: what cannot be read is no success, whether its figures are checked or not.

use crate::rig::{Place, run, text};

#[test]
fn a_file_that_cannot_be_read_ends_a_simulation() {
    let place = Place::new("sim");
    place.put("odd", b"three bytes and more are no triangle of delays");
    place.put("no edges", b"# a graph\n");
    let (nowhere, odd, empty) = (place.at("nowhere"), place.at("odd"), place.at("no edges"));
    for args in [
        ["gnutella", "flood", "--snap", &nowhere],
        ["gnutella", "search", "--snap", &nowhere],
        ["gnutella", "flood", "--snap", &empty],
        ["esm", "tree", "--delays", &nowhere],
        ["esm", "tree", "--delays", &odd],
    ] {
        let ended = run("sim", &args);
        let said = text(&ended.stderr);
        assert_eq!(ended.status.code(), Some(1), "{args:?}: {said}");
        assert!(said.starts_with("error: ") && said.contains(args[3]), "{args:?}: {said}");
    }
}
