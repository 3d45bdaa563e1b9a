//! The way of messages: who gets a query ([`decide`]), and the way back of answers ([`table`]).

pub(super) mod decide;
pub(super) mod table;
