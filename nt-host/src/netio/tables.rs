//! GetIpForwardTable2, GetUnicastIpAddressTable, GetIpInterfaceTable and FreeMibTable.

use std::io;
use std::mem::zeroed;

use nt_sys::netioapi::{
    IP_ADDRESS_PREFIX, MIB_IPFORWARD_ROW2, MIB_IPFORWARD_TABLE2, MIB_IPINTERFACE_ROW,
    MIB_IPINTERFACE_TABLE, MIB_UNICASTIPADDRESS_ROW, MIB_UNICASTIPADDRESS_TABLE,
};
use nt_sys::ntdef::{NTSTATUS, PASSIVE_LEVEL, PVOID, USHORT};
use nt_sys::status::{
    STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_PARAMETER, STATUS_NOT_FOUND, STATUS_SUCCESS,
    STATUS_UNSUCCESSFUL,
};
use nt_sys::wsk::{AF_INET, AF_INET6, AF_UNSPEC};

use super::mib_table;
use super::network::{Network, NetworkAddress, NetworkInterface, NetworkRoute};
use super::socket_address::socket_address;
use crate::irql;
use crate::stack;

/// The families that a caller asks for: IPv4, IPv6.
fn families(family: USHORT) -> Option<[bool; 2]> {
    match family {
        AF_UNSPEC => Some([true, true]),
        AF_INET => Some([true, false]),
        AF_INET6 => Some([false, true]),
        _ => None,
    }
}

/// Makes a table of the entries of the families that a caller asks for.
fn give<T, R: Copy>(
    function: &'static str,
    family: USHORT,
    table: *mut *mut T,
    rows: impl FnOnce([bool; 2]) -> io::Result<Vec<R>>,
) -> NTSTATUS {
    irql::require_at_most(function, PASSIVE_LEVEL);
    let (Some(families), false) = (families(family), table.is_null()) else {
        return STATUS_INVALID_PARAMETER;
    };
    let made = stack::on_host(|| {
        let rows = rows(families).map_err(|_| STATUS_UNSUCCESSFUL)?;
        if rows.is_empty() {
            return Err(STATUS_NOT_FOUND);
        }
        mib_table::make(function, &rows).ok_or(STATUS_INSUFFICIENT_RESOURCES)
    });
    match made {
        Ok(made) => {
            // SAFETY: the driver passes a writable pointer.
            unsafe { table.write(made.cast()) };
            STATUS_SUCCESS
        }
        Err(status) => status,
    }
}

fn is_asked_for([v4, v6]: [bool; 2], is_ipv4: bool) -> bool {
    if is_ipv4 { v4 } else { v6 }
}

/// A route as a row. `interfaces` are all.
pub(super) fn route_row(
    route: &NetworkRoute,
    interfaces: &[NetworkInterface],
) -> Option<MIB_IPFORWARD_ROW2> {
    let interface = interfaces.iter().find(|one| one.index == route.interface_index)?;
    // SAFETY: zeros are valid values of all fields.
    let mut row: MIB_IPFORWARD_ROW2 = unsafe { zeroed() };
    let unspecified = match route.destination {
        std::net::IpAddr::V4(_) => std::net::Ipv4Addr::UNSPECIFIED.into(),
        std::net::IpAddr::V6(_) => std::net::Ipv6Addr::UNSPECIFIED.into(),
    };
    row.InterfaceLuid = interface.luid;
    row.InterfaceIndex = interface.index;
    row.DestinationPrefix = IP_ADDRESS_PREFIX {
        Prefix: socket_address(route.destination, interface.index),
        PrefixLength: route.prefix_length,
    };
    row.NextHop = socket_address(route.gateway.unwrap_or(unspecified), interface.index);
    row.SitePrefixLength = 0;
    row.ValidLifetime = u32::MAX;
    row.PreferredLifetime = u32::MAX;
    row.Metric = route.metric;
    row.Immortal = 1;
    Some(row)
}

