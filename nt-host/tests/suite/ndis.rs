//! NDIS with a correct miniport: its states, OIDs and packets, and real TCP.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::atomic::Ordering;
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use nt_host::driver::Driver;
use nt_host::edge::Edge;
use nt_host::edge::capture::Capture;
use nt_host::edge::memory::{BulkAmount, MemoryStack};
use nt_host::edge::tun::Tun;
use nt_host::machine::Machine;
use nt_host::ndis::{
    Adapter, AdapterOptions, ConfigValue, MdlLayout, MiniportDriver, OidRequest, SendLevel, State,
    TransmitError, Tuning, interface_mtu, set_interface_mtu,
};
use nt_sys::io::{GENERIC_READ, GENERIC_WRITE};
use nt_sys::ndis::*;
use nt_sys::netioapi::{
    GetIpInterfaceEntry, InitializeIpInterfaceEntry, MIB_IPINTERFACE_ROW, SetIpInterfaceEntry,
};
use nt_sys::ntdef::TRUE;
use nt_sys::status::{
    STATUS_ACCESS_DENIED, STATUS_INVALID_PARAMETER, STATUS_NOT_FOUND, STATUS_SUCCESS,
};
use nt_sys::wsk::{AF_INET, AF_INET6};

use crate::machine::{boot, turn};
use crate::miniport;

/// The limit of waits for what must happen.
const LIMIT: Duration = Duration::from_secs(60);

/// The machine with the miniport; one test at a time.
struct Bench {
    machine: Machine,
    driver: Option<Driver>,
    _turn: MutexGuard<'static, ()>,
}

impl Bench {
    fn new() -> Self {
        let turn = turn();
        let machine = boot();
        let driver =
            machine.load_linked("loopback", miniport::driver_entry).expect("the driver loads");
        Self { machine, driver: Some(driver), _turn: turn }
    }

    fn add(&self, name: &str, edge: impl Edge + 'static, tuning: Tuning) -> Adapter {
        let driver = self.driver.as_ref().and_then(|driver| MiniportDriver::of(driver.object()));
        Adapter::add_tuned(driver.expect("it has registered"), options(name, edge), tuning)
            .expect("the adapter starts")
    }

    /// Unloads the driver, which stops the process if anything is left.
    fn end(mut self) {
        let report = self.driver.take().expect("it is loaded").unload_reporting();
        assert_eq!(report.leaks, Vec::<String>::new());
    }
}

fn options(name: &str, edge: impl Edge + 'static) -> AdapterOptions {
    AdapterOptions {
        name: name.to_owned(),
        guid: [7; 16],
        if_index: 9,
        net_luid_index: 0x1234,
        mtu: 1420,
        configuration: vec![("*Answer".to_owned(), ConfigValue::Dword(42))],
        edge: Box::new(edge),
    }
}

/// An IPv4 packet of `bytes` bytes, the last of which is `mark`.
fn packet(bytes: usize, mark: u8) -> Vec<u8> {
    let mut packet: Vec<u8> = (0..bytes).map(|index| index as u8).collect();
    packet[0] = 0x45;
    packet[bytes - 1] = mark;
    packet
}

