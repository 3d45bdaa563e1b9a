//! Where other servents are: what is known ([`Hosts`]), and whom to ask about it, by UDP and on the web.

mod cache;
pub(super) mod udp;
pub(super) mod web;

pub(super) use cache::{Hosts, is_sane};
