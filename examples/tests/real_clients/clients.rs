//! How each client is started, given a torrent and a peer, and asked whether it is complete.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::json;

use crate::content::Content;
use crate::network::Host;
use crate::process::Process;
use crate::stage::Stage;

/// Our program as cargo built it for this test.
pub(crate) const TORRENT: &str = env!("CARGO_BIN_EXE_torrent");
/// A libtorrent peer for tests.
const LIBTORRENT_PEER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/lt.py");

/// Our program while it seeds or fetches.
pub(crate) struct Ours {
    pub(crate) process: Process,
    pub(crate) address: SocketAddr,
}

impl Ours {
    /// `torrent seed`, started on `listen` or on a port of the system's choice.
    pub(crate) fn seed(stage: &mut Stage, host: &Host, torrent: &Path, from: &Path, more: &[String]) -> Self {
        let mut command = host.command(TORRENT);
        command.arg("seed").arg(torrent).arg("--from").arg(from);
        Self::start(stage, host, "our seed", command, more)
    }

    /// `torrent get`, which ends when the content is complete unless `more` has `--seed`.
    pub(crate) fn get(stage: &mut Stage, host: &Host, torrent: &Path, to: &Path, more: &[String]) -> Self {
        let mut command = host.command(TORRENT);
        command.arg("get").arg(torrent).arg("--to").arg(to);
        Self::start(stage, host, "our leech", command, more)
    }

    fn start(stage: &mut Stage, host: &Host, name: &str, mut command: Command, more: &[String]) -> Self {
        if !more.iter().any(|arg| arg == "--listen") {
            command.arg("--listen").arg(host.at(0).to_string());
        }
        command.args(more).arg("--json");
        let mut process = stage.start(name, command);
        let address = address(&stage.wait_event(&mut process, "listening"), "addr");
        Self { process, address }
    }

    pub(crate) fn wait_complete(&mut self, stage: &Stage) {
        stage.wait_event(&mut self.process, "complete");
    }
}

/// Our tracker and the addresses it answers on.
pub(crate) struct Tracker {
    _process: Process,
    pub(crate) http: String,
    pub(crate) udp: String,
}

impl Tracker {
    /// `torrent tracker` on a host of its own.
    pub(crate) fn ours(stage: &mut Stage, host: &Host) -> Self {
        let at = host.at(0).to_string();
        let mut command = host.command(TORRENT);
        command.args(["tracker", "--listen", &at, "--udp", &at, "--json"]);
        let mut process = stage.start("our tracker", command);
        let event = stage.wait_event(&mut process, "listening");
        let (http, udp) = (address(&event, "addr"), address(&event, "udp"));
        Self {
            _process: process,
            http: format!("http://{http}/announce"),
            udp: format!("udp://{udp}/announce"),
        }
    }

    /// opentracker in whitelist mode. It reads the list once, so a torrent must be known before it starts.
    pub(crate) fn opentracker(stage: &mut Stage, host: &Host, port: u16, info_hashes: &[String]) -> Self {
        let folder = stage.folder("opentracker");
        fs::write(folder.join("whitelist"), info_hashes.join("\n") + "\n").unwrap();
        let mut command = host.command_as_nobody("opentracker");
        command.args([
            "-i",
            host.address(),
            "-p",
            &port.to_string(),
            "-P",
            &port.to_string(),
            "-u",
            "nobody",
        ]);
        command.arg("-d").arg(&folder).args(["-w", "whitelist"]);
        let process = stage.start("opentracker", command);
        stage.wait("opentracker to listen", || host.listens(port).then_some(()));
        let at = host.at(port);
        Self { _process: process, http: format!("http://{at}/announce"), udp: format!("udp://{at}/announce") }
    }
}

fn address(event: &serde_json::Value, field: &str) -> SocketAddr {
    event[field]
        .as_str()
        .and_then(|text| text.parse().ok())
        .unwrap_or_else(|| panic!("no address in {event}"))
}

/// The real clients that both seed and fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Aria2,
    Libtorrent,
    Transmission,
}

impl Kind {
    pub(crate) const ALL: [Self; 3] = [Self::Aria2, Self::Libtorrent, Self::Transmission];
}

/// A real client with one torrent. It checks what its folder holds first: with everything there it is a seed.
pub(crate) struct Theirs {
    pub(crate) process: Process,
    /// Where it takes connections.
    pub(crate) address: SocketAddr,
    kind: Kind,
    settings: Settings,
    control: Control,
}

