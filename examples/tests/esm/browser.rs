//! A headless Chromium watches the page of a viewer, while those that feed the viewer are killed (feature `page`).
//!
//! ```text
//!   ffmpeg ──udp──► source ──► relays (killed one by one) ──► viewer ──http──► Chromium, driven by chromedriver
//! ```
//! The picture has eight bars that are the number of its frame in binary. ffmpeg says when it encoded which frame, and the
//! page which frame it shows: the difference is the delay from end to end.

use crate::calm::Calm;
use crate::islands::Process;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// What is watched, and how often somebody is killed.
const WATCHED: Duration = Duration::from_secs(60);
const KILLS: Duration = Duration::from_secs(9);
/// One each [`KILLS`], the last one long before the end.
const MOST_KILLED: u32 = 5;
/// Whoever waits longer says what for.
const PATIENCE: Duration = Duration::from_secs(60);
/// Pictures in a second.
const RATE: f64 = 25.0;

/// A process that is gone with the test.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// One request to chromedriver.
fn ask(port: u16, method: &str, path: &str, body: &Value) -> Value {
    let mut conn = TcpStream::connect(("127.0.0.1", port)).unwrap();
    conn.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let body = if method == "POST" { body.to_string() } else { String::new() };
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    conn.write_all((head + &body).as_bytes()).unwrap();
    let mut from = BufReader::new(conn);
    let mut len = 0;
    loop {
        let mut line = String::new();
        from.read_line(&mut line).unwrap();
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            len = value.trim().parse().unwrap();
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut answer = vec![0; len];
    from.read_exact(&mut answer).unwrap();
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    assert!(answer["value"]["error"].is_null(), "{path}: {answer}");
    answer["value"].clone()
}

struct Browser {
    port: u16,
    session: String,
    _driver: Killed,
}

impl Browser {
    fn open(url: &str) -> Self {
        let port = free_port();
        let driver = Command::new("chromedriver").arg(format!("--port={port}")).stdout(Stdio::null()).spawn();
        let driver = Killed(driver.unwrap());
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < deadline, "chromedriver listens");
            std::thread::sleep(Duration::from_millis(50));
        }
        let args = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--autoplay-policy=no-user-gesture-required",
            "--window-size=900,900",
        ];
        let wanted = json!({"capabilities": {"alwaysMatch": {"goog:chromeOptions": {"args": args}}}});
        let session = ask(port, "POST", "/session", &wanted)["sessionId"].as_str().unwrap().to_owned();
        let browser = Self { port, session, _driver: driver };
        browser.ask("url", &json!({"url": url}));
        browser
    }

    fn ask(&self, what: &str, body: &Value) -> Value {
        ask(self.port, "POST", &format!("/session/{}/{what}", self.session), body)
    }

    fn run(&self, script: &str) -> Value {
        self.ask("execute/sync", &json!({"script": script, "args": []}))
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        ask(self.port, "DELETE", &format!("/session/{}", self.session), &Value::Null);
    }
}

/// Figures of the page, and the frame that it shows: bars of 40 by 180 pixels, the lowest bit first.
const LOOK: &str = "
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [320, 180];
    const context = canvas.getContext('2d');
    context.drawImage(video, 0, 0, 320, 180);
    let frame = 0;
    for (let bit = 0; bit < 8; bit += 1) {
        if (context.getImageData(40 * bit + 20, 90, 1, 1).data[0] > 128) frame += 1 << bit;
    }
    const quality = video.getVideoPlaybackQuality();
    const rows = document.querySelectorAll('#rows tr').length;
    const buffered = video.buffered.length ? video.buffered.end(video.buffered.length - 1) - video.currentTime : 0;
    return { ...esm, frame, rows, buffered, at: video.currentTime, shown: quality.totalVideoFrames, dropped: quality.droppedVideoFrames };
";

