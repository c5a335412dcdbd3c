//! The IP stack's interface of an adapter.

use nt_sys::netioapi::{
    GetIpInterfaceEntry, InitializeIpInterfaceEntry, MIB_IPINTERFACE_ROW, SetIpInterfaceEntry,
};
use nt_sys::wsk::{AF_INET, AF_INET6};

use crate::status::{Result, Status};

/// A version of IP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IpVersion {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// Reads the interface's MTU for one version of IP, in bytes.
///
/// # Errors
/// `NOT_FOUND` if the stack has no such interface. It creates the interface some time after the
/// adapter has started.
///
/// # IRQL
/// `< DISPATCH_LEVEL`
pub fn mtu_bytes(interface_luid: u64, version: IpVersion) -> Result<u32> {
    row(interface_luid, version).map(|row| row.NlMtu)
}

/// Sets the interface's MTU for one version of IP, in bytes. The adapter's MTU is the
/// maximum.
///
/// # Errors
/// As for [`mtu_bytes`]; `INVALID_PARAMETER` for an MTU that the stack refuses.
///
/// # IRQL
/// `< DISPATCH_LEVEL`
pub fn set_mtu_bytes(interface_luid: u64, version: IpVersion, mtu_bytes: u32) -> Result<()> {
    let mut row = row(interface_luid, version)?;
    row.NlMtu = mtu_bytes;
    // GetIpInterfaceEntry returns 64, which SetIpInterfaceEntry refuses for IPv4. 0 is no change.
    row.SitePrefixLength = 0;
    // SAFETY: the row is on the stack.
    Status(unsafe { SetIpInterfaceEntry(&raw mut row) }).ok()
}

fn row(interface_luid: u64, version: IpVersion) -> Result<MIB_IPINTERFACE_ROW> {
    // SAFETY: the struct consists of integers, for which zeros are valid values.
    let mut row: MIB_IPINTERFACE_ROW = unsafe { core::mem::zeroed() };
    // SAFETY: the row is on the stack.
    unsafe { InitializeIpInterfaceEntry(&raw mut row) };
    row.Family = match version {
        IpVersion::V4 => AF_INET,
        IpVersion::V6 => AF_INET6,
    };
    row.InterfaceLuid = interface_luid;
    // SAFETY: the row is on the stack.
    Status(unsafe { GetIpInterfaceEntry(&raw mut row) }).ok()?;
    Ok(row)
}
