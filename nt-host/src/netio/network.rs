//! The network of the machine: its interfaces, routes and addresses.

use std::io;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use super::{linux_network, notification};
use crate::ndis::interface::Interface;
use crate::ndis::interface_mtu::IpVersion;

/// A network that takes the place of Linux's.
static SET: Mutex<Option<Network>> = Mutex::new(None);

/// The interfaces, routes and addresses of a machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Network {
    /// The interfaces.
    pub interfaces: Vec<NetworkInterface>,
    /// The routes.
    pub routes: Vec<NetworkRoute>,
    /// The local addresses.
    pub addresses: Vec<NetworkAddress>,
}

/// An interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NetworkInterface {
    /// Its index.
    pub index: u32,
    /// Its `NET_LUID`.
    pub luid: u64,
    /// Its part of the metric of its routes.
    pub metric: u32,
    /// The MTU, in bytes.
    pub mtu: u32,
    /// Whether it is up and connected.
    pub is_connected: bool,
}

/// A route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NetworkRoute {
    /// The first address of the prefix.
    pub destination: IpAddr,
    /// The length of the prefix, in bits.
    pub prefix_length: u8,
    /// The gateway; `None` on the link.
    pub gateway: Option<IpAddr>,
    /// The index of the interface.
    pub interface_index: u32,
    /// The route's part of the metric.
    pub metric: u32,
}

/// A local address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NetworkAddress {
    /// The address.
    pub address: IpAddr,
    /// The length of the prefix on the link, in bits.
    pub prefix_length: u8,
    /// The index of the interface.
    pub interface_index: u32,
    /// `NL_DAD_STATE`.
    pub dad_state: i32,
}

/// Sets the network that drivers see, or goes back to Linux's with `None`. Drivers are notified.
///
/// Datagrams still go by Linux's interfaces, whose indexes they name.
pub fn set_network(network: Option<Network>) {
    *SET.lock().unwrap_or_else(PoisonError::into_inner) = network;
    notification::network_set();
}

impl Network {
    /// The one that was set.
    pub(super) fn of_tests() -> Option<Self> {
        SET.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The interfaces, those of adapters without one in Linux included.
    pub(super) fn current_interfaces() -> io::Result<Vec<NetworkInterface>> {
        let mut interfaces = match Self::of_tests() {
            Some(network) => network.interfaces,
            None => linux_network::interfaces()?,
        };
        for adapter in Interface::all() {
            let luid = adapter.luid();
            if !interfaces.iter().any(|known| known.luid == luid) {
                interfaces.push(NetworkInterface {
                    index: adapter.index(),
                    luid,
                    metric: 0,
                    mtu: adapter.mtu(IpVersion::V4),
                    is_connected: adapter.is_connected(),
                });
            }
        }
        Ok(interfaces)
    }

    /// The routes.
    pub(super) fn current_routes() -> io::Result<Vec<NetworkRoute>> {
        match Self::of_tests() {
            Some(network) => Ok(network.routes),
            None => linux_network::routes(),
        }
    }

    /// The local addresses.
    pub(super) fn current_addresses() -> io::Result<Vec<NetworkAddress>> {
        match Self::of_tests() {
            Some(network) => Ok(network.addresses),
            None => linux_network::addresses(),
        }
    }
}

impl NetworkRoute {
    /// Whether it leads to an address.
    pub(super) fn contains(&self, address: IpAddr) -> bool {
        common_bits(self.destination, address)
            .is_some_and(|bits| bits >= u32::from(self.prefix_length))
    }
}

/// How many leading bits two addresses of one family have in common.
pub(super) fn common_bits(one: IpAddr, other: IpAddr) -> Option<u32> {
    match (one, other) {
        (IpAddr::V4(one), IpAddr::V4(other)) => {
            Some((one.to_bits() ^ other.to_bits()).leading_zeros())
        }
        (IpAddr::V6(one), IpAddr::V6(other)) => {
            Some((one.to_bits() ^ other.to_bits()).leading_zeros())
        }
        _ => None,
    }
}