#[test]
#[ignore = "needs chromium, chromedriver and ffmpeg (`.ci/clients media`), and more than a minute of real time; `.ci/long` runs it"]
fn a_browser_watches() {
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let esm = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_esm"));
        command.arg("--json").args(args);
        command
    };
    // What the source may send is enough for two children in each tree.
    let input = format!("udp://127.0.0.1:{udp}");
    let source = ["broadcast", "--input", &input, "--listen", "127.0.0.1:0", "--upload", "560k"];
    let mut source = Process::start("source", esm(&source));
    let line: Value = serde_json::from_str(&source.says("\"broadcasting\"").1).unwrap();
    let door = format!("{}@{}", line["group"].as_str().unwrap(), line["at"].as_str().unwrap());
    let mut encoder = Command::new("ffmpeg");
    let bars = "color=c=black:s=16x2:r=25,geq=lum='255*mod(floor(N/pow(2,floor(X/2))),2)':cb=128:cr=128,\
                scale=320:180:flags=neighbor";
    encoder.args(["-v", "error", "-nostats", "-progress", "pipe:1", "-stats_period", "0.2"]);
    encoder.args([
        "-re",
        "-f",
        "lavfi",
        "-i",
        bars,
        "-re",
        "-f",
        "lavfi",
        "-i",
        "sine=frequency=440:sample_rate=48000",
    ]);
    encoder.args([
        "-c:v",
        "libx264",
        "-preset",
        "ultrafast",
        "-tune",
        "zerolatency",
        "-g",
        "25",
        "-pix_fmt",
        "yuv420p",
    ]);
    encoder.args([
        "-c:a",
        "aac",
        "-b:a",
        "64k",
        "-muxrate",
        "1400k",
        "-muxdelay",
        "0",
        "-muxpreload",
        "0",
        "-f",
        "mpegts",
    ]);
    encoder.arg(format!("udp://127.0.0.1:{udp}?pkt_size=1316"));
    let mut encoder = Killed(encoder.stdout(Stdio::piped()).spawn().unwrap());
    // When the first frame was encoded: the earliest that any of them says.
    let (tell, encoded) = mpsc::channel();
    let progress = BufReader::new(encoder.0.stdout.take().unwrap());
    std::thread::spawn(move || {
        for line in progress.lines().map_while(Result::ok) {
            if let Some(frame) =
                line.strip_prefix("frame=").and_then(|frame| frame.trim().parse::<f64>().ok())
                && frame > 0.0
            {
                let _ = tell.send(Instant::now() - Duration::from_secs_f64(frame / RATE));
            }
        }
    });
    let relay = |n: usize| {
        let out =
            ["watch", "--join", &door, "--udp", "127.0.0.1:9", "--listen", "127.0.0.1:0", "--upload", "2M"];
        let mut relay = Process::start(format!("relay {n}"), esm(&out));
        relay.says("\"joined\"");
        relay
    };
    let mut relays: Vec<_> = (0..4).map(relay).collect();
    // It passes nothing on, so that those who do go before it, and feed it.
    let viewer = ["watch", "--join", &door, "--http", "127.0.0.1:0", "--upload", "1"];
    let mut viewer = Process::start("viewer", esm(&viewer));
    let line: Value = serde_json::from_str(&viewer.says("\"page\"").1).unwrap();
    std::thread::sleep(Duration::from_secs(3));
    let browser = Browser::open(&format!("http://{}/", line["at"].as_str().unwrap()));
    let deadline = Instant::now() + PATIENCE;
    while browser.run("return esm.first;").is_null() {
        assert!(Instant::now() < deadline, "a first frame: {}", browser.run(LOOK));
        std::thread::sleep(Duration::from_millis(50));
    }
    let (began, mut killed, mut delays) = (Instant::now(), 0, Vec::new());
    let calm = Calm::watch();
    while began.elapsed() < WATCHED || killed < MOST_KILLED {
        if began.elapsed() > KILLS * (killed + 1) && killed < MOST_KILLED {
            killed += 1;
            drop(relays.remove(0));
            relays.push(relay(4 + killed as usize));
        }
        let asked = Instant::now();
        let shown = browser.run(LOOK);
        let now = asked + asked.elapsed() / 2;
        if let Some(zero) = encoded.try_iter().min().or_else(|| delays.last().map(|(zero, _)| *zero)) {
            let zero = delays.last().map_or(zero, |(before, _)| zero.min(*before));
            // Frames are told apart for ten seconds.
            let frames = (now - zero).as_secs_f64() * RATE - shown["frame"].as_f64().unwrap();
            delays.push((zero, frames.rem_euclid(256.0) / RATE));
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    let last = browser.run(LOOK);
    let is_calm = calm.was();
    let mut delays: Vec<f64> = delays.into_iter().skip(10).map(|(_, delay)| delay).collect();
    delays.sort_by(f64::total_cmp);
    let quantile =
        |q: usize| delays.get(delays.len().saturating_sub(1) * q / 100).copied().unwrap_or(f64::NAN);
    println!(
        "first frame after {:.0} ms (goal 1,500); {} stalls in {} s (goal 0); {} shown and {} dropped; from end to end \
         p50 {:.2} s, p95 {:.2} s (goal 2), most {:.2} s; {killed} relays killed; {last}",
        last["first"].as_f64().unwrap(),
        last["stalls"],
        WATCHED.as_secs(),
        last["shown"],
        last["dropped"],
        quantile(50),
        quantile(95),
        quantile(100),
    );
    assert_eq!((&last["errors"], &last["rows"]), (&json!([]), &json!(6)), "the trees are shown: {last}");
    // It goes on after the last of them, and the trees are drawn again and again.
    let more = |of: &Value| of["shown"].as_i64() > last["shown"].as_i64().map(|shown| shown + 50);
    let deadline = Instant::now() + PATIENCE;
    loop {
        let shown = browser.run(LOOK);
        if more(&shown) && shown["pictures"].as_i64() > Some(10) {
            break;
        }
        assert!(Instant::now() < deadline, "more is shown: {shown}");
        std::thread::sleep(Duration::from_millis(200));
    }
    viewer.signal("-INT");
    let figures = viewer.figures();
    println!("{figures}");
    assert!(figures["lost_parents"].as_i64().unwrap() > 0, "those that were killed fed it: {figures}");
    if is_calm {
        assert_eq!((&last["stalls"], &figures["gaps"]), (&json!(0), &json!(0)), "{last}, {figures}");
    } else {
        println!("the machine was too busy for its stalls to say anything");
    }
}
