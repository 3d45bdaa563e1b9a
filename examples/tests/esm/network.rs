//! Two LANs, each behind a router, and hosts beside these, in network namespaces of the test's own ([`Network`]).
//!
//! ```text
//!   a1 a2 a3 ── br0 ── ra ──┐                     ┌── rb ── br0 ── b1 b2 b3
//!                           └── br0 (outside) ────┘
//!                                │   │   │   │
//!                               src  l1  l2  l3
//! ```

use crate::namespace::Namespace;
use std::process::Command;

/// Whether the kernel knows IPv6.
pub(crate) fn has_ipv6() -> bool {
    std::path::Path::new("/proc/net/if_inet6").exists()
}

pub(crate) struct Network {
    /// What is outside of both LANs; it must outlive the others.
    _outside: Namespace,
    /// Routers of the LANs.
    pub(crate) routers: [Namespace; 2],
    /// Switches of the LANs: host n is at port `hn`, from `h0` on.
    pub(crate) switches: [Namespace; 2],
    /// Hosts of the LANs: 10.77.1.11 to 13, and 10.77.2.11 to 13; also fd77:1::11 and so on.
    pub(crate) hosts: [Vec<Namespace>; 2],
    /// 10.77.0.11 (the source) to 14, fd77:0::11 and so on.
    pub(crate) lone: Vec<Namespace>,
}

impl Network {
    /// `None` if this machine does not allow it.
    pub(crate) fn new() -> Option<Self> {
        let bridge =
            "ip link set lo up && ip link add br0 type bridge mcast_snooping 0 && ip link set br0 up";
        let outside = Namespace::outermost([true, false], bridge)?;
        let inside = |setup: &str| outside.another(setup);
        let plain = "ip link set lo up";
        let mut lone = Vec::new();
        for n in 0..4 {
            let host = inside(plain);
            outside.plug(&host, &format!("l{n}"), "e0", (0, 11 + n));
            for lan in [1, 2] {
                host.leads_to(lan, lan);
            }
            lone.push(host);
        }
        let lan = |lan: u8| {
            let (switch, router) = (inside(bridge), inside(plain));
            router.run("echo 1 > /proc/sys/net/ipv4/ip_forward");
            if has_ipv6() {
                router.run("echo 1 > /proc/sys/net/ipv6/conf/all/forwarding");
            }
            outside.plug(&router, &format!("r{lan}"), "out", (0, lan));
            switch.plug(&router, "r", "in", (lan, 1));
            router.leads_to(3 - lan, 3 - lan);
            let host = |n: u8| {
                let host = inside(plain);
                switch.plug(&host, &format!("h{n}"), "e0", (lan, 11 + n));
                host.run(&format!("ip route add default via 10.77.{lan}.1"));
                if has_ipv6() {
                    host.run(&format!("ip route add default via fd77:{lan}::1"));
                }
                host
            };
            let hosts: Vec<_> = (0..3).map(host).collect();
            (switch, router, hosts)
        };
        let ((sa, ra, a), (sb, rb, b)) = (lan(1), lan(2));
        Some(Self { routers: [ra, rb], switches: [sa, sb], hosts: [a, b], lone, _outside: outside })
    }
}

impl Namespace {
    /// A program that runs inside, and dies with the thread that started it.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = self.enter();
        command.args(["setpriv", "--pdeathsig", "KILL", program]);
        command
    }

    /// A cable from this switch to a host, which gets an interface of that name with this address.
    fn plug(&self, host: &Self, port: &str, name: &str, (lan, n): (u8, u8)) {
        let pid = host.id();
        self.run(&format!(
            "ip link add {port} type veth peer name {name} netns {pid} && ip link set {port} master br0 up"
        ));
        // A run of datagrams is cut before it leaves, so that what is counted has every head.
        host.run(&format!(
            "ip addr add 10.77.{lan}.{n}/24 dev {name} && ip link set {name} gso_max_segs 1 up"
        ));
        if has_ipv6() {
            // Nobody else has the address, so nobody is asked.
            host.run(&format!("ip addr add fd77:{lan}::{n}/64 dev {name} nodad"));
        }
    }

    /// So many of a hundred multicast datagrams are lost in this switch from now on. False if nobody can tell it so: `nft`
    /// is not installed, or not allowed to.
    pub(crate) fn loses_multicast(&self, percent: u8) -> bool {
        // All is not a share that it takes.
        let share = if percent < 100 { format!("numgen random mod 100 < {percent}") } else { String::new() };
        let rule = format!(
            "nft 'add table bridge t; add chain bridge t f {{ type filter hook forward priority 0; }}; \
             add rule bridge t f ip daddr 224.0.0.0/4 {share} counter drop'"
        );
        let mut command = self.enter();
        let script = format!("PATH=$PATH:/usr/sbin:/sbin; {rule}");
        command.args(["sh", "-c", &script]).output().is_ok_and(|output| output.status.success())
    }

    /// The way from outside into a LAN.
    fn leads_to(&self, lan: u8, router: u8) {
        self.run(&format!("ip route add 10.77.{lan}.0/24 via 10.77.0.{router}"));
        if has_ipv6() {
            self.run(&format!("ip route add fd77:{lan}::/64 via fd77:0::{router}"));
        }
    }

    /// Bytes that came in by an interface, with every head.
    pub(crate) fn received(&self, interface: &str) -> u64 {
        let table = self.run("cat /proc/net/dev");
        let line = table.lines().find_map(|line| line.trim().strip_prefix(&format!("{interface}:"))).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    }
}
