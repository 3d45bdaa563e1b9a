//! Which addresses that a server gave may be dialled: [`check`].
//!
//! Types 204, 501 and 641 carry the address of another user, and a hostile server or user can put anything there: an
//! ssh port, a router, this machine. Nothing but a plausible peer is dialled.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Why an address is not dialled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadAddress {
    /// The address or the port is 0.
    #[error("no address")]
    Unset,
    /// Nobody's own: multicast, broadcast, reserved.
    #[error("not the address of one machine")]
    NotAHost,
    /// This machine, said by a server that is not on it.
    #[error("an address of this machine")]
    Loopback,
    /// A private network, said by a server that is not in one.
    #[error("an address of a private network")]
    Private,
    /// Where this client listens itself.
    #[error("the own address")]
    Own,
    /// A port below 1024: services live there, clients do not.
    #[error("a port of a system service")]
    LowPort,
}

/// The address, if it is plausible for a peer that `server` told of. `low_ports` lets ports below 1024 through.
///
/// # Errors
/// If it is not to be dialled.
pub fn check(ip: Ipv4Addr, port: u16, server: IpAddr, low_ports: bool) -> Result<SocketAddr, BadAddress> {
    let v6_loopback = server.is_loopback();
    let server = match server {
        IpAddr::V4(ip) => Some(ip),
        IpAddr::V6(ip) => ip.to_ipv4_mapped(),
    };
    let on_loopback = v6_loopback || server.is_some_and(|ip| ip.is_loopback());
    let in_private = on_loopback || server.is_some_and(is_private);
    if ip.octets()[0] == 0 || port == 0 {
        return Err(BadAddress::Unset);
    }
    if ip.is_multicast() || ip.octets()[0] >= 240 {
        return Err(BadAddress::NotAHost);
    }
    if ip.is_loopback() && !on_loopback {
        return Err(BadAddress::Loopback);
    }
    if is_private(ip) && !in_private {
        return Err(BadAddress::Private);
    }
    if port < 1024 && !low_ports {
        return Err(BadAddress::LowPort);
    }
    Ok((ip, port).into())
}

/// RFC 1918, link-local (RFC 3927) and shared (RFC 6598) addresses.
fn is_private(ip: Ipv4Addr) -> bool {
    let [a, b, ..] = ip.octets();
    ip.is_private() || ip.is_link_local() || (a == 100 && b & 0xc0 == 64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PUBLIC: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1));
    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    const HOME: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 1, 9));

    fn of(ip: [u8; 4], port: u16, server: IpAddr) -> Result<SocketAddr, BadAddress> {
        check(ip.into(), port, server, false)
    }

    #[test]
    fn plausible_peers_are_dialled() {
        assert!(of([203, 0, 113, 5], 6699, PUBLIC).is_ok());
        assert!(of([203, 0, 113, 5], 6699, HOME).is_ok());
        assert!(of([127, 0, 0, 1], 6699, HERE).is_ok());
        assert!(of([192, 168, 1, 7], 6699, HOME).is_ok());
        assert!(check([203, 0, 113, 5].into(), 80, PUBLIC, true).is_ok());
    }

    #[test]
    fn others_are_not() {
        assert_eq!(of([203, 0, 113, 5], 22, PUBLIC), Err(BadAddress::LowPort));
        assert_eq!(of([203, 0, 113, 5], 25, PUBLIC), Err(BadAddress::LowPort));
        assert_eq!(of([203, 0, 113, 5], 0, PUBLIC), Err(BadAddress::Unset));
        assert_eq!(of([0, 0, 0, 0], 6699, HERE), Err(BadAddress::Unset));
        assert_eq!(of([127, 0, 0, 1], 6699, PUBLIC), Err(BadAddress::Loopback));
        assert_eq!(of([127, 0, 0, 1], 6699, HOME), Err(BadAddress::Loopback));
        assert_eq!(of([10, 0, 0, 1], 6699, PUBLIC), Err(BadAddress::Private));
        assert_eq!(of([169, 254, 169, 254], 8000, PUBLIC), Err(BadAddress::Private));
        assert_eq!(of([100, 64, 0, 1], 8000, PUBLIC), Err(BadAddress::Private));
        assert_eq!(of([224, 0, 0, 1], 6699, PUBLIC), Err(BadAddress::NotAHost));
        assert_eq!(of([255, 255, 255, 255], 6699, HERE), Err(BadAddress::NotAHost));
    }
}
