//! Network interfaces by their addresses: [`interface_at`].

use std::io;
use std::net::IpAddr;

/// The index of the interface that has this address, as machines name interfaces (in [`p2p_core::Group`] and
/// [`p2p_core::Datagram`]).
///
/// # Errors
/// If no interface has it, or this system cannot be asked.
#[cfg(unix)]
pub fn interface_at(addr: IpAddr) -> io::Result<u32> {
    for interface in nix::ifaddrs::getifaddrs()? {
        let Some(at) = interface.address else { continue };
        let ip = match (at.as_sockaddr_in(), at.as_sockaddr_in6()) {
            (Some(v4), _) => IpAddr::V4(v4.ip()),
            (_, Some(v6)) => IpAddr::V6(v6.ip()),
            (None, None) => continue,
        };
        if ip == addr {
            return Ok(nix::net::if_::if_nametoindex(interface.interface_name.as_str())?);
        }
    }
    Err(io::Error::new(io::ErrorKind::NotFound, format!("no interface has the address {addr}")))
}

/// The index of the interface that has this address.
///
/// # Errors
/// Always: this system cannot be asked.
#[cfg(not(unix))]
pub fn interface_at(_: IpAddr) -> io::Result<u32> {
    Err(io::ErrorKind::Unsupported.into())
}
