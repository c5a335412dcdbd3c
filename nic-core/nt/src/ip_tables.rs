//! The IP stack's routes, interfaces and local addresses.
//!
//! # Safety conditions
//! 1. The stack has made the table, with as many rows as it says, and it is freed once.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use core::{mem, ptr, slice};

use nt_sys::netioapi::{
    FreeMibTable, GetBestRoute2, GetIpForwardTable2, GetIpInterfaceTable, GetUnicastIpAddressTable,
    IpDadStateDeprecated, IpDadStatePreferred, MIB_IPFORWARD_ROW2, MIB_IPFORWARD_TABLE2,
    MIB_IPINTERFACE_ROW, MIB_IPINTERFACE_TABLE, MIB_UNICASTIPADDRESS_ROW,
    MIB_UNICASTIPADDRESS_TABLE,
};
use nt_sys::ntdef::{NTSTATUS, USHORT};
use nt_sys::wsk::{AF_INET, AF_INET6, AF_UNSPEC, SOCKADDR_INET};

use crate::interface::IpVersion;
use crate::status::{Result, Status};
use crate::wsk::to_sockaddr;

/// A route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IpRoute {
    /// The first address of the prefix.
    pub destination: IpAddr,
    /// The length of the prefix, in bits.
    pub prefix_bits: u8,
    /// The `NET_LUID` of its interface.
    pub interface_luid: u64,
    /// The index of its interface.
    pub interface_index: u32,
    /// Its part of the metric.
    pub metric: u32,
}

/// An interface of the stack, for one version of IP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IpInterface {
    /// The version.
    pub version: IpVersion,
    /// Its `NET_LUID`.
    pub luid: u64,
    /// Its part of the metric of its routes.
    pub metric: u32,
    /// Whether it is connected.
    pub is_connected: bool,
}

/// A local address that can be sent from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalIp {
    /// The address.
    pub address: IpAddr,
    /// The `NET_LUID` of its interface.
    pub interface_luid: u64,
    /// Whether it is chosen only if it is asked for.
    pub is_last_choice: bool,
}

/// Calls `f` with each route.
///
/// # IRQL
/// `PASSIVE_LEVEL`
pub fn for_each_route(mut f: impl FnMut(IpRoute)) -> Result<()> {
    let table = MibTable::<MIB_IPFORWARD_TABLE2, MIB_IPFORWARD_ROW2>::read(|family, table| {
        // SAFETY: the pointer is to the stack.
        unsafe { GetIpForwardTable2(family, table) }
    })?;
    for row in table.rows() {
        if let Some(destination) = ip_of(&row.DestinationPrefix.Prefix) {
            f(IpRoute {
                destination,
                prefix_bits: row.DestinationPrefix.PrefixLength,
                interface_luid: row.InterfaceLuid,
                interface_index: row.InterfaceIndex,
                metric: row.Metric,
            });
        }
    }
    Ok(())
}

/// Calls `f` with each interface.
///
/// # IRQL
/// `PASSIVE_LEVEL`
pub fn for_each_interface(mut f: impl FnMut(IpInterface)) -> Result<()> {
    let table = MibTable::<MIB_IPINTERFACE_TABLE, MIB_IPINTERFACE_ROW>::read(|family, table| {
        // SAFETY: the pointer is to the stack.
        unsafe { GetIpInterfaceTable(family, table) }
    })?;
    for row in table.rows() {
        let version = match row.Family {
            AF_INET => IpVersion::V4,
            AF_INET6 => IpVersion::V6,
            _ => continue,
        };
        f(IpInterface {
            version,
            luid: row.InterfaceLuid,
            metric: row.Metric,
            is_connected: row.Connected != 0,
        });
    }
    Ok(())
}