/// What a client is started with.
#[derive(Clone, Default)]
pub(crate) struct Settings {
    /// Bytes per second, at most.
    pub(crate) download_limit: Option<u64>,
    pub(crate) upload_limit: Option<u64>,
    /// A peer to dial; only libtorrent can be told one.
    pub(crate) dial: Option<SocketAddr>,
    /// The torrent's tracker is asked over UDP: aria2 does that only with its DHT on, which here knows no node.
    pub(crate) udp_tracker: bool,
}

/// What the harness needs to ask a client how far it is.
struct Control {
    name: String,
    folder: PathBuf,
    rpc: u16,
}

impl Theirs {
    /// Starts a client on `host` with `torrent`, its content below `folder`.
    pub(crate) fn start(
        stage: &mut Stage,
        host: &Host,
        kind: Kind,
        torrent: &Path,
        folder: &Path,
        settings: &Settings,
    ) -> Self {
        let control =
            Control { name: format!("{kind:?}"), folder: stage.folder("control"), rpc: host.free_port() };
        let address = host.at(host.free_port());
        let process = launch(stage, host, kind, torrent, folder, settings, &control, address);
        Self { process, address, kind, settings: settings.clone(), control }
    }

    /// Starts it again where it was, after a kill.
    pub(crate) fn restart(&mut self, stage: &mut Stage, host: &Host, torrent: &Path, folder: &Path) {
        self.process =
            launch(stage, host, self.kind, torrent, folder, &self.settings, &self.control, self.address);
    }

    /// Waits until the client says that it has and has verified everything.
    pub(crate) fn wait_complete(&mut self, stage: &Stage, host: &Host) {
        let what = format!("{} to be complete", self.control.name);
        match self.kind {
            Kind::Libtorrent => {
                stage.wait_event(&mut self.process, "complete");
            }
            Kind::Aria2 => stage.wait(&what, || {
                assert!(self.process.ended().is_none(), "aria2 ended");
                self.control.folder.join("complete").exists().then_some(())
            }),
            Kind::Transmission => stage.wait(&what, || {
                let said = self.remote(stage, host, &["--torrent", "all", "--info"]);
                (said.contains("Percent Done: 100%") && !said.contains("State: Verifying")).then_some(())
            }),
        }
    }

    /// Sets the right to serve what the folder already holds: waits for the check of it to end.
    pub(crate) fn wait_seeding(&mut self, stage: &Stage, host: &Host) {
        match self.kind {
            // aria2 has no hook for content that was there from the start; it listens, and serves after its check.
            Kind::Aria2 => {}
            Kind::Libtorrent | Kind::Transmission => self.wait_complete(stage, host),
        }
    }

    fn remote(&self, stage: &Stage, host: &Host, args: &[&str]) -> String {
        let mut command = host.command("transmission-remote");
        command.arg(host.at(self.control.rpc).to_string()).args(args);
        stage.run(&mut command)
    }
}