#[test]
fn packets_pass_in_order_and_intact() {
    let bench = Bench::new();
    for mdl_layout in [MdlLayout::Single, MdlLayout::Pieces(100), MdlLayout::Pieces(1)] {
        for send_level in [SendLevel::Passive, SendLevel::Dispatch, SendLevel::Alternate] {
            let edge = Capture::new();
            let tuning =
                Tuning { mdl_layout, send_level, log_completions: true, ..Tuning::default() };
            let adapter = bench.add("lo", edge.clone(), tuning);
            let packets: Vec<Vec<u8>> =
                [20, 21, 99, 100, 101, 1420].iter().map(|bytes| packet(*bytes, 7)).collect();
            let slices: Vec<&[u8]> = packets.iter().map(Vec::as_slice).collect();
            assert_eq!(edge.send(&slices), Ok(packets.len()));
            assert_eq!(edge.send(&slices[..1]), Ok(1));
            let received = edge.wait_for(packets.len() + 1, LIMIT);
            assert_eq!(received[..packets.len()], packets);
            assert_eq!(edge.indications(), [packets.len(), 1], "one chain for one batch");
            let completions = adapter.completions().take();
            assert!(completions.iter().all(|completion| completion.status == NDIS_STATUS_SUCCESS));
            let bytes: Vec<usize> =
                completions.iter().map(|completion| completion.bytes as usize).collect();
            assert_eq!(bytes, [20, 21, 99, 100, 101, 1420, 20]);
            assert_eq!(adapter.outstanding(), (0, 0));
            adapter.remove(false);
        }
    }
    assert_eq!(miniport::SEND_FLAGS_SEEN.load(Ordering::Relaxed), 0b11, "both levels were used");
    bench.end();
}

#[test]
fn what_is_no_ip_packet_is_not_sent() {
    let bench = Bench::new();
    let edge = Capture::new();
    let adapter = bench.add("lo", edge.clone(), Tuning::default());
    let mut batch = adapter.port().batch();
    assert!(!batch.push(&[]));
    assert!(!batch.push(&[0x15; 40]));
    assert!(!batch.push(&packet(1421, 0)), "longer than the MTU");
    assert!(batch.push(&packet(1420, 0)));
    assert_eq!(adapter.port().transmit(&mut batch), Ok(1));
    drop(batch);
    adapter.remove(false);
    bench.end();
}

#[test]
fn states_follow_pause_restart_and_power() {
    let bench = Bench::new();
    let edge = Capture::new();
    let adapter = bench.add("lo", edge.clone(), Tuning::default());
    assert_eq!(adapter.state(), State::Running);
    assert_eq!(adapter.restart(), Err(NDIS_STATUS_INVALID_STATE));
    adapter.pause().expect("it pauses");
    assert_eq!(adapter.state(), State::Paused);
    assert_eq!(adapter.pause(), Err(NDIS_STATUS_INVALID_STATE));
    assert_eq!(edge.send(&[&packet(100, 1)]), Err(TransmitError::NotRunning));
    miniport::PEND_RESTART.store(true, Ordering::Relaxed);
    adapter.restart().expect("it restarts");
    miniport::PEND_RESTART.store(false, Ordering::Relaxed);
    assert_eq!(edge.send(&[&packet(100, 2)]), Ok(1));
    assert_eq!(edge.wait_for(1, LIMIT), [packet(100, 2)]);
    adapter.sleep().expect("it sleeps");
    assert_eq!(adapter.state(), State::Paused);
    assert_eq!(miniport::DEVICE_STATE.load(Ordering::Relaxed), NdisDeviceStateD3);
    adapter.wake().expect("it wakes");
    assert_eq!(adapter.state(), State::Running);
    assert_eq!(miniport::DEVICE_STATE.load(Ordering::Relaxed), NdisDeviceStateD0);
    let events = || {
        std::mem::take(&mut *miniport::PNP_EVENTS.lock().unwrap_or_else(PoisonError::into_inner))
    };
    events();
    adapter.remove(true);
    assert_eq!(events(), [NdisDevicePnPEventSurpriseRemoved]);
    assert!(edge.port().is_none());
    bench.end();
}

#[test]
fn a_pause_waits_for_what_the_stack_holds() {
    let bench = Bench::new();
    let edge = Capture::new();
    let tuning = Tuning { hold_indications: Some(Duration::from_millis(50)), ..Tuning::default() };
    let adapter = bench.add("lo", edge.clone(), tuning);
    assert_eq!(edge.send(&[&packet(100, 1), &packet(100, 2)]), Ok(2));
    assert_eq!(adapter.outstanding(), (0, 2));
    adapter.pause().expect("it pauses");
    assert_eq!(adapter.outstanding(), (0, 0));
    adapter.remove(false);
    bench.end();
}

