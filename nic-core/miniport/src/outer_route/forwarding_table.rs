//! A copy of the forwarding table, to look addresses up.

use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

use nic_memory::{Push, sort_by_key};
use nt::interface::IpVersion;
use nt::ip_tables::{self, IpInterface, IpRoute, LocalIp};
use nt::{Result, Status};

/// The routes of interfaces that are connected, and the local addresses.
pub(crate) struct ForwardingTable {
    /// By version, then longest prefix first, then by prefix, then lowest metric first.
    routes: Vec<Entry>,
    /// Where the routes of each length begin and end in `routes`.
    groups: Vec<Group>,
    addresses: Vec<LocalIp>,
}

/// A route.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Entry {
    prefix: Bits,
    route: Route,
    metric: u64,
}

/// Routes with one length of prefix.
#[derive(Clone, Copy)]
struct Group {
    is_v4: bool,
    prefix_bits: u8,
    start: usize,
    end: usize,
}

/// The interface of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Route {
    /// Its `NET_LUID`.
    pub(super) luid: u64,
    /// Its index.
    pub(super) index: u32,
}

/// An address, from the highest bit on.
type Bits = u128;

impl ForwardingTable {
    /// Reads the stack's.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    pub(super) fn read() -> Result<Self> {
        let mut interfaces: Vec<IpInterface> = Vec::new();
        let mut routes: Vec<IpRoute> = Vec::new();
        let mut addresses: Vec<LocalIp> = Vec::new();
        let mut is_whole = true;
        ip_tables::for_each_interface(|it| is_whole &= interfaces.try_push(it).is_ok())?;
        ip_tables::for_each_route(|it| is_whole &= routes.try_push(it).is_ok())?;
        ip_tables::for_each_address(|it| is_whole &= addresses.try_push(it).is_ok())?;
        if !is_whole {
            return Err(Status::INSUFFICIENT_RESOURCES);
        }
        Self::new(&mut interfaces, &routes, addresses)
    }

    /// Sorts what was read. Routes of interfaces that are not connected are left out.
    fn new(
        interfaces: &mut [IpInterface],
        routes: &[IpRoute],
        addresses: Vec<LocalIp>,
    ) -> Result<Self> {
        let key_of = |interface: &IpInterface| (interface.luid, interface.version == IpVersion::V4);
        sort_by_key(interfaces, key_of);
        let mut sorted: Vec<(bool, u8, Entry)> = Vec::new();
        for route in routes {
            let is_v4 = route.destination.is_ipv4();
            let key = (route.interface_luid, is_v4);
            let found = interfaces
                .binary_search_by_key(&key, key_of)
                .ok()
                .and_then(|at| interfaces.get(at))
                .filter(|interface| interface.is_connected);
            let Some(interface) = found else { continue };
            let entry = Entry {
                prefix: bits(route.destination) & mask(route.prefix_bits),
                route: Route { luid: route.interface_luid, index: route.interface_index },
                metric: u64::from(route.metric).saturating_add(interface.metric.into()),
            };
            let pushed = sorted.try_push((is_v4, route.prefix_bits, entry));
            pushed.map_err(|_| Status::INSUFFICIENT_RESOURCES)?;
        }
        sort_by_key(&mut sorted, |(is_v4, prefix_bits, entry)| {
            (!is_v4, u8::MAX.wrapping_sub(*prefix_bits), entry.prefix, entry.metric)
        });
        let mut table = Self { routes: Vec::new(), groups: Vec::new(), addresses };
        for (is_v4, prefix_bits, entry) in sorted {
            let at = table.routes.len();
            table.routes.try_push(entry).map_err(|_| Status::INSUFFICIENT_RESOURCES)?;
            let end = at.saturating_add(1);
            match table.groups.last_mut() {
                Some(last) if last.is_v4 == is_v4 && last.prefix_bits == prefix_bits => {
                    last.end = end;
                }
                _ => {
                    let group = Group { is_v4, prefix_bits, start: at, end };
                    table.groups.try_push(group).map_err(|_| Status::INSUFFICIENT_RESOURCES)?;
                }
            }
        }
        Ok(table)
    }

    /// The best route to an address, those of the interface `without` left out: the longest prefix,
    /// then the lowest metric. A scope names the only interface.
    pub(super) fn lookup(&self, to: SocketAddr, without: Option<u64>) -> Option<Route> {
        let address = bits(to.ip());
        let scope = match to {
            SocketAddr::V6(v6) if v6.ip().is_unicast_link_local() => v6.scope_id(),
            _ => 0,
        };
        let is_usable =
            |route: &Route| Some(route.luid) != without && (scope == 0 || scope == route.index);
        self.groups.iter().filter(|group| group.is_v4 == to.is_ipv4()).find_map(|group| {
            let prefix = address & mask(group.prefix_bits);
            let routes = self.routes.get(group.start..group.end)?;
            let first = routes.partition_point(|entry| entry.prefix < prefix);
            let equal = routes.iter().skip(first).take_while(|entry| entry.prefix == prefix);
            equal.map(|entry| entry.route).find(is_usable)
        })
    }

    /// Whether an interface has a local address.
    pub(super) fn has_address(&self, address: IpAddr, luid: u64) -> bool {
        // All of 127.0.0.0/8 is local.
        address.is_loopback()
            || self.addresses.iter().any(|it| it.address == address && it.interface_luid == luid)
    }

    /// The address of an interface from which it sends to `to`, if there is only one that it can
    /// choose.
    pub(super) fn only_source(&self, to: IpAddr, luid: u64) -> Option<IpAddr> {
        let mut fitting = self.addresses.iter().filter(|it| {
            it.interface_luid == luid
                && it.address.is_ipv4() == to.is_ipv4()
                && !it.is_last_choice
                && is_link_local(it.address) == is_link_local(to)
        });
        let only = fitting.next()?;
        fitting.next().is_none().then_some(only.address)
    }
}

fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(_) => false,
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    }
}

fn bits(address: IpAddr) -> Bits {
    match address {
        IpAddr::V4(v4) => u128::from(v4.to_bits()).wrapping_shl(96),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

/// The bits of a prefix of this length.
fn mask(prefix_bits: u8) -> Bits {
    let rest = 128_u32.saturating_sub(prefix_bits.into());
    Bits::MAX.checked_shl(rest).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    const LAN: u64 = 1;
    const WIFI: u64 = 2;
    const TUNNEL: u64 = 3;
    const DOWN: u64 = 4;

    fn table() -> ForwardingTable {
        let interface = |luid, version, metric| IpInterface {
            version,
            luid,
            metric,
            is_connected: luid != DOWN,
        };
        let mut interfaces: Vec<_> = [(LAN, 25), (WIFI, 50), (TUNNEL, 0), (DOWN, 0)]
            .into_iter()
            .flat_map(|(luid, metric)| {
                [IpVersion::V4, IpVersion::V6].map(|version| interface(luid, version, metric))
            })
            .collect();
        let route = |to: &str, prefix_bits, interface_luid: u64, metric| IpRoute {
            destination: to.parse().unwrap(),
            prefix_bits,
            interface_luid,
            interface_index: interface_luid as u32 + 100,
            metric,
        };
        let routes = [
            route("0.0.0.0", 0, WIFI, 0),
            route("0.0.0.0", 0, TUNNEL, 0),
            route("0.0.0.0", 0, LAN, 0),
            route("0.0.0.0", 0, DOWN, 0),
            route("192.0.2.0", 24, WIFI, 1000),
            route("192.0.2.7", 32, DOWN, 0),
            // The host's bits of a prefix are none of it.
            route("198.51.100.9", 24, LAN, 0),
            route("fe80::", 64, LAN, 0),
            route("fe80::", 64, WIFI, 0),
            route("::", 0, TUNNEL, 0),
            route("2001:db8::", 32, TUNNEL, 0),
            route("2000::", 3, LAN, 0),
        ];
        let address = |address: &str, interface_luid, is_last_choice| LocalIp {
            address: address.parse().unwrap(),
            interface_luid,
            is_last_choice,
        };
        let addresses = vec![
            address("198.51.100.1", LAN, false),
            address("198.51.100.2", LAN, true),
            address("192.0.2.1", WIFI, false),
            address("192.0.2.2", WIFI, false),
            address("fe80::1", LAN, false),
            address("2001:db8::1", LAN, false),
        ];
        ForwardingTable::new(&mut interfaces, &routes, addresses).unwrap()
    }

    fn at(address: &str) -> SocketAddr {
        SocketAddr::new(address.parse().unwrap(), 51820)
    }

    #[test]
    fn the_longest_prefix_wins_then_the_lowest_metric() {
        let table = table();
        let luid = |to: &str, without| table.lookup(at(to), without).map(|route| route.luid);
        assert_eq!(luid("203.0.113.1", None), Some(TUNNEL));
        assert_eq!(luid("203.0.113.1", Some(TUNNEL)), Some(LAN));
        assert_eq!(luid("203.0.113.1", Some(LAN)), Some(TUNNEL));
        assert_eq!(luid("192.0.2.7", Some(TUNNEL)), Some(WIFI), "the host route's is down");
        assert_eq!(luid("198.51.100.200", Some(TUNNEL)), Some(LAN));
        assert_eq!(luid("2001:db8::9", None), Some(TUNNEL));
        assert_eq!(luid("2001:db8::9", Some(TUNNEL)), Some(LAN));
        assert_eq!(luid("fd00::1", None), Some(TUNNEL));
        assert_eq!(luid("fd00::1", Some(TUNNEL)), None);
    }

    #[test]
    fn a_scope_names_the_interface() {
        let table = table();
        for (scope, found) in [(101, Some(LAN)), (102, Some(WIFI)), (103, None), (7, None)] {
            let address = "fe80::9".parse().unwrap();
            let to = core::net::SocketAddrV6::new(address, 1, 0, scope).into();
            assert_eq!(table.lookup(to, Some(TUNNEL)).map(|route| route.luid), found, "{scope}");
        }
        assert!(table.lookup(at("fe80::9"), None).is_some());
    }

    #[test]
    fn a_source_is_known_where_there_is_no_choice() {
        let table = table();
        let only = |to: &str, luid| table.only_source(to.parse().unwrap(), luid);
        assert_eq!(only("203.0.113.1", LAN), Some([198, 51, 100, 1].into()));
        assert_eq!(only("203.0.113.1", WIFI), None, "there are two");
        assert_eq!(only("2001:db8::9", LAN), Some("2001:db8::1".parse().unwrap()));
        assert_eq!(only("fe80::9", LAN), Some("fe80::1".parse().unwrap()));
        assert_eq!(only("2001:db8::9", WIFI), None);
        assert!(table.has_address([192, 0, 2, 2].into(), WIFI));
        assert!(!table.has_address([192, 0, 2, 2].into(), LAN));
        assert!(table.has_address([127, 0, 0, 9].into(), LAN));
    }
}
