//! Beside gtk-gnutella, where that is installed: it is a leaf of ours, both find and fetch what the other shares. Other
//! addresses than those of loopback are not to be had in a test, so what it does for those alone is left out.

use super::{Node, link, run, search};
use crate::rig::{PATIENCE, Place, content, text};
use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Its address: hits of 127.0.0.1 would be ours.
const AT: &str = "127.0.0.2";

struct Gtk {
    child: Child,
    place: String,
}

impl Gtk {
    fn new(place: &Place) -> Self {
        let dir = |below: &str| place.at(&format!("gtk/{below}"));
        for below in ["share", "incomplete", "done"] {
            fs::create_dir_all(dir(below)).unwrap();
        }
        let config = format!(
            "listen_port = 6346\nforce_local_ip = TRUE\nforced_local_ip = \"{AT}\"\nbind_to_forced_local_ip = TRUE\n\
             network_protocol = 1\nconfigured_peermode = 0\ncurrent_peermode = 0\nenable_shell = TRUE\n\
             enable_local_socket = TRUE\nremote_shell_timeout = 0\nenable_upnp = FALSE\nenable_natpmp = FALSE\n\
             enable_dht = FALSE\nenable_g2 = FALSE\nuse_global_hostiles_txt = FALSE\nis_firewalled = FALSE\n\
             shared_dirs = \"{}\"\nscan_extensions = \"ogg;zip\"\nstore_downloading_files_to = \"{}\"\n\
             move_downloading_files_to = \"{}\"\n",
            dir("share"),
            dir("incomplete"),
            dir("done"),
        );
        place.put("gtk/config_gnet", config.as_bytes());
        place.put("gtk/whitelist", b"127.0.0.1\n");
        let child = Command::new("gtk-gnutella")
            .args(["--topless", "--no-supervise", "--no-restart"])
            .env("GTK_GNUTELLA_DIR", place.at("gtk"))
            .env("HOME", place.at("gtk"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("gtk-gnutella is in PATH");
        Self { child, place: place.at("gtk") }
    }

    /// What its shell answers; it may not listen yet.
    fn shell(&self, line: &str) -> Option<String> {
        let mut stream = UnixStream::connect(format!("{}/ipc/socket", self.place)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
        let mut said = Vec::new();
        for line in ["HELO", line] {
            writeln!(stream, "{line}").ok()?;
            said.clear();
            let mut buffer = [0; 4_096];
            while let Ok(len @ 1..) = stream.read(&mut buffer) {
                said.extend_from_slice(&buffer[..len]);
            }
        }
        Some(String::from_utf8_lossy(&said).into_owned())
    }

    /// Says a line until what is hoped for is there.
    fn until(&self, line: &str, what: &str, is: impl Fn(&str) -> bool) {
        let end = Instant::now() + 3 * PATIENCE;
        while !self.shell(line).is_some_and(|answer| is(&answer)) {
            assert!(Instant::now() < end, "{what} did not come");
            std::thread::sleep(Duration::from_millis(500));
        }
    }
}

impl Drop for Gtk {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
#[ignore = "needs gtk-gnutella in PATH, and not to be root"]
fn gtk_gnutella_and_we_find_and_fetch_what_the_other_shares() {
    let place = Place::new("gnutella-live");
    let (theirs, ours) = (content(1_500_001, 41), content(2_000_003, 42));
    place.put("gtk/share/basalt quartz.zip", &theirs);
    place.put("ours/marble quartz.zip", &ours);
    let gtk = Gtk::new(&place);
    let up = Node::new("ultrapeer", &["--share", &place.at("ours")]);
    up.shares(1);
    gtk.until("status", "its library", |answer| answer.contains("Shares 1 file"));
    gtk.until(&format!("node add {}", up.at), "its shell", |answer| answer.starts_with("100"));
    up.linked("leaf");
    gtk.until("nodes", "the link", |answer| answer.contains(&up.at));

    // Its table came, it is asked, it answers, it gives: byte for byte, held against its tree.
    let hits = search("basalt", &up.at, 1);
    let to = place.at("to");
    let url = format!(
        "http://{AT}:6346/{}",
        link(&hits[0]).split("N2R%3F").nth(1).map_or_else(String::new, |urn| {
            format!("uri-res/N2R?{}", urn.split('&').next().unwrap_or_default().replace("%3A", ":"))
        })
    );
    let got = run(&["get", &url, "--to", &to, "--json"]);
    assert!(got.status.success(), "{}", text(&got.stderr));
    let saved = fs::read_dir(&to).unwrap().next().unwrap().unwrap().path();
    assert!(fs::read(saved).unwrap() == theirs);
    let listed = run(&["browse", &format!("{AT}:6346"), "--json"]);
    assert!(text(&listed.stdout).contains("basalt quartz.zip"), "{}", text(&listed.stderr));

    // And the other way round.
    let hits = search("marble", &up.at, 1);
    gtk.until(&format!("download add \"{}\"", link(&hits[0])), "its download", |answer| {
        answer.starts_with("100")
    });
    let done = place.at("gtk/done/marble quartz.zip");
    let end = Instant::now() + PATIENCE;
    while fs::read(&done).unwrap_or_default() != ours {
        assert!(Instant::now() < end, "it did not fetch the file");
        std::thread::sleep(Duration::from_millis(500));
    }
}