#[test]
fn sending_is_bounded_and_goes_on_when_there_is_room() {
    let bench = Bench::new();
    let edge = Capture::new();
    let tuning = Tuning { outstanding_packets: 16, ..Tuning::default() };
    let adapter = bench.add("lo", edge.clone(), tuning);
    // The start of the adapter announced room as well.
    assert!(edge.wait_for_room(Duration::ZERO));
    let port = adapter.port();
    let mut batch = port.batch();
    let mut pushed = 0_u8;
    while batch.push(&packet(64, pushed)) {
        pushed += 1;
    }
    assert_eq!(pushed, 16);
    assert!(!edge.wait_for_room(Duration::ZERO));
    assert_eq!(port.transmit(&mut batch), Ok(16));
    assert!(edge.wait_for_room(LIMIT));
    assert!(batch.push(&packet(64, 1)));
    drop(batch);
    assert_eq!(edge.wait_for(16, LIMIT).len(), 16);
    adapter.remove(false);
    bench.end();
}

#[test]
fn oids_are_answered_by_ndis_or_the_miniport() {
    let bench = Bench::new();
    let edge = Capture::new();
    let adapter = bench.add("lo", edge.clone(), Tuning::default());
    assert_eq!(edge.send(&[&packet(100, 1), &packet(100, 2)]), Ok(2));
    assert_eq!(adapter.statistics().map(|statistics| statistics.ifHCOutUcastPkts), Ok(2));
    let query = |oid| {
        let mut buffer = [0; 4];
        adapter
            .oid(OidRequest::Query { oid, buffer: &mut buffer })
            .map(|_| u32::from_ne_bytes(buffer))
    };
    assert_eq!(query(OID_GEN_VENDOR_ID), Ok(0xff_ffff), "one that pends");
    assert_eq!(query(OID_GEN_CURRENT_LOOKAHEAD), Ok(miniport::DATA_BYTES));
    assert_eq!(
        query(OID_GEN_CURRENT_PACKET_FILTER),
        Ok(NDIS_PACKET_TYPE_DIRECTED | NDIS_PACKET_TYPE_BROADCAST)
    );
    assert_eq!(query(OID_GEN_MEDIA_IN_USE), Ok(NdisMediumIP));
    let short = query(OID_GEN_XMIT_OK).expect_err("the buffer is too short");
    assert_eq!((short.status, short.bytes_needed), (NDIS_STATUS_BUFFER_TOO_SHORT, 8));
    let short = query(OID_GEN_LINK_STATE).expect_err("the buffer is too short");
    assert_eq!((short.status, short.bytes_needed), (NDIS_STATUS_BUFFER_TOO_SHORT, 40));
    assert_eq!(
        query(0x0102_0304).map_err(|failure| failure.status),
        Err(NDIS_STATUS_NOT_SUPPORTED)
    );
    let bad = adapter.oid(OidRequest::Set { oid: OID_GEN_CURRENT_PACKET_FILTER, buffer: &[1, 2] });
    assert_eq!(bad.map_err(|failure| failure.status), Err(NDIS_STATUS_INVALID_LENGTH));
    assert_eq!(miniport::KEYWORD.load(Ordering::Relaxed), 42, "the keyword in the registry");
    adapter.remove(false);
    bench.end();
}

#[test]
fn link_and_mtu_reach_the_edge() {
    let bench = Bench::new();
    let edge = Capture::new();
    let adapter = bench.add("lo", edge.clone(), Tuning::default());
    assert!(edge.wait_for_link(true, Duration::ZERO));
    miniport::indicate_link(0, false);
    assert!(edge.wait_for_link(false, Duration::ZERO));
    assert_eq!(adapter.link_state().MediaConnectState, MediaConnectStateDisconnected);
    assert_eq!(edge.send(&[&packet(100, 1)]), Err(TransmitError::LinkDown));
    miniport::indicate_link(0, true);
    assert_eq!(edge.send(&[&packet(100, 1)]), Ok(1));
    adapter.set_mtu(1500);
    assert_eq!((interface_mtu(adapter.luid()), edge.mtu()), (Some(1500), Some(1500)));
    assert_eq!(edge.send(&[&packet(1500, 1)]), Ok(1), "buffers grow with the MTU");
    assert!(set_interface_mtu(adapter.luid(), 1999));
    assert_eq!((interface_mtu(adapter.luid()), edge.mtu()), (Some(1999), Some(1500)));
    assert_eq!(edge.send(&[&packet(1999, 1)]), Ok(1), "buffers grow with the MTU");
    assert_eq!(edge.take().len(), 3);
    adapter.remove(false);
    bench.end();
}