fn address_row(
    address: &NetworkAddress,
    interfaces: &[NetworkInterface],
) -> Option<MIB_UNICASTIPADDRESS_ROW> {
    let interface = interfaces.iter().find(|one| one.index == address.interface_index)?;
    // SAFETY: zeros are valid values of all fields.
    let mut row: MIB_UNICASTIPADDRESS_ROW = unsafe { zeroed() };
    row.Address = socket_address(address.address, interface.index);
    row.InterfaceLuid = interface.luid;
    row.InterfaceIndex = interface.index;
    row.ValidLifetime = u32::MAX;
    row.PreferredLifetime = u32::MAX;
    row.OnLinkPrefixLength = address.prefix_length;
    row.DadState = address.dad_state;
    Some(row)
}

fn interface_row(interface: &NetworkInterface, family: USHORT) -> MIB_IPINTERFACE_ROW {
    // SAFETY: zeros are valid values of all fields.
    let mut row: MIB_IPINTERFACE_ROW = unsafe { zeroed() };
    row.Family = family;
    row.InterfaceLuid = interface.luid;
    row.InterfaceIndex = interface.index;
    row.Metric = interface.metric;
    row.NlMtu = interface.mtu;
    row.Connected = interface.is_connected.into();
    // As of GetIpInterfaceEntry.
    row.SitePrefixLength = 64;
    row
}

export! { "netio.sys";
    /// netioapi.h, GetIpForwardTable2.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    ///
    /// # Safety
    /// The pointer is null or writable.
    pub unsafe fn GetIpForwardTable2(
        family: USHORT,
        table: *mut *mut MIB_IPFORWARD_TABLE2,
    ) -> NTSTATUS {
        give("GetIpForwardTable2", family, table, |families| {
            let interfaces = Network::current_interfaces()?;
            let routes = Network::current_routes()?;
            let of_family = routes
                .iter()
                .filter(|route| is_asked_for(families, route.destination.is_ipv4()));
            Ok(of_family.filter_map(|route| route_row(route, &interfaces)).collect())
        })
    }

    /// netioapi.h, GetUnicastIpAddressTable.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    ///
    /// # Safety
    /// The pointer is null or writable.
    pub unsafe fn GetUnicastIpAddressTable(
        family: USHORT,
        table: *mut *mut MIB_UNICASTIPADDRESS_TABLE,
    ) -> NTSTATUS {
        give("GetUnicastIpAddressTable", family, table, |families| {
            let interfaces = Network::current_interfaces()?;
            let addresses = Network::current_addresses()?;
            let of_family = addresses
                .iter()
                .filter(|address| is_asked_for(families, address.address.is_ipv4()));
            Ok(of_family.filter_map(|address| address_row(address, &interfaces)).collect())
        })
    }

    /// netioapi.h, GetIpInterfaceTable. Gives the keys, the metric, the MTU and the connection
    /// state.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    ///
    /// # Safety
    /// The pointer is null or writable.
    pub unsafe fn GetIpInterfaceTable(
        family: USHORT,
        table: *mut *mut MIB_IPINTERFACE_TABLE,
    ) -> NTSTATUS {
        give("GetIpInterfaceTable", family, table, |families| {
            let interfaces = Network::current_interfaces()?;
            let of_family = [AF_INET, AF_INET6].into_iter().zip(families);
            let asked_for = of_family.filter(|(_, is_asked_for)| *is_asked_for);
            Ok(asked_for
                .flat_map(|(family, _)| {
                    interfaces.iter().map(move |interface| interface_row(interface, family))
                })
                .collect())
        })
    }

    /// netioapi.h, FreeMibTable.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    ///
    /// # Safety
    /// The table was allocated by one of the functions above.
    pub unsafe fn FreeMibTable(table: PVOID) {
        irql::require_at_most("FreeMibTable", PASSIVE_LEVEL);
        mib_table::free(table);
    }
}
