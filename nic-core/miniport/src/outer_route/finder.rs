//! Finds the local address of a peer.

use core::net::{IpAddr, SocketAddr};

use nic_engine::protocol::Discard;
use nic_engine::{Endpoint, LocalAddress, Path, Transport};
use nt::ip_tables;

use super::forwarding_table::{ForwardingTable, Route};
use super::network::Network;
use crate::registry::Registry;

/// The maximum number of tunnels within tunnels that are followed.
const MAX_TUNNELS: usize = 8;

/// Finds paths for the peers of one adapter.
pub(crate) struct Finder<'a> {
    pub(crate) network: &'a Network,
    /// The driver's adapters.
    pub(crate) registry: &'a Registry,
    /// The adapter's `NET_LUID`: its own routes don't count.
    pub(crate) own_luid: u64,
    /// The local address that the adapter's socket is bound to, if it is bound to one.
    pub(crate) bound: Option<IpAddr>,
}

/// Whose path, and the local addresses that come first.
#[derive(Clone, Copy)]
pub(crate) struct Wanted {
    pub(crate) endpoint: Endpoint,
    /// Where datagrams arrive.
    pub(crate) learnt: Option<LocalAddress>,
    /// Another local address than the endpoint's is wanted.
    pub(crate) has_failed: bool,
}

impl Finder<'_> {
    /// Finds a path.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    ///
    /// # Locks
    /// Takes the lock of the driver's list of adapters. No lock of an adapter may be held.
    pub(crate) fn find(&self, wanted: &Wanted) -> Path {
        let Endpoint { remote, local, transport } = wanted.endpoint;
        if transport != Transport::Datagram {
            return Path::Local(local);
        }
        // Without a table, the stack decides.
        let Ok(table) = self.network.table() else { return Path::Local(local) };
        let Some(route) = table.lookup(remote, Some(self.own_luid)) else {
            // The stack may know better, unless it would come back to this adapter.
            return match table.lookup(remote, None) {
                Some(_) => Path::Blocked(Discard::NoOuterRoute),
                None => Path::Local(None),
            };
        };
        if self.is_loop(&table, remote, route) {
            return Path::Blocked(Discard::OuterRouteLoop);
        }
        let current = local.filter(|_| !wanted.has_failed);
        let mut known = wanted.learnt.into_iter().chain(current);
        let fits = |local: &LocalAddress| {
            local.interface_index == route.index
                && local.address.is_ipv4() == remote.is_ipv4()
                && table.has_address(local.address, route.luid)
        };
        let local = match (self.bound, known.find(fits)) {
            (Some(address), _) => LocalAddress { address, interface_index: route.index },
            (None, Some(known)) => known,
            (None, None) => LocalAddress {
                address: source(&table, remote, route),
                interface_index: route.index,
            },
        };
        Path::Local(Some(local))
    }

    /// Whether a route leads through other adapters of the driver back into this one.
    fn is_loop(&self, table: &ForwardingTable, remote: SocketAddr, first: Route) -> bool {
        let (mut to, mut route) = (remote, first);
        for _ in 0..MAX_TUNNELS {
            let Some(adapter) =
                self.registry.find(|adapter| adapter.interface_luid() == route.luid)
            else {
                return false;
            };
            let Some(outer) = adapter.outer_destination(to.ip()) else { return false };
            let Some(next) = table.lookup(outer, Some(route.luid)) else { return false };
            if next.luid == self.own_luid {
                return true;
            }
            (to, route) = (outer, next);
        }
        true
    }
}

/// The local address for a route; unspecified if the stack knows none.
fn source(table: &ForwardingTable, remote: SocketAddr, route: Route) -> IpAddr {
    if let Some(only) = table.only_source(remote.ip(), route.luid) {
        return only;
    }
    ip_tables::best_source(route.luid, remote).unwrap_or(match remote {
        SocketAddr::V4(_) => core::net::Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => core::net::Ipv6Addr::UNSPECIFIED.into(),
    })
}