#[test]
fn drivers_read_and_set_the_mtu_of_an_interface() {
    let bench = Bench::new();
    let edge = Capture::new();
    let adapter = bench.add("lo", edge.clone(), Tuning::default());
    let row = |family, luid, index, mtu| {
        // SAFETY: plain numbers.
        let mut row: MIB_IPINTERFACE_ROW = unsafe { std::mem::zeroed() };
        // SAFETY: a live local.
        unsafe { InitializeIpInterfaceEntry(&raw mut row) };
        (row.Family, row.InterfaceLuid, row.InterfaceIndex, row.NlMtu) = (family, luid, index, mtu);
        row
    };
    let get = |family, luid, index| {
        let mut row = row(family, luid, index, 0);
        // SAFETY: a live local.
        let status = unsafe { GetIpInterfaceEntry(&raw mut row) };
        (status == STATUS_SUCCESS).then_some(row).ok_or(status)
    };
    let set = |mut row: MIB_IPINTERFACE_ROW| {
        // SAFETY: a live local.
        unsafe { SetIpInterfaceEntry(&raw mut row) }
    };
    let luid = adapter.luid();
    for (family, luid, index) in [(AF_INET, luid, 0), (AF_INET6, luid, 77), (AF_INET, 0, 9)] {
        let row = get(family, luid, index).expect("it is there");
        assert_eq!((row.InterfaceLuid, row.InterfaceIndex, row.NlMtu), (adapter.luid(), 9, 1420));
        assert_eq!(row.Connected, TRUE);
    }
    assert_eq!(get(0, luid, 0).err(), Some(STATUS_INVALID_PARAMETER));
    assert_eq!(get(AF_INET, 0, 0).err(), Some(STATUS_INVALID_PARAMETER));
    assert_eq!(get(AF_INET, luid ^ 1 << 30, 0).err(), Some(STATUS_NOT_FOUND));
    assert_eq!(get(AF_INET, 0, 8).err(), Some(STATUS_NOT_FOUND));

    // Each version of IP has its own MTU. The edge is notified of the larger one.
    assert_eq!(set(row(AF_INET6, luid, 0, 1280)), STATUS_SUCCESS);
    assert_eq!(edge.mtu(), None);
    assert_eq!(set(row(AF_INET, luid, 0, 1300)), STATUS_SUCCESS);
    assert_eq!((edge.mtu(), interface_mtu(luid)), (Some(1300), Some(1300)));
    assert_eq!(set(row(AF_INET, luid, 0, 0)), STATUS_SUCCESS);
    for (family, mtu) in [(AF_INET, u32::MAX), (AF_INET6, 1279), (AF_INET, 67)] {
        assert_eq!(set(row(family, luid, 0, mtu)), STATUS_INVALID_PARAMETER, "{mtu}");
    }
    // The row as it was read is not accepted back for IPv4.
    let as_read = get(AF_INET, luid, 0).expect("it is there");
    assert_eq!(set(as_read), STATUS_INVALID_PARAMETER);
    assert_eq!(set(MIB_IPINTERFACE_ROW { SitePrefixLength: 0, ..as_read }), STATUS_SUCCESS);
    let mtu = |family| get(family, luid, 0).map(|row| row.NlMtu);
    assert_eq!((mtu(AF_INET), mtu(AF_INET6)), (Ok(1300), Ok(1280)));
    adapter.remove(false);
    assert_eq!(mtu(AF_INET), Err(STATUS_NOT_FOUND));
    bench.end();
}

