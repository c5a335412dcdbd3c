//! Routes, addresses and interfaces, and notifications of their changes.

use std::ffi::c_void;
use std::net::{IpAddr, Ipv4Addr};
use std::ptr;
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Duration;

use nt_host::netio::{Network, NetworkAddress, NetworkInterface, NetworkRoute, set_network};
use nt_sys::netioapi::{
    CancelMibChangeNotify2, FreeMibTable, GetBestRoute2, GetIpForwardTable2, GetIpInterfaceTable,
    GetUnicastIpAddressTable, IpDadStatePreferred, IpDadStateTentative, MIB_IPFORWARD_ROW2,
    MIB_IPFORWARD_TABLE2, MIB_NOTIFICATION_TYPE, MIB_UNICASTIPADDRESS_TABLE,
    MibInitialNotification, MibParameterNotification, NotifyRouteChange2,
};
use nt_sys::ntdef::{HANDLE, NTSTATUS, PVOID};
use nt_sys::status::{
    STATUS_INVALID_PARAMETER, STATUS_NETWORK_UNREACHABLE, STATUS_NOT_FOUND, STATUS_SUCCESS,
};
use nt_sys::wsk::{AF_INET, AF_INET6, AF_UNSPEC, SOCKADDR_INET};

const LONG: Duration = Duration::from_secs(20);

fn network() -> Network {
    let interface = |index, metric, is_connected| NetworkInterface {
        index,
        luid: u64::from(index) << 24 | 6 << 48,
        metric,
        mtu: 1500,
        is_connected,
    };
    let route = |to: &str, prefix_length, interface_index, metric| NetworkRoute {
        destination: to.parse().unwrap(),
        prefix_length,
        gateway: None,
        interface_index,
        metric,
    };
    let address = |address: &str, interface_index, dad_state| NetworkAddress {
        address: address.parse().unwrap(),
        prefix_length: 24,
        interface_index,
        dad_state,
    };
    Network {
        interfaces: vec![interface(1001, 5, true), interface(1002, 0, false)],
        routes: vec![
            route("192.0.2.0", 24, 1001, 10),
            route("0.0.0.0", 0, 1002, 1),
            route("2001:db8::", 32, 1001, 1024),
            // Of an interface that there is not.
            route("198.51.100.0", 24, 1003, 1),
        ],
        addresses: vec![
            address("192.0.2.9", 1001, IpDadStatePreferred),
            address("192.0.2.77", 1001, IpDadStateTentative),
            address("203.0.113.1", 1001, IpDadStatePreferred),
            address("2001:db8::1", 1001, IpDadStatePreferred),
        ],
    }
}

fn v4(octets: [u8; 4]) -> SOCKADDR_INET {
    // SAFETY: zeros are valid values.
    let mut address: SOCKADDR_INET = unsafe { std::mem::zeroed() };
    address.Ipv4.sin_family = AF_INET;
    address.Ipv4.sin_addr.S_addr = u32::from_ne_bytes(octets);
    address
}

/// The best route's interface and source to a destination, by an interface.
fn best(luid: u64, index: u32, to: [u8; 4]) -> Result<(u32, Ipv4Addr), NTSTATUS> {
    let (mut luid, to) = (luid, v4(to));
    // SAFETY: zeros are valid values.
    let (mut row, mut source) =
        unsafe { std::mem::zeroed::<(MIB_IPFORWARD_ROW2, SOCKADDR_INET)>() };
    // SAFETY: all pointers are to locals.
    let status = unsafe {
        GetBestRoute2(
            &raw mut luid,
            index,
            ptr::null(),
            &raw const to,
            0,
            &raw mut row,
            &raw mut source,
        )
    };
    if status != STATUS_SUCCESS {
        return Err(status);
    }
    // SAFETY: the destination is IPv4.
    let source = unsafe { source.Ipv4.sin_addr.S_addr };
    Ok((row.InterfaceIndex, Ipv4Addr::from(source.to_ne_bytes())))
}

fn routes(family: u16) -> Result<Vec<(u32, u8, u32)>, NTSTATUS> {
    let mut table: *mut MIB_IPFORWARD_TABLE2 = ptr::null_mut();
    // SAFETY: the pointer is to a local.
    let status = unsafe { GetIpForwardTable2(family, &raw mut table) };
    if status != STATUS_SUCCESS {
        return Err(status);
    }
    // SAFETY: the function has made a table, which begins with its count.
    let count = unsafe { table.cast::<u32>().read() };
    // SAFETY: the function has made a table.
    let first = unsafe { &raw const (*table).Table };
    // SAFETY: the table has as many rows as it says.
    let rows =
        unsafe { std::slice::from_raw_parts(first.cast::<MIB_IPFORWARD_ROW2>(), count as usize) };
    let found = rows
        .iter()
        .map(|row| (row.InterfaceIndex, row.DestinationPrefix.PrefixLength, row.Metric))
        .collect();
    // SAFETY: the table is freed once.
    unsafe { FreeMibTable(table.cast()) };
    Ok(found)
}

unsafe extern "efiapi" fn changed(
    context: PVOID,
    row: *mut MIB_IPFORWARD_ROW2,
    why: MIB_NOTIFICATION_TYPE,
) {
    // SAFETY: the context is a sender that outlives the registration.
    let sender = unsafe { &*context.cast::<Sender<(bool, MIB_NOTIFICATION_TYPE)>>() };
    let _ = sender.send((row.is_null(), why));
}

