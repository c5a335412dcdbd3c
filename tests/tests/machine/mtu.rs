//! The MTU of the interface may change at any time: packet lengths and padding follow it.

use std::time::{Duration, Instant};

use nt::interface;
use nt::nbl::IpVersion;
use nt_host::edge::capture::Capture;
use nt_host::ndis::{
    Adapter, AdapterOptions, ConfigValue, Tuning, interface_mtu, set_interface_mtu,
};
use nt_host::pool;
use tunic::AdapterState;
use tunic_tests::machine::{End, Loaded, Step, TIMEOUT, alone, boot, connect, wait_until};

/// The padding ends at the MTU of the packet's own version of IP; a packet that is longer than that
/// is sent as it is.
#[test]
fn padding_follows_the_inner_packets_mtu() {
    alone("padding_follows_the_inner_packets_mtu", Duration::from_secs(120), || {
        let loaded = Loaded::load(boot()).expect("the driver loads");
        let (first, second) = (End::new(&loaded, 1), End::new(&loaded, 2));
        connect(&first, &second);
        first.reach(&second);
        // Behind the last packet that was sent to reach it: none is counted below.
        first.carry(&second);
        let luid = first.adapter.luid();
        // A datagram has 32 bytes more than the padded packet.
        assert_datagram(&first, &second, [1410, 1410], [1420 + 32, 1420 + 32]);
        assert_datagram(&first, &second, [1400, 1400], [1408 + 32, 1408 + 32]);

        interface::set_mtu_bytes(luid, IpVersion::V6, 1300).expect("it is set");
        assert_eq!(interface::mtu_bytes(luid, IpVersion::V4).ok(), Some(1420));
        assert_eq!(first.edge.mtu(), None, "the longest packet is as long as before");
        wait_for_mtu(&first, &second, 1297, [1297 + 15, 1300].map(|bytes| bytes + 32));
        assert_datagram(&first, &second, [1410, 1410], [1420 + 32, 1410 + 32]);

        assert!(set_interface_mtu(luid, 8920));
        // Longer than what is known yet, it is sent nevertheless.
        assert_datagram(&first, &second, [8920, 8920], [8920 + 32, 8920 + 32]);
        wait_for_mtu(&first, &second, 8910, [8912 + 32; 2]);
        assert!(set_interface_mtu(luid, 1290));
        wait_for_mtu(&first, &second, 1285, [1290 + 32; 2]);
        assert_eq!(first.discards("no-memory"), 0);

        first.remove(false);
        second.remove(false);
        loaded.unload();
    });
}

/// Where there is no memory for larger buffers, longer packets are lost and counted, and those that
/// fit go on.
#[test]
fn without_memory_packets_of_the_old_mtu_still_pass() {
    alone("without_memory_packets_of_the_old_mtu_still_pass", Duration::from_secs(120), || {
        let loaded = Loaded::load(boot()).expect("the driver loads");
        let (first, second) = (End::new(&loaded, 1), End::new(&loaded, 2));
        connect(&first, &second);
        first.reach(&second);
        assert!(set_interface_mtu(first.adapter.luid(), 8920));
        let mut lost = 0;
        for failing in 1..20 {
            let step = Step::new();
            let [short, long] = [(1000, 1), (8000, 2)].map(|(payload_bytes, fill)| {
                step.packet(first.v4.into(), second.v4.into(), payload_bytes, fill)
            });
            let before = first.discards("no-memory") + second.discards("no-memory");
            pool::fail_allocation(failing);
            let accepted = first.edge.send(&[&long]).expect("the link is up");
            pool::fail_allocation(0);
            assert_eq!(first.edge.send(&[&short]), Ok(1));
            // The short one comes last, as packets stay in order.
            let received = receive_until(&second, &short);
            if accepted == 1 && !received.contains(&long) {
                lost += 1;
                let counted = first.discards("no-memory") + second.discards("no-memory") - before;
                assert_eq!(counted, 1, "allocation {failing}: {:?}", first.all_discards());
            }
            assert_eq!(received.last(), Some(&short), "allocation {failing}");
        }
        assert!(lost > 0, "memory was there all the time");
        first.remove(false);
        second.remove(false);
        loaded.unload();
    });
}