#[test]
fn a_device_is_open_to_administrators() {
    let bench = Bench::new();
    let adapter = bench.add("lo", Capture::new(), Tuning::default());
    miniport::device::register_device(0);
    let access = GENERIC_READ | GENERIC_WRITE;
    let refused = bench.machine.open_as(miniport::DEVICE, access, false).map(drop);
    assert_eq!(refused, Err(STATUS_ACCESS_DENIED));
    assert!(bench.machine.open_as(miniport::DEVICE, access, true).is_ok());
    adapter.remove(false);
    bench.end();
}

#[test]
fn characteristics_are_checked() {
    let _bench = Bench::new();
    let register = |change: &dyn Fn(&mut NDIS_MINIPORT_DRIVER_CHARACTERISTICS)| {
        let mut characteristics = miniport::characteristics();
        change(&mut characteristics);
        // SAFETY: all zeros is a value of this type.
        let mut object: nt_sys::io::DRIVER_OBJECT = unsafe { std::mem::zeroed() };
        let mut path = miniport::Utf16::new(r"\Registry\Machine\Nothing").string();
        let mut handle = std::ptr::null_mut();
        // SAFETY: live locals.
        unsafe {
            NdisMRegisterMiniportDriver(
                &raw mut object,
                &raw mut path,
                std::ptr::null_mut(),
                &raw const characteristics,
                &raw mut handle,
            )
        }
    };
    assert_eq!(register(&|it| it.MajorNdisVersion = 5), NDIS_STATUS_BAD_VERSION);
    assert_eq!(register(&|it| it.MinorNdisVersion = 90), NDIS_STATUS_BAD_VERSION);
    assert_eq!(
        register(&|it| it.MinorNdisVersion = 50),
        NDIS_STATUS_BAD_CHARACTERISTICS,
        "revision 3 is newer"
    );
    assert_eq!(register(&|it| it.Header.Size = 152), NDIS_STATUS_BAD_CHARACTERISTICS);
    assert_eq!(register(&|it| it.Header.Type = 1), NDIS_STATUS_BAD_CHARACTERISTICS);
    assert_eq!(register(&|it| it.CancelSendHandler = None), NDIS_STATUS_BAD_CHARACTERISTICS);
    _bench.end();
}

#[test]
fn low_resources_lose_packets_and_nothing_else() {
    let bench = Bench::new();
    let edge = Capture::new();
    let adapter = bench.add("lo", edge.clone(), Tuning::default());
    nt_host::pool::fail_allocation(2);
    assert_eq!(edge.send(&[&packet(100, 1), &packet(100, 2), &packet(100, 3)]), Ok(3));
    assert_eq!(edge.wait_for(2, LIMIT), [packet(100, 1), packet(100, 3)]);
    adapter.remove(false);
    let driver = bench
        .driver
        .as_ref()
        .and_then(|driver| MiniportDriver::of(driver.object()))
        .expect("registered");
    nt_host::pool::fail_allocation(1);
    let failed = Adapter::add(driver, options("lo", Capture::new())).map(drop);
    assert_eq!(failed, Err(NDIS_STATUS_RESOURCES));
    bench.end();
}

