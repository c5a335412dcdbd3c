//! Linux's interfaces, routes and addresses, by rtnetlink(7).

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use nt_sys::ndis::NET_LUID_VALUE;
use nt_sys::netioapi::{
    IpDadStateDeprecated, IpDadStateDuplicate, IpDadStatePreferred, IpDadStateTentative,
};

use super::firewall_mark;
use super::network::{NetworkAddress, NetworkInterface, NetworkRoute};
use super::rtnetlink::{Message, RtNetlink, attributes, number, push_attribute};
use crate::ndis::interface::Interface;

/// ipifcons.h: `IF_TYPE_ETHERNET_CSMACD`, `IF_TYPE_SOFTWARE_LOOPBACK`.
const IF_TYPE_ETHERNET: u16 = 6;
const IF_TYPE_LOOPBACK: u16 = 24;
/// if_arp.h: `ARPHRD_LOOPBACK`.
const ARPHRD_LOOPBACK: u16 = 772;
/// rtnetlink.h: `RTM_F_CLONED`, `RTNH_F_DEAD`.
const RTM_F_CLONED: u32 = 0x200;
const RTNH_F_DEAD: u32 = 1;
/// The tables of Linux without rules.
const DEFAULT_TABLES: [u32; 3] = [255, 254, 253];
/// fib_rules.h: `FR_ACT_TO_TBL`, `FIB_RULE_INVERT`.
const FR_ACT_TO_TBL: u8 = 1;
const FIB_RULE_INVERT: u32 = 2;

/// All interfaces.
pub(super) fn interfaces() -> io::Result<Vec<NetworkInterface>> {
    let mut found = Vec::new();
    dump(libc::RTM_GETLINK, &[0; 16], &mut found, read_interface)?;
    Ok(found)
}

/// The local addresses of both families.
pub(super) fn addresses() -> io::Result<Vec<NetworkAddress>> {
    let mut found = Vec::new();
    dump(libc::RTM_GETADDR, &[0; 8], &mut found, read_address)?;
    Ok(found)
}

/// The routes of both families.
pub(super) fn routes() -> io::Result<Vec<NetworkRoute>> {
    let mut routes = Vec::new();
    for family in [libc::AF_INET, libc::AF_INET6] {
        let order = tables(family).unwrap_or_default();
        let order = if order.is_empty() { default_tables() } else { order };
        let mut body = [0; 12];
        body[0] = family as u8;
        let mut found = Vec::new();
        match dump(libc::RTM_GETROUTE, &body, &mut found, |message, to| {
            read_route(message, &order, to);
        }) {
            // There is no such family.
            Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP) => {}
            result => result?,
        }
        routes.append(&mut found);
    }
    Ok(routes)
}

/// What Linux would send to a destination by an interface: the local address. `source` is the
/// local address that it is asked for.
pub(super) struct LinuxRoute {
    pub(super) interface_index: u32,
    pub(super) source: Option<IpAddr>,
}

/// Asks Linux for the route to a destination by an interface.
pub(super) fn route_to(
    destination: IpAddr,
    source: Option<IpAddr>,
    interface_index: u32,
) -> io::Result<LinuxRoute> {
    let mut body = vec![0; 12];
    body[0] = if destination.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 } as u8;
    body[1] = if destination.is_ipv4() { 32 } else { 128 };
    push_attribute(&mut body, libc::RTA_DST, &octets(destination));
    if let Some(source) = source {
        body[2] = body[1];
        push_attribute(&mut body, libc::RTA_SRC, &octets(source));
    }
    push_attribute(&mut body, libc::RTA_OIF, &interface_index.to_ne_bytes());
    if firewall_mark::current() != 0 {
        push_attribute(&mut body, libc::RTA_MARK, &firewall_mark::current().to_ne_bytes());
    }
    RtNetlink::open(0)?.ask(libc::RTM_GETROUTE, &body, |message| {
        let mut route = LinuxRoute { interface_index: 0, source: None };
        for (kind, data) in attributes(message.body.get(12..).unwrap_or_default()) {
            match kind {
                libc::RTA_OIF => route.interface_index = number(data).unwrap_or_default(),
                libc::RTA_PREFSRC => route.source = address(data),
                _ => {}
            }
        }
        route
    })
}