/// A registration for changes of routes.
fn registered(sender: &Sender<(bool, i32)>, wants_first: bool) -> HANDLE {
    let mut handle: HANDLE = ptr::null_mut();
    let context = ptr::from_ref(sender).cast_mut().cast::<c_void>();
    // SAFETY: the context outlives the registration.
    let status = unsafe {
        NotifyRouteChange2(AF_UNSPEC, changed, context, wants_first.into(), &raw mut handle)
    };
    assert_eq!(status, STATUS_SUCCESS);
    handle
}

/// One test, as the network is the process's.
#[test]
fn a_driver_sees_the_network_and_its_changes() {
    let (sender, changes): (_, Receiver<(bool, i32)>) = mpsc::channel();
    let handle = registered(&sender, true);
    assert_eq!(changes.recv_timeout(LONG), Ok((true, MibInitialNotification)));

    set_network(Some(network()));
    let next = || changes.recv_timeout(LONG);
    assert_eq!(next(), Ok((false, MibParameterNotification)));

    assert_eq!(routes(AF_INET), Ok(vec![(1001, 24, 10), (1002, 0, 1)]));
    assert_eq!(routes(AF_INET6), Ok(vec![(1001, 32, 1024)]));
    assert_eq!(routes(AF_UNSPEC).map(|routes| routes.len()), Ok(3));
    assert_eq!(routes(77), Err(STATUS_INVALID_PARAMETER));
    // SAFETY: null is refused.
    let status = unsafe { GetIpForwardTable2(AF_INET, ptr::null_mut()) };
    assert_eq!(status, STATUS_INVALID_PARAMETER);

    let first = 1001 << 24 | 6 << 48;
    assert_eq!(best(first, 0, [192, 0, 2, 1]), Ok((1001, [192, 0, 2, 9].into())));
    assert_eq!(best(0, 1001, [192, 0, 2, 1]), Ok((1001, [192, 0, 2, 9].into())));
    assert_eq!(best(first, 0, [8, 8, 8, 8]), Err(STATUS_NETWORK_UNREACHABLE));
    assert_eq!(best(1002 << 24 | 6 << 48, 0, [8, 8, 8, 8]), Err(STATUS_NETWORK_UNREACHABLE));
    assert_eq!(best(7, 0, [192, 0, 2, 1]), Err(STATUS_NOT_FOUND));
    assert_eq!(best(0, 0, [192, 0, 2, 1]), Err(STATUS_INVALID_PARAMETER));

    let mut addresses: *mut MIB_UNICASTIPADDRESS_TABLE = ptr::null_mut();
    // SAFETY: the pointer is to a local.
    let status = unsafe { GetUnicastIpAddressTable(AF_INET, &raw mut addresses) };
    assert_eq!(status, STATUS_SUCCESS);
    // SAFETY: the function has made a table.
    assert_eq!(unsafe { (*addresses).NumEntries }, 3);
    // SAFETY: the table is freed once.
    unsafe { FreeMibTable(addresses.cast()) };
    let mut interfaces = ptr::null_mut();
    // SAFETY: the pointer is to a local.
    let status = unsafe { GetIpInterfaceTable(AF_INET6, &raw mut interfaces) };
    assert_eq!(status, STATUS_SUCCESS);
    // SAFETY: the function has made a table.
    let table = unsafe { &*interfaces };
    let row = table.Table[0];
    assert_eq!((table.NumEntries, row.Family, row.Metric, row.Connected), (2, AF_INET6, 5, 1));
    // SAFETY: the table is freed once.
    unsafe { FreeMibTable(interfaces.cast()) };

    set_network(Some(Network::default()));
    assert_eq!(next(), Ok((false, MibParameterNotification)));
    assert_eq!(routes(AF_UNSPEC), Err(STATUS_NOT_FOUND));

    // Nothing is heard of after the end, which comes with the last of two.
    let (other, others) = mpsc::channel();
    let second = registered(&other, true);
    assert_eq!(others.recv_timeout(LONG), Ok((true, MibInitialNotification)));
    // SAFETY: the registration is cancelled once.
    assert_eq!(unsafe { CancelMibChangeNotify2(handle) }, STATUS_SUCCESS);
    set_network(None);
    assert_eq!(others.recv_timeout(LONG), Ok((false, MibParameterNotification)));
    // SAFETY: the registration is cancelled once.
    assert_eq!(unsafe { CancelMibChangeNotify2(second) }, STATUS_SUCCESS);
    // SAFETY: null is refused.
    assert_eq!(unsafe { CancelMibChangeNotify2(ptr::null_mut()) }, STATUS_INVALID_PARAMETER);
    set_network(None);
    assert!(changes.try_recv().is_err() && others.try_recv().is_err());

    // Linux's own has a way to this machine.
    let loopback = IpAddr::from([127, 0, 0, 1]);
    let socket = std::net::UdpSocket::bind((loopback, 0)).unwrap();
    assert!(socket.local_addr().is_ok());
    assert!(routes(AF_INET).is_ok_and(|routes| !routes.is_empty()));
}
