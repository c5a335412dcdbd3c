//! The outer route: by which local address and interface a peer's datagrams are sent.
//!
//! The stack's routing would send the datagrams of a tunnel that is the default route into the
//! tunnel itself. So the driver chooses by the forwarding table without the adapter's own routes.
//! One copy of the table, for all adapters, is read again when the stack tells of a change.

mod finder;
mod forwarding_table;
mod network;

pub(crate) use finder::{Finder, Wanted};
pub(crate) use network::Network;
