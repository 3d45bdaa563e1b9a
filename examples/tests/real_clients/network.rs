//! A private network of one test: a bridge and hosts with an address each, or plain loopback where that is not allowed.

use crate::namespace::Namespace;
use std::cell::Cell;
use std::fs;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::process::Command;

/// Where the processes of a test meet.
///
/// Hosts in network namespaces of their own are as real as a small network gets: every client has its own address, as
/// trackers and clients expect (Transmission ignores what a tracker says about 127.0.0.0/8 and keeps one peer per
/// address), all ports are free and nothing can leak outward.
pub(crate) struct Network {
    switch: Option<Namespace>,
    hosts: u8,
}

/// One computer of the network.
pub(crate) struct Host {
    namespace: Option<Namespace>,
    address: String,
    next_port: Cell<u16>,
}

impl Network {
    pub(crate) fn new() -> Self {
        let bridge = "ip link set lo up && ip link add br0 type bridge && ip link set br0 up";
        let switch = Namespace::outermost([false, true], bridge);
        Self { switch, hosts: 0 }
    }

    /// Whether every host has a network and an address of its own.
    pub(crate) fn is_private(&self) -> bool {
        self.switch.is_some()
    }

    /// Adds a host: 10.99.0.1, 10.99.0.2, ... or always 127.0.0.1.
    pub(crate) fn host(&mut self) -> Host {
        let Some(switch) = &self.switch else {
            return Host { namespace: None, address: "127.0.0.1".into(), next_port: Cell::new(0) };
        };
        self.hosts += 1;
        let number = self.hosts;
        let namespace = switch.another("ip link set lo up");
        let pid = namespace.id();
        let plug = format!(
            "ip link add v{number} type veth peer name e0 netns {pid} && ip link set v{number} master br0 up"
        );
        switch.run(&plug);
        let address = format!("10.99.0.{number}");
        namespace.run(&format!("ip addr add {address}/24 dev e0 && ip link set e0 up"));
        Host { namespace: Some(namespace), address, next_port: Cell::new(21_000) }
    }
}

impl Host {
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// A command that will run on this host and die with the thread that started it.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = match &self.namespace {
            Some(namespace) => {
                let mut command = namespace.enter();
                command.arg("setpriv");
                command
            }
            None => Command::new("setpriv"),
        };
        command.args(["--pdeathsig", "KILL", program]);
        // Debian has its daemons where the search path of users does not lead.
        command.env("PATH", std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin");
        command
    }

    /// The same for a program that refuses to run as root and cannot become another user where only root exists.
    pub(crate) fn command_as_nobody(&self, program: &str) -> Command {
        if self.namespace.as_ref().is_some_and(Namespace::is_of_user) {
            let mut command = self.command("unshare");
            command.args(["--user", "--map-user=1000", program]);
            return command;
        }
        self.command(program)
    }

    /// A port that nothing on this host uses, neither for TCP nor for UDP.
    pub(crate) fn free_port(&self) -> u16 {
        if self.namespace.is_some() {
            return self.next_port.replace(self.next_port.get() + 1);
        }
        loop {
            let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
            let port = tcp.local_addr().unwrap().port();
            if UdpSocket::bind(("127.0.0.1", port)).is_ok() {
                return port;
            }
        }
    }

    /// Whether a TCP socket listens on `port`: asked of the kernel, because a probing connection would be a peer.
    pub(crate) fn listens(&self, port: u16) -> bool {
        let pid = self.namespace.as_ref().map_or_else(|| "self".into(), |n| n.id().to_string());
        ["tcp", "tcp6"].iter().any(|table| {
            let text = fs::read_to_string(format!("/proc/{pid}/net/{table}")).unwrap_or_default();
            text.lines().skip(1).any(|line| {
                let mut fields = line.split_whitespace().skip(1);
                let local = fields.next().unwrap_or_default();
                local.ends_with(&format!(":{port:04X}")) && fields.nth(1) == Some("0A")
            })
        })
    }

    pub(crate) fn at(&self, port: u16) -> SocketAddr {
        format!("{}:{port}", self.address).parse().unwrap()
    }
}