/// Linux's own stack, through a TUN interface in a network namespace of this thread, with a stack
/// in memory behind it.
#[test]
fn linux_talks_through_a_tun_device() {
    // SAFETY: only this thread's namespace changes.
    if unsafe { libc::unshare(libc::CLONE_NEWNET) } != 0 {
        require::skip("a TUN device", "needs root", &["run as root".into()]);
        return;
    }
    let bench = Bench::new();
    let tun = Tun::create(Some("loop%d")).expect("a TUN device");
    assert_eq!(tun.name(), "loop0");
    let stack = MemoryStack::new(&[(IpAddr::V4(Ipv4Addr::new(10, 9, 0, 2)), 24)], 1420);
    let outer = bench.add("tun", tun.clone(), Tuning::default());
    let inner = bench.add("stack", stack.clone(), Tuning::default());
    assert_eq!(tun.mtu().ok(), Some(1420));
    assert!(!tun.is_up().expect("it is there"));
    for arguments in ["addr add 10.9.0.1/24 dev loop0", "link set loop0 up"] {
        let status =
            std::process::Command::new("ip").args(arguments.split(' ')).status().expect("ip runs");
        assert!(status.success());
    }
    stack.listen_udp_echo(7).expect("it listens");
    let sink = stack.listen_sink(5001).expect("it listens");
    let socket = std::net::UdpSocket::bind("10.9.0.1:0").expect("an address of the device");
    socket.set_read_timeout(Some(LIMIT)).expect("a timeout");
    for mark in 0..100 {
        socket.send_to(&[mark; 1000], "10.9.0.2:7").expect("it sends");
        let mut answer = [0; 2000];
        let bytes = socket.recv(&mut answer).expect("an answer");
        assert_eq!(&answer[..bytes], [mark; 1000]);
    }
    let mut stream = std::net::TcpStream::connect("10.9.0.2:5001").expect("it connects");
    stream.set_write_timeout(Some(LIMIT)).expect("a timeout");
    stream.set_read_timeout(Some(LIMIT)).expect("a timeout");
    // Not the pattern that the sink expects: it must report and count that.
    std::io::Write::write_all(&mut stream, &vec![0; 3_000_000]).expect("it sends");
    stream.shutdown(std::net::Shutdown::Write).expect("it closes");
    let mut verdict = [0; 16];
    std::io::Read::read_exact(&mut stream, &mut verdict).expect("a verdict");
    assert_eq!(verdict[..8], 3_000_000_u64.to_be_bytes());
    assert_eq!((sink.bytes(), sink.corrupt_connections()), (3_000_000, 1));
    assert_eq!(tun.counters().dropped, 0);
    outer.remove(false);
    inner.remove(false);
    bench.end();
}

#[test]
fn two_stacks_carry_tcp_udp_and_echo() {
    let bench = Bench::new();
    let addresses = |last: u8| {
        [
            (IpAddr::V4(Ipv4Addr::new(10, 0, 0, last)), 24),
            (IpAddr::V6(Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, u16::from(last))), 64),
        ]
    };
    for mdl_layout in [MdlLayout::Single, MdlLayout::Pieces(333)] {
        let (one, two) =
            (MemoryStack::new(&addresses(1), 1420), MemoryStack::new(&addresses(2), 1420));
        let tuning = Tuning { mdl_layout, ..Tuning::default() };
        let (first, second) =
            (bench.add("a", one.clone(), tuning.clone()), bench.add("b", two.clone(), tuning));
        let sink = two.listen_sink(5001).expect("it listens");
        two.listen_udp_echo(7).expect("it listens");
        for (to, _) in addresses(2) {
            let report = one.ping(to, 5, Duration::from_millis(1)).expect("it pings");
            assert_eq!((report.sent, report.lost()), (5, 0), "{to}");
            let report = one.send_bulk(to, 5001, BulkAmount::Bytes(20_000_000)).expect("it sends");
            assert_eq!((report.bytes, report.first_wrong_byte), (20_000_000, None));
            let echo = one.udp_echo(to, 7, 50, 1000, Duration::from_micros(100)).expect("it sends");
            assert_eq!((echo.sent, echo.received, echo.corrupt), (50, 50, 0));
            eprintln!("{mdl_layout:?} {to}: {:.2} Gbit/s", report.bits_per_second() / 1e9);
        }
        assert_eq!(
            (sink.bytes(), sink.connections(), sink.corrupt_connections()),
            (40_000_000, 2, 0)
        );
        let nobody = one.send_bulk(addresses(2)[0].0, 5002, BulkAmount::Bytes(1));
        assert!(nobody.is_err(), "nobody listens there");
        first.remove(false);
        second.remove(false);
        assert!(one.ping(addresses(2)[0].0, 1, Duration::ZERO).is_err(), "the stack is detached");
    }
    bench.end();
}