/// An interface that nobody has given an MTU gets the one of the registry, one that has one keeps
/// it.
#[test]
fn a_new_interface_gets_the_mtu_of_the_registry() {
    alone("a_new_interface_gets_the_mtu_of_the_registry", Duration::from_secs(60), || {
        let loaded = Loaded::load(boot()).expect("the driver loads");
        for (mtu, keyword, expected) in
            [(u32::MAX, None, 1420), (u32::MAX, Some(1300), 1300), (1500, Some(1300), 1500)]
        {
            let edge = Capture::new();
            let adapter = add(&loaded, mtu, keyword, &edge);
            let luid = adapter.luid();
            let file = loaded
                .machine()
                .open(GUID_PATH, nt_sys::io::GENERIC_READ | nt_sys::io::GENERIC_WRITE)
                .expect("the adapter opens");
            let control = tunic::Adapter::new(tunic_tests::machine::HostFile(file));
            let known = || control.info().expect("it tells what it is").mtu_bytes;
            let is_set = || interface_mtu(luid) == Some(expected) && known() == expected;
            wait_until(is_set, || format!("{:?} and not {expected}", interface_mtu(luid)));
            for version in [IpVersion::V4, IpVersion::V6] {
                assert_eq!(interface::mtu_bytes(luid, version).ok(), Some(expected));
            }
            // What is then set, stays: also when it is the adapter's own.
            interface::set_mtu_bytes(luid, IpVersion::V4, 65_455).expect("it is set");
            assert!(interface::set_mtu_bytes(luid, IpVersion::V4, 65_456).is_err());
            assert!(interface::set_mtu_bytes(luid, IpVersion::V6, 1279).is_err());
            control.set_state(AdapterState::Up).expect("the adapter comes up");
            assert_eq!(known(), 65_455);
            assert_eq!(interface::mtu_bytes(luid, IpVersion::V4).ok(), Some(65_455));
            drop(control);
            adapter.remove(false);
            assert!(interface::mtu_bytes(luid, IpVersion::V4).is_err(), "no interface any more");
        }
        loaded.unload();
    });
}

/// By the GUID that NDIS gives every adapter.
const GUID_PATH: &str = r"\Device\Tunic\{0A0B0C0D-0E0F-1011-1213-141516171819}";

/// An adapter of this GUID, under a stack with this MTU.
fn add(loaded: &Loaded, mtu: u32, keyword: Option<u32>, edge: &Capture) -> Adapter {
    let keyword = keyword.map(|mtu| ("MTU".to_owned(), ConfigValue::Dword(mtu)));
    let options = AdapterOptions {
        name: "mtu".to_owned(),
        guid: [
            0x0d, 0x0c, 0x0b, 0x0a, 0x0f, 0x0e, 0x11, 0x10, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17,
            0x18, 0x19,
        ],
        if_index: 9,
        net_luid_index: 9,
        mtu,
        configuration: keyword.into_iter().collect(),
        edge: Box::new(edge.clone()),
    };
    Adapter::add_tuned(loaded.miniport(), options, Tuning::default()).expect("the adapter starts")
}

/// Sends an IPv4 and an IPv6 packet of so many bytes, and says how long their datagrams were.
fn datagrams(from: &End, to: &End, bytes: [usize; 2]) -> [u64; 2] {
    let step = Step::new();
    let packets = [
        step.packet(from.v4.into(), to.v4.into(), bytes[0] - 28, 5),
        step.packet(from.v6.into(), to.v6.into(), bytes[1] - 48, 6),
    ];
    packets.map(|packet| {
        let before = from.peer().tx_bytes;
        from.deliver(to, &step, &[packet]);
        from.peer().tx_bytes - before
    })
}

/// What arrives until this packet does.
fn receive_until(end: &End, last: &Vec<u8>) -> Vec<Vec<u8>> {
    let start = Instant::now();
    let mut received = Vec::new();
    while !received.contains(last) {
        assert!(start.elapsed() < TIMEOUT, "{received:?}: {:?}", end.all_discards());
        received.extend(end.edge.wait_for(1, TIMEOUT));
    }
    received
}

fn assert_datagram(from: &End, to: &End, bytes: [usize; 2], expected: [u64; 2]) {
    assert_eq!(datagrams(from, to, bytes), expected, "datagrams of {bytes:?}");
}

/// Waits until packets of so many bytes have datagrams of these lengths.
fn wait_for_mtu(from: &End, to: &End, bytes: usize, expected: [u64; 2]) {
    wait_until(
        || datagrams(from, to, [bytes; 2]) == expected,
        || format!("{:?} and not {expected:?}", datagrams(from, to, [bytes; 2])),
    );
}