#[expect(clippy::too_many_arguments, reason = "all of them are what a start consists of")]
fn launch(
    stage: &mut Stage,
    host: &Host,
    kind: Kind,
    torrent: &Path,
    folder: &Path,
    settings: &Settings,
    control: &Control,
    address: SocketAddr,
) -> Process {
    match kind {
        Kind::Libtorrent => {
            let mut command = libtorrent(host);
            command.args(["get", "--seed", "--keep", "--progress", "--listen", &address.to_string()]);
            command.arg(torrent).arg("--to").arg(folder);
            for (flag, limit) in [("--down", settings.download_limit), ("--up", settings.upload_limit)] {
                if let Some(limit) = limit {
                    command.args([flag, &limit.to_string()]);
                }
            }
            if let Some(peer) = settings.dial {
                command.args(["--peer", &peer.to_string()]);
            }
            let mut process = stage.start(&control.name, command);
            stage.wait_event(&mut process, "checked");
            process
        }
        Kind::Aria2 => {
            let hook = control.folder.join("hook");
            let script = format!("#!/bin/sh\ntouch '{}/complete'\n", control.folder.display());
            fs::write(&hook, script).unwrap();
            make_executable(&hook);
            let mut command = host.command("aria2c");
            command.args([
                "--no-conf",
                "--enable-dht6=false",
                "--bt-enable-lpd=false",
                "--enable-peer-exchange=false",
                "--disable-ipv6",
                "--file-allocation=none",
                "--check-integrity=true",
                "--seed-ratio=0.0",
                "--summary-interval=0",
                "--console-log-level=notice",
                "--show-console-readout=false",
                "--auto-save-interval=1",
            ]);
            command.arg(format!("--enable-dht={}", settings.udp_tracker));
            command.arg(format!("--dht-listen-port={}", host.free_port()));
            command.arg(format!("--dht-file-path={}", control.folder.join("dht.dat").display()));
            command.arg(format!("--interface={}", host.address()));
            command.arg(format!("--listen-port={}", address.port()));
            command.arg(format!("--on-bt-download-complete={}", hook.display()));
            command.arg(format!("--max-overall-download-limit={}", settings.download_limit.unwrap_or(0)));
            command.arg(format!("--max-overall-upload-limit={}", settings.upload_limit.unwrap_or(0)));
            command.arg(format!("--dir={}", folder.display())).arg(torrent);
            let process = stage.start(&control.name, command);
            stage.wait("aria2 to listen", || host.listens(address.port()).then_some(()));
            process
        }
        Kind::Transmission => {
            let kilobytes = |limit: Option<u64>| limit.unwrap_or(0) / 1000;
            let settings = json!({
                "bind-address-ipv4": host.address(), "peer-port": address.port(),
                "peer-port-random-on-start": false, "port-forwarding-enabled": false,
                "dht-enabled": false, "lpd-enabled": false, "pex-enabled": false, "utp-enabled": false,
                "encryption": 0, "preallocation": 0, "cache-size-mb": 0, "rename-partial-files": false,
                "rpc-enabled": true, "rpc-bind-address": host.address(), "rpc-port": control.rpc,
                "rpc-whitelist-enabled": false, "rpc-host-whitelist-enabled": false,
                "rpc-authentication-required": false, "download-dir": folder, "start-added-torrents": true,
                "download-queue-enabled": false, "ratio-limit-enabled": false, "message-level": 2,
                "speed-limit-down-enabled": settings.download_limit.is_some(),
                "speed-limit-down": kilobytes(settings.download_limit),
                "speed-limit-up-enabled": settings.upload_limit.is_some(),
                "speed-limit-up": kilobytes(settings.upload_limit),
            });
            fs::write(control.folder.join("settings.json"), settings.to_string()).unwrap();
            let mut command = host.command("transmission-daemon");
            command.arg("--foreground").arg("--config-dir").arg(&control.folder);
            let process = stage.start(&control.name, command);
            stage.wait("Transmission to listen", || {
                (host.listens(control.rpc) && host.listens(address.port())).then_some(())
            });
            let mut add = host.command("transmission-remote");
            add.arg(host.at(control.rpc).to_string()).arg("--add").arg(torrent);
            stage.run(&mut add);
            process
        }
    }
}

/// The start of a command of `tests/peers/lt.py`.
pub(crate) fn libtorrent(host: &Host) -> Command {
    let mut command = host.command(python());
    command.env("PYTHONPATH", libtorrent_folder()).args(["-W", "ignore", LIBTORRENT_PEER]);
    command
}

/// What libtorrent reads in a torrent file.
pub(crate) fn libtorrent_show(stage: &Stage, host: &Host, torrent: &Path) -> serde_json::Value {
    let said = stage.run(libtorrent(host).arg("show").arg(torrent));
    serde_json::from_str(said.lines().next().unwrap_or_default()).unwrap()
}

/// `torrent create`, whose result libtorrent must be able to read; the info-hash in hexadecimal.
pub(crate) fn create(
    stage: &mut Stage,
    host: &Host,
    content: &Content,
    piece_length: u64,
    announce: &[&str],
) -> (PathBuf, String) {
    let torrent = stage.folder("torrent").join("ours.torrent");
    let mut command = host.command(TORRENT);
    command.arg("create").arg(content.path()).arg("-o").arg(&torrent);
    command.args(["--piece-length", &piece_length.to_string()]);
    for url in announce {
        command.args(["--announce", url]);
    }
    stage.run(&mut command);
    let seen = libtorrent_show(stage, host, &torrent);
    assert_eq!(seen["size"], content.size, "{seen}");
    let info_hash = seen["info_hash"].as_str().unwrap().to_owned();
    (torrent, info_hash)
}

/// Where `.ci/clients` puts libtorrent's module.
fn libtorrent_folder() -> String {
    std::env::var("P2P_LIBTORRENT")
        .unwrap_or_else(|_| concat!(env!("CARGO_TARGET_TMPDIR"), "/../clients").into())
}

/// The interpreter itself: `python3` may be a script that finds one, each time and slowly.
fn python() -> &'static str {
    static PYTHON: OnceLock<String> = OnceLock::new();
    PYTHON.get_or_init(|| {
        let output =
            Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    })
}

fn make_executable(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}