/// Calls `f` with each local address that can be sent from: a tentative or duplicate one can't.
///
/// # IRQL
/// `PASSIVE_LEVEL`
pub fn for_each_address(mut f: impl FnMut(LocalIp)) -> Result<()> {
    let table =
        MibTable::<MIB_UNICASTIPADDRESS_TABLE, MIB_UNICASTIPADDRESS_ROW>::read(|family, table| {
            // SAFETY: the pointer is to the stack.
            unsafe { GetUnicastIpAddressTable(family, table) }
        })?;
    for row in table.rows() {
        let is_usable = row.DadState == IpDadStatePreferred || row.DadState == IpDadStateDeprecated;
        if let Some(address) = ip_of(&row.Address).filter(|_| is_usable) {
            f(LocalIp {
                address,
                interface_luid: row.InterfaceLuid,
                is_last_choice: row.SkipAsSource != 0 || row.DadState == IpDadStateDeprecated,
            });
        }
    }
    Ok(())
}

/// The local address from which the stack sends to a destination by an interface.
///
/// # IRQL
/// `PASSIVE_LEVEL`
pub fn best_source(interface_luid: u64, destination: SocketAddr) -> Result<IpAddr> {
    let mut luid = interface_luid;
    let destination = to_sockaddr(destination);
    // SAFETY: the row consists of integers, for which zeros are valid values.
    let mut route: MIB_IPFORWARD_ROW2 = unsafe { mem::zeroed() };
    // SAFETY: a socket address, too, consists of integers.
    let mut source: SOCKADDR_INET = unsafe { mem::zeroed() };
    // SAFETY: all pointers are to the stack.
    let status = unsafe {
        GetBestRoute2(
            &raw mut luid,
            0,
            ptr::null(),
            &raw const destination,
            0,
            &raw mut route,
            &raw mut source,
        )
    };
    Status(status).ok()?;
    ip_of(&source).ok_or(Status::UNSUCCESSFUL)
}

/// A table of type `T` with rows of type `R`. Dropping it frees it.
struct MibTable<T, R> {
    /// Null if there are no rows.
    table: *mut T,
    rows: core::marker::PhantomData<R>,
}

impl<T, R> MibTable<T, R> {
    /// Reads a table of both versions of IP: `get` is given the family and the place of the table.
    fn read(get: impl FnOnce(USHORT, *mut *mut T) -> NTSTATUS) -> Result<Self> {
        let mut table = ptr::null_mut();
        match Status(get(AF_UNSPEC, &raw mut table)) {
            Status::NOT_FOUND => {}
            status => status.ok()?,
        }
        Ok(Self { table, rows: core::marker::PhantomData })
    }

    fn rows(&self) -> &[R] {
        if self.table.is_null() {
            return &[];
        }
        // SAFETY: 1. Every table begins with the number of its rows.
        let count = unsafe { self.table.cast::<u32>().read() } as usize;
        // The first row is where its alignment allows.
        let offset = size_of::<u32>().next_multiple_of(align_of::<R>());
        let first = self.table.wrapping_byte_add(offset).cast::<R>();
        // SAFETY: 1.
        unsafe { slice::from_raw_parts(first, count) }
    }
}

impl<T, R> Drop for MibTable<T, R> {
    fn drop(&mut self) {
        if !self.table.is_null() {
            // SAFETY: 1.
            unsafe { FreeMibTable(self.table.cast()) };
        }
    }
}

fn ip_of(address: &SOCKADDR_INET) -> Option<IpAddr> {
    // SAFETY: every address begins with its family.
    match unsafe { address.si_family } {
        AF_INET => {
            // SAFETY: by the family.
            let v4 = unsafe { address.Ipv4 };
            Some(Ipv4Addr::from(v4.sin_addr.S_addr.to_ne_bytes()).into())
        }
        AF_INET6 => {
            // SAFETY: by the family.
            let v6 = unsafe { address.Ipv6 };
            Some(Ipv6Addr::from(v6.sin6_addr.Byte).into())
        }
        _ => None,
    }
}
