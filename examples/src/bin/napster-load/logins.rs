//! Users with registered nicks log in, each of whose passwords is hashed, while somebody else asks one thing after the
//! other and looks how long the answers take.

use crate::args::Logins;
use crate::client::{self, Client};
use crate::crowd;
use crate::echo::{self, Echo};
use crate::fill::{micros, now};
use crate::workload;
use p2p_examples::Failure;
use p2p_examples::load::{Goal, Process, Report, quantile};
use std::io::{Read, Write};
use std::net::{SocketAddrV4, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Between one question and the next.
const PAUSE: Duration = Duration::from_millis(1);
/// How long it is looked how long answers take when nobody logs in.
const ALONE: Duration = Duration::from_secs(3);
/// Who asks; a number that no user has who logs in.
const ASKER: u64 = 2_000_000;

pub(crate) async fn run(
    server: SocketAddrV4,
    process: &Process,
    args: &Logins,
    report: &mut Report,
) -> Result<(), Failure> {
    let echo = Echo::start()?;
    let users = 0..args.users as u64;
    let registered = crowd::each(users.clone(), |user| Client::register(server, user)).await?;
    drop(registered.into_iter().collect::<Result<Vec<_>, _>>()?);
    let alone = Asker::start(server, echo.addr)?;
    tokio::time::sleep(ALONE).await;
    alone.stop()?.report("before", report);
    let asker = Asker::start(server, echo.addr)?;
    let (before, began) = (process.cpu()?, now());
    let here = crowd::login(server, users).await?;
    let (spent, wall) = (process.cpu()? - before, began.elapsed());
    let waits = asker.stop()?;
    let count = here.len() as f64;
    report.add("registered users who logged in", count, "", Goal::None);
    report.add("CPU of such a login", micros(spent) / count / 1e3, "ms", Goal::None);
    report.add("  such logins per second of the clock", count / wall.as_secs_f64(), "", Goal::None);
    waits.report("meanwhile", report);
    Ok(())
}

/// Microseconds that answers took.
#[derive(Default)]
struct Waits {
    server: Vec<f64>,
    /// Of a server that only answers, asked in turn with the other: what is the machine's fault and not the server's.
    echo: Vec<f64>,
}

impl Waits {
    fn report(mut self, when: &str, report: &mut Report) {
        let name = format!("another's answers {when}: half of them within");
        report.add(&name, quantile(&mut self.server, 0.5), "us", Goal::None);
        report.add("  99 of 100 within", quantile(&mut self.server, 0.99), "us", Goal::AtMost(2_000.0));
        let all = self.server.len();
        // The slowest is the machine's fault as often as the server's, as that of a server shows that only answers.
        let most = f64::max(2_000.0, 2.0 * quantile(&mut self.echo, 1.0));
        let slowest = quantile(&mut self.server, 1.0);
        report.add(&format!("  the slowest of {all}"), slowest, "us", Goal::AtMost(most));
        report.add(
            "  of a server that only answers: 99 of 100",
            quantile(&mut self.echo, 0.99),
            "us",
            Goal::None,
        );
        report.add("  the slowest of those", quantile(&mut self.echo, 1.0), "us", Goal::None);
    }
}

/// Somebody who asks, in a thread of his own: nothing that this program does otherwise keeps him waiting.
struct Asker {
    done: Arc<AtomicBool>,
    thread: JoinHandle<std::io::Result<Waits>>,
}

impl Asker {
    fn start(server: SocketAddrV4, echo: SocketAddrV4) -> Result<Self, Failure> {
        let done = Arc::new(AtomicBool::new(false));
        let seen = done.clone();
        let connect = |to: SocketAddrV4| {
            let stream = TcpStream::connect(to).map_err(Failure::new)?;
            stream.set_nodelay(true).map_err(Failure::new)?;
            stream.set_read_timeout(Some(client::PATIENCE)).map_err(Failure::new)?;
            Ok::<_, Failure>(stream)
        };
        let (server, echo) = (connect(server)?, connect(echo)?);
        Ok(Self { done, thread: std::thread::spawn(move || ask(server, echo, &seen)) })
    }

    fn stop(self) -> Result<Waits, Failure> {
        self.done.store(true, Ordering::Relaxed);
        let waits = self.thread.join().map_err(|_| Failure::new("the one who asks is gone"))?;
        waits.map_err(Failure::new)
    }
}

fn ask(mut server: TcpStream, mut echo: TcpStream, done: &AtomicBool) -> std::io::Result<Waits> {
    let (mut text, mut waits) = (Vec::new(), Waits::default());
    workload::put(&mut text, 2, workload::login(ASKER).as_bytes());
    server.write_all(&text)?;
    let mut input = Vec::new();
    until(&mut server, &mut input, 214)?;
    text.clear();
    workload::put(&mut text, 200, client::MISS.as_bytes());
    while !done.load(Ordering::Relaxed) {
        let began = now();
        server.write_all(&text)?;
        until(&mut server, &mut input, 202)?;
        waits.server.push(micros(began.elapsed()));
        let began = now();
        echo.write_all(&echo::question(4))?;
        echo.read_exact(&mut [0; 4])?;
        waits.echo.push(micros(began.elapsed()));
        std::thread::sleep(PAUSE);
    }
    Ok(waits)
}

/// Reads up to a message of this type.
fn until(stream: &mut TcpStream, input: &mut Vec<u8>, kind: u16) -> std::io::Result<()> {
    loop {
        while let Some(came) = client::take(input) {
            if came == kind {
                return Ok(());
            }
        }
        let mut buffer = [0; 4096];
        match stream.read(&mut buffer)? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            n => input.extend_from_slice(&buffer[..n]),
        }
    }
}