fn dump<T>(
    kind: u16,
    body: &[u8],
    found: &mut Vec<T>,
    mut read: impl FnMut(&Message<'_>, &mut Vec<T>),
) -> io::Result<()> {
    let cell = std::cell::RefCell::new(found);
    RtNetlink::open(0)?.dump(
        kind,
        body,
        || cell.borrow_mut().clear(),
        |message| read(message, &mut cell.borrow_mut()),
    )
}

/// An `ifinfomsg`.
fn read_interface(message: &Message<'_>, to: &mut Vec<NetworkInterface>) {
    let Some(&[_, _, k0, k1, i0, i1, i2, i3, f0, f1, f2, f3, ..]) =
        message.body.first_chunk::<16>()
    else {
        return;
    };
    let index = u32::from_ne_bytes([i0, i1, i2, i3]);
    let flags = i32::from_ne_bytes([f0, f1, f2, f3]);
    let is_loopback = u16::from_ne_bytes([k0, k1]) == ARPHRD_LOOPBACK;
    let if_type = if is_loopback { IF_TYPE_LOOPBACK } else { IF_TYPE_ETHERNET };
    let mtu = attributes(&message.body[16..])
        .find(|(kind, _)| *kind == libc::IFLA_MTU)
        .and_then(|(_, data)| number(data));
    let needed = libc::IFF_UP | libc::IFF_RUNNING;
    to.push(NetworkInterface {
        index,
        luid: Interface::of_linux(index)
            .map_or_else(|| NET_LUID_VALUE(index, if_type), |adapter| adapter.luid()),
        metric: 0,
        mtu: mtu.unwrap_or_default(),
        is_connected: flags & needed == needed,
    });
}

/// An `ifaddrmsg`.
fn read_address(message: &Message<'_>, to: &mut Vec<NetworkAddress>) {
    let Some(&[family, prefix_length, flags, _, i0, i1, i2, i3]) = message.body.first_chunk()
    else {
        return;
    };
    if !is_ip(family) {
        return;
    }
    let (mut local, mut peer, mut flags) = (None, None, u32::from(flags));
    for (kind, data) in attributes(&message.body[8..]) {
        match kind {
            libc::IFA_LOCAL => local = address(data),
            libc::IFA_ADDRESS => peer = address(data),
            libc::IFA_FLAGS => flags = number(data).unwrap_or(flags),
            _ => {}
        }
    }
    // Point-to-point: the other is the peer's.
    let Some(address) = local.or(peer) else { return };
    let dad_state = if flags & libc::IFA_F_DADFAILED != 0 {
        IpDadStateDuplicate
    } else if flags & libc::IFA_F_TENTATIVE != 0 && flags & libc::IFA_F_OPTIMISTIC == 0 {
        IpDadStateTentative
    } else if flags & libc::IFA_F_DEPRECATED != 0 {
        IpDadStateDeprecated
    } else {
        IpDadStatePreferred
    };
    let interface_index = u32::from_ne_bytes([i0, i1, i2, i3]);
    to.push(NetworkAddress { address, prefix_length, interface_index, dad_state });
}

/// An `rtmsg`.
fn read_route(message: &Message<'_>, order: &[Table], to: &mut Vec<NetworkRoute>) {
    let Some(&[family, prefix_length, _, _, table, _, _, kind, f0, f1, f2, f3]) =
        message.body.first_chunk()
    else {
        return;
    };
    let flags = u32::from_ne_bytes([f0, f1, f2, f3]);
    let is_route = matches!(kind, libc::RTN_UNICAST | libc::RTN_LOCAL);
    if !is_ip(family) || !is_route || flags & (RTM_F_CLONED | RTNH_F_DEAD) != 0 {
        return;
    }
    let unspecified = match i32::from(family) {
        libc::AF_INET => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        _ => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    let (mut table, mut destination) = (u32::from(table), unspecified);
    let (mut priority, mut hops) = (0, Vec::new());
    let (mut interface, mut gateway) = (None, None);
    for (kind, data) in attributes(&message.body[12..]) {
        match kind {
            libc::RTA_TABLE => table = number(data).unwrap_or(table),
            libc::RTA_DST => destination = address(data).unwrap_or(destination),
            libc::RTA_PRIORITY => priority = number(data).unwrap_or_default(),
            libc::RTA_OIF => interface = number(data),
            libc::RTA_GATEWAY => gateway = address(data),
            libc::RTA_MULTIPATH => next_hops(data, &mut hops),
            _ => {}
        }
    }
    if let Some(interface) = interface {
        hops.push((interface, gateway));
    }
    // A rule's table goes before those of later rules.
    let Some(place) = order.iter().position(|known| {
        known.number == table && i64::from(prefix_length) > known.longest_suppressed
    }) else {
        return;
    };
    let metric = (place.min(255) as u32) << 24 | priority.min(0xff_ffff);
    to.extend(hops.into_iter().map(|(interface_index, gateway)| NetworkRoute {
        destination,
        prefix_length,
        gateway,
        interface_index,
        metric,
    }));
}

/// The `rtnexthop`s of a route with several.
fn next_hops(mut bytes: &[u8], to: &mut Vec<(u32, Option<IpAddr>)>) {
    while let Some(&[l0, l1, flags, _, i0, i1, i2, i3]) = bytes.first_chunk() {
        let length = usize::from(u16::from_ne_bytes([l0, l1]));
        let Some(data) = bytes.get(8..length) else { return };
        if u32::from(flags) & RTNH_F_DEAD == 0 {
            let gateway = attributes(data).find(|(kind, _)| *kind == libc::RTA_GATEWAY);
            let interface = u32::from_ne_bytes([i0, i1, i2, i3]);
            to.push((interface, gateway.and_then(|(_, data)| address(data))));
        }
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
}

/// A table that rules lead to.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Table {
    number: u32,
    /// Routes of prefixes of up to this length are passed over; -1 for none.
    longest_suppressed: i64,
}

fn default_tables() -> Vec<Table> {
    DEFAULT_TABLES.map(|number| Table { number, longest_suppressed: -1 }).into()
}

/// The tables that the rules of a family lead to, in their order.
fn tables(family: i32) -> io::Result<Vec<Table>> {
    let mut body = [0; 12];
    body[0] = family as u8;
    let mut rules = Vec::new();
    dump(libc::RTM_GETRULE, &body, &mut rules, |message, to: &mut Vec<(u32, Table)>| {
        to.extend(read_rule(message, firewall_mark::current()));
    })?;
    let by_priority: BTreeMap<u32, Vec<Table>> =
        rules.into_iter().fold(BTreeMap::new(), |mut all, (priority, table)| {
            all.entry(priority).or_default().push(table);
            all
        });
    Ok(by_priority.into_values().flatten().collect())
}

/// The priority and the table of a rule (`fib_rule_hdr`) that selects by the mark at most.
fn read_rule(message: &Message<'_>, mark: u32) -> Option<(u32, Table)> {
    let &[_, to_length, from_length, tos, table, _, _, action, f0, f1, f2, f3] =
        message.body.first_chunk()?;
    let flags = u32::from_ne_bytes([f0, f1, f2, f3]);
    let mut is_plain = to_length == 0 && from_length == 0 && tos == 0;
    let mut table = Table { number: u32::from(table), longest_suppressed: -1 };
    let (mut priority, mut wanted, mut mask) = (0, None, u32::MAX);
    for (kind, data) in attributes(&message.body[12..]) {
        match kind {
            FRA_PRIORITY => priority = number(data)?,
            FRA_FWMARK => wanted = number(data),
            FRA_FWMASK => mask = number(data)?,
            FRA_TABLE => table.number = number(data)?,
            FRA_SUPPRESS_PREFIXLEN => {
                table.longest_suppressed = i64::from(number(data)?.cast_signed());
            }
            _ => is_plain &= !FRA_SELECTORS.contains(&kind),
        }
    }
    let matches =
        (wanted.unwrap_or_default() ^ mark) & if wanted.is_some() { mask } else { 0 } == 0;
    let is_inverted = flags & FIB_RULE_INVERT != 0;
    (is_plain && action == FR_ACT_TO_TBL && matches != is_inverted).then_some((priority, table))
}

/// fib_rules.h.
const FRA_PRIORITY: u16 = 6;
const FRA_FWMARK: u16 = 10;
const FRA_SUPPRESS_PREFIXLEN: u16 = 14;
const FRA_TABLE: u16 = 15;
const FRA_FWMASK: u16 = 16;
/// `FRA_DST`, `FRA_SRC`, `FRA_IIFNAME`, `FRA_TUN_ID`, `FRA_OIFNAME`, `FRA_L3MDEV`, `FRA_IP_PROTO`,
/// `FRA_SPORT_RANGE`, `FRA_DPORT_RANGE`. `FRA_UID_RANGE` is of all users, as a rule.
const FRA_SELECTORS: [u16; 9] = [1, 2, 3, 12, 17, 19, 22, 23, 24];

fn is_ip(family: u8) -> bool {
    matches!(i32::from(family), libc::AF_INET | libc::AF_INET6)
}

fn address(data: &[u8]) -> Option<IpAddr> {
    match data.len() {
        4 => data.first_chunk::<4>().map(|octets| IpAddr::from(*octets)),
        16 => data.first_chunk::<16>().map(|octets| IpAddr::from(*octets)),
        _ => None,
    }
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(v4) => v4.octets().into(),
        IpAddr::V6(v6) => v6.octets().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_found() {
        let interfaces = interfaces().unwrap();
        let lo = interfaces.iter().find(|one| one.luid >> 48 == u64::from(IF_TYPE_LOOPBACK));
        let lo = lo.expect("there is a loopback interface");
        let here = IpAddr::from([127, 0, 0, 1]);
        let addresses = addresses().unwrap();
        let has = |address: &NetworkAddress| address.interface_index == lo.index;
        if !addresses.iter().any(has) {
            return; // It is down, in a namespace of its own.
        }
        let routes = routes().unwrap();
        let to_here = |route: &&NetworkRoute| route.contains(here);
        let route = routes.iter().filter(to_here).max_by_key(|route| route.prefix_length);
        assert_eq!(route.map(|route| route.interface_index), Some(lo.index));
        let route = route_to(here, None, lo.index).unwrap();
        assert_eq!((route.interface_index, route.source), (lo.index, Some(here)));
    }

    fn rule(header: [u8; 12], attributes: &[(u16, &[u8])], mark: u32) -> Option<(u32, u32, i64)> {
        let mut body = header.to_vec();
        for (kind, data) in attributes {
            push_attribute(&mut body, *kind, data);
        }
        let rule = read_rule(&Message { kind: 0, body: &body }, mark)?;
        Some((rule.0, rule.1.number, rule.1.longest_suppressed))
    }

    #[test]
    fn rules_select_by_the_mark_alone() {
        let number = u32::to_ne_bytes;
        let header = [2, 0, 0, 0, 254, 0, 0, 1, 0, 0, 0, 0];
        assert_eq!(rule(header, &[(6, &number(9))], 7), Some((9, 254, -1)));
        assert_eq!(rule(header, &[(14, &number(0))], 7), Some((0, 254, 0)));
        assert_eq!(rule(header, &[(10, &number(7))], 7), Some((0, 254, -1)));
        assert_eq!(rule(header, &[(10, &number(7))], 0), None);
        assert_eq!(rule(header, &[(10, &number(1)), (16, &number(1))], 3), Some((0, 254, -1)));
        let inverted = [2, 0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 0];
        let wg_quick: [(u16, &[u8]); 2] = [(10, &number(51820)), (15, &number(51820))];
        assert_eq!(rule(inverted, &wg_quick, 0), Some((0, 51820, -1)));
        assert_eq!(rule(inverted, &wg_quick, 51820), None);
        assert_eq!(rule(header, &[(3, b"eth0\0")], 7), None);
        let from = [2, 0, 24, 0, 254, 0, 0, 1, 0, 0, 0, 0];
        assert_eq!(rule(from, &[], 7), None);
    }
}
