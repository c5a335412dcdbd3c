//! GetBestRoute2.

use std::net::IpAddr;

use nt_sys::netioapi::{IpDadStateDeprecated, IpDadStatePreferred, MIB_IPFORWARD_ROW2};
use nt_sys::ntdef::{NTSTATUS, PASSIVE_LEVEL, ULONG, ULONGLONG};
use nt_sys::status::{
    STATUS_INVALID_PARAMETER, STATUS_NETWORK_UNREACHABLE, STATUS_NOT_FOUND, STATUS_SUCCESS,
    STATUS_UNSUCCESSFUL,
};
use nt_sys::wsk::SOCKADDR_INET;

use super::linux_network;
use super::network::{Network, common_bits};
use super::socket_address::{ip_address, socket_address};
use super::tables::route_row;
use crate::irql;
use crate::stack;

/// The arguments of the driver.
struct Wanted {
    luid: u64,
    index: u32,
    source: Option<IpAddr>,
    destination: IpAddr,
}

/// The best route and its local address.
fn find(wanted: &Wanted) -> Result<(MIB_IPFORWARD_ROW2, SOCKADDR_INET), NTSTATUS> {
    let interfaces = Network::current_interfaces().map_err(|_| STATUS_UNSUCCESSFUL)?;
    let interface = match (wanted.luid, wanted.index) {
        (0, index) => interfaces.iter().find(|one| one.index == index),
        (luid, _) => interfaces.iter().find(|one| one.luid == luid),
    };
    let interface = interface.ok_or(STATUS_NOT_FOUND)?;
    let routes = Network::current_routes().map_err(|_| STATUS_UNSUCCESSFUL)?;
    let leads = routes
        .iter()
        .filter(|route| route.interface_index == interface.index)
        .filter(|route| route.contains(wanted.destination));
    let best = leads
        .max_by_key(|route| (route.prefix_length, u32::MAX - route.metric))
        .ok_or(STATUS_NETWORK_UNREACHABLE)?;
    let row = route_row(best, &interfaces).ok_or(STATUS_NOT_FOUND)?;
    let addresses = Network::current_addresses().map_err(|_| STATUS_UNSUCCESSFUL)?;
    let usable = |address: IpAddr| {
        addresses.iter().any(|one| {
            one.address == address
                && one.interface_index == interface.index
                && (one.dad_state == IpDadStatePreferred || one.dad_state == IpDadStateDeprecated)
        })
    };
    if let Some(source) = wanted.source.filter(|source| usable(*source)) {
        return Ok((row, socket_address(source, interface.index)));
    }
    let chosen = if Network::of_tests().is_some() {
        None
    } else {
        let route = linux_network::route_to(wanted.destination, None, interface.index);
        route.ok().and_then(|route| route.source)
    };
    // Without a word of Linux's: the address that is nearest to the destination.
    let nearest = || {
        let of_interface = addresses.iter().filter(|one| usable(one.address));
        of_interface
            .max_by_key(|one| common_bits(one.address, wanted.destination))
            .filter(|one| one.address.is_ipv4() == wanted.destination.is_ipv4())
            .map(|one| one.address)
    };
    let source = chosen.or_else(nearest).ok_or(STATUS_NETWORK_UNREACHABLE)?;
    Ok((row, socket_address(source, interface.index)))
}

export! { "netio.sys";
    /// netioapi.h, GetBestRoute2. An interface must be named, as the page says for drivers.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    ///
    /// # Safety
    /// The pointers are null or valid.
    pub unsafe fn GetBestRoute2(
        interface_luid: *mut ULONGLONG,
        interface_index: ULONG,
        source_address: *const SOCKADDR_INET,
        destination_address: *const SOCKADDR_INET,
        _address_sort_options: ULONG,
        best_route: *mut MIB_IPFORWARD_ROW2,
        best_source_address: *mut SOCKADDR_INET,
    ) -> NTSTATUS {
        irql::require_at_most("GetBestRoute2", PASSIVE_LEVEL);
        // SAFETY: as the driver promises.
        let luid = unsafe { interface_luid.as_ref() }.copied().unwrap_or_default();
        // SAFETY: as the driver promises.
        let destination = unsafe { destination_address.as_ref() }.and_then(ip_address);
        // SAFETY: as the driver promises.
        let source = unsafe { source_address.as_ref() }.and_then(ip_address);
        let Some(destination) = destination else { return STATUS_INVALID_PARAMETER };
        let is_nowhere = luid == 0 && interface_index == 0;
        if is_nowhere || best_route.is_null() || best_source_address.is_null() {
            return STATUS_INVALID_PARAMETER;
        }
        let wanted = Wanted { luid, index: interface_index, source, destination };
        match stack::on_host(|| find(&wanted)) {
            Ok((route, source)) => {
                // SAFETY: as the driver promises.
                unsafe { best_route.write(route) };
                // SAFETY: as the driver promises.
                unsafe { best_source_address.write(source) };
                STATUS_SUCCESS
            }
            Err(status) => status,
        }
    }
}
