//! GetIpInterfaceEntry and SetIpInterfaceEntry, for the MTU of the interface of an adapter.

use std::mem::zeroed;

use nt_sys::netioapi::MIB_IPINTERFACE_ROW;
use nt_sys::ntdef::{APC_LEVEL, NTSTATUS};
use nt_sys::status::{STATUS_INVALID_PARAMETER, STATUS_NOT_FOUND, STATUS_SUCCESS};
use nt_sys::wsk::{AF_INET, AF_INET6};

use crate::irql;
use crate::ndis::interface::Interface;
use crate::ndis::interface_mtu::IpVersion;

/// The smallest MTU of each version of IP, in bytes (RFC 791, RFC 8200).
const MIN_MTU_V4: u32 = 68;
const MIN_MTU_V6: u32 = 1280;

/// The interface with the keys of a row.
fn find(row: &MIB_IPINTERFACE_ROW) -> Result<(Interface, IpVersion), NTSTATUS> {
    let version = match row.Family {
        AF_INET => IpVersion::V4,
        AF_INET6 => IpVersion::V6,
        _ => return Err(STATUS_INVALID_PARAMETER),
    };
    let interface = match (row.InterfaceLuid, row.InterfaceIndex) {
        (0, 0) => return Err(STATUS_INVALID_PARAMETER),
        (0, index) => Interface::by_index(index),
        (luid, _) => Interface::by_luid(luid),
    };
    Ok((interface.ok_or(STATUS_NOT_FOUND)?, version))
}

fn get(row: &mut MIB_IPINTERFACE_ROW) -> Result<(), NTSTATUS> {
    let (interface, version) = find(row)?;
    row.InterfaceLuid = interface.luid();
    row.InterfaceIndex = interface.index();
    row.NlMtu = interface.mtu(version);
    row.Connected = interface.is_connected().into();
    // Windows returns 64 for both versions, although it accepts at most 32 for IPv4.
    row.SitePrefixLength = 64;
    Ok(())
}

fn set(row: &mut MIB_IPINTERFACE_ROW) -> Result<(), NTSTATUS> {
    let (interface, version) = find(row)?;
    let (max_prefix, min_mtu) = match version {
        IpVersion::V4 => (32, MIN_MTU_V4),
        IpVersion::V6 => (128, MIN_MTU_V6),
    };
    let is_valid = match row.NlMtu {
        0 => true,
        mtu => (min_mtu..=interface.max_mtu()).contains(&mtu),
    };
    if !is_valid || row.SitePrefixLength > max_prefix {
        return Err(STATUS_INVALID_PARAMETER);
    }
    row.InterfaceLuid = interface.luid();
    // InitializeIpInterfaceEntry leaves 0, which stands for no change.
    if row.NlMtu != 0 {
        interface.set_mtu(version, row.NlMtu);
    }
    Ok(())
}

export! { "netio.sys";
    /// netioapi.h, InitializeIpInterfaceEntry.
    ///
    /// # IRQL
    /// `< DISPATCH_LEVEL`
    ///
    /// # Safety
    /// The row is writable.
    pub unsafe fn InitializeIpInterfaceEntry(row: *mut MIB_IPINTERFACE_ROW) {
        irql::require_at_most("InitializeIpInterfaceEntry", APC_LEVEL);
        // SAFETY: plain numbers, for which zeros are valid.
        let empty = unsafe { zeroed() };
        // SAFETY: as the driver promises.
        unsafe { row.write(empty) };
    }

    /// netioapi.h, GetIpInterfaceEntry. Fills in the keys, the MTU and the connection state.
    ///
    /// # IRQL
    /// `< DISPATCH_LEVEL`
    ///
    /// # Safety
    /// The row is null or valid.
    pub unsafe fn GetIpInterfaceEntry(row: *mut MIB_IPINTERFACE_ROW) -> NTSTATUS {
        irql::require_at_most("GetIpInterfaceEntry", APC_LEVEL);
        // SAFETY: as the driver promises.
        let row = unsafe { row.as_mut() };
        row.map_or(Err(STATUS_INVALID_PARAMETER), get).err().unwrap_or(STATUS_SUCCESS)
    }

    /// netioapi.h, SetIpInterfaceEntry. Applies the MTU.
    ///
    /// # IRQL
    /// `< DISPATCH_LEVEL`
    ///
    /// # Safety
    /// The row is null or valid.
    pub unsafe fn SetIpInterfaceEntry(row: *mut MIB_IPINTERFACE_ROW) -> NTSTATUS {
        irql::require_at_most("SetIpInterfaceEntry", APC_LEVEL);
        // SAFETY: as the driver promises.
        let row = unsafe { row.as_mut() };
        row.map_or(Err(STATUS_INVALID_PARAMETER), set).err().unwrap_or(STATUS_SUCCESS)
    }
}
