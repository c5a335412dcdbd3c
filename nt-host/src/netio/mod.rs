//! The IP helper functions of netioapi.h: interfaces, routes and addresses, and their changes.
//!
//! The forwarding table is Linux's, in the network namespace of the process, or one that
//! [`set_network`] sets. A TUN interface has the `NET_LUID` of the adapter below it.
//!
//! Linux has several tables, and rules that choose among them. The driver sees the tables of the
//! rules without a selector, or with the firewall mark that [`set_mark`](crate::wsk::set_mark) has
//! set: the routes of a rule go before equal ones of a later rule.

pub mod best_route;
pub(crate) mod firewall_mark;
pub mod interface_entry;
mod linux_network;
mod mib_table;
mod network;
pub mod notification;
mod pinned_source;
mod rtnetlink;
mod socket_address;
pub mod tables;

pub use network::{Network, NetworkAddress, NetworkInterface, NetworkRoute, set_network};
pub(crate) use pinned_source::is_pinned;
