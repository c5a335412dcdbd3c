//! What received packets say of their checksums: that they are right, except where the registry
//! wants the stack to look itself.

use std::mem::offset_of;
use std::time::Duration;

use nt_host::ndis::OidRequest;
use nt_sys::ndis::{
    NDIS_OFFLOAD, NDIS_OFFLOAD_ENCAPSULATION, NDIS_OFFLOAD_PARAMETERS, NDIS_STATUS_INVALID_DATA,
    NDIS_STATUS_INVALID_LENGTH, NDIS_STATUS_INVALID_PARAMETER,
    NDIS_TCP_IP_CHECKSUM_NET_BUFFER_LIST_INFO as Info, OID_OFFLOAD_ENCAPSULATION,
    OID_TCP_OFFLOAD_CURRENT_CONFIG, OID_TCP_OFFLOAD_HARDWARE_CAPABILITIES,
    OID_TCP_OFFLOAD_PARAMETERS,
};
use tunic_tests::machine::{End, Loaded, Setup, alone, boot, connect};

const TIME: Duration = Duration::from_secs(60);
const TIMEOUT: Duration = Duration::from_secs(20);

const IP: usize = Info::RECEIVE_IP_CHECKSUM_SUCCEEDED;
const TCP: usize = Info::RECEIVE_TCP_CHECKSUM_SUCCEEDED;
const UDP: usize = Info::RECEIVE_UDP_CHECKSUM_SUCCEEDED;

#[test]
fn received_checksums_are_right_where_the_registry_does_not_object() {
    alone("received_checksums_are_right_where_the_registry_does_not_object", TIME, || {
        let loaded = Loaded::load(boot()).expect("it loads");
        let sender = End::new(&loaded, 1);
        let with =
            |number, keywords| End::create(&loaded, &Setup { keywords, ..Setup::new(number) });
        let plain = with(2, &[]);
        let choosy = with(3, &[("*IPChecksumOffloadIPv4", "0"), ("*TCPChecksumOffloadIPv6", "1")]);
        for (receiver, v4, v6) in [(&plain, IP | TCP | UDP, TCP | UDP), (&choosy, TCP | UDP, UDP)] {
            connect(&sender, receiver);
            assert_eq!(checksums(&sender, receiver, &sender.packet(receiver, 100, 1)), v4);
            assert_eq!(checksums(&sender, receiver, &sender.packet6(receiver, 100, 2)), v6);
        }
        // The adapter says the same of itself, and still what it could.
        let capabilities = offload(&choosy, OID_TCP_OFFLOAD_HARDWARE_CAPABILITIES);
        assert_eq!(offload(&plain, OID_TCP_OFFLOAD_CURRENT_CONFIG), capabilities);
        assert_ne!(offload(&choosy, OID_TCP_OFFLOAD_CURRENT_CONFIG), capabilities);
        drop((sender, plain, choosy));
        loaded.unload();
    });
}

#[test]
fn the_stack_changes_offloads_while_the_adapter_runs() {
    alone("the_stack_changes_offloads_while_the_adapter_runs", TIME, || {
        let loaded = Loaded::load(boot()).expect("it loads");
        let [sender, receiver] = [1, 2].map(|number| End::new(&loaded, number));
        connect(&sender, &receiver);
        let mut number = 0;
        let mut expect = |v4, v6| {
            number += 2;
            let v4_packet = sender.packet(&receiver, 100, number);
            assert_eq!(checksums(&sender, &receiver, &v4_packet), v4);
            let v6_packet = sender.packet6(&receiver, 100, number + 1);
            assert_eq!(checksums(&sender, &receiver, &v6_packet), v6);
        };
        let set = |oid, buffer: &[u8]| {
            let order = OidRequest::Set { oid, buffer };
            receiver.adapter.oid(order).map_or_else(|failure| failure.status, |_| 0)
        };
        let now = || offload(&receiver, OID_TCP_OFFLOAD_CURRENT_CONFIG);
        let whole = now();
        expect(IP | TCP | UDP, TCP | UDP);

        // UDP over IPv4 off, TCP over IPv6 off for what is received; the rest stays.
        let change = |fields: &[(usize, u8)]| {
            let mut bytes = vec![0; size_of::<NDIS_OFFLOAD_PARAMETERS>()];
            bytes[..4].copy_from_slice(&[0x80, 5, 34, 0]);
            for (offset, value) in fields {
                bytes[*offset] = *value;
            }
            bytes
        };
        let udp4 = offset_of!(NDIS_OFFLOAD_PARAMETERS, UDPIPv4Checksum);
        let tcp6 = offset_of!(NDIS_OFFLOAD_PARAMETERS, TCPIPv6Checksum);
        let lso = offset_of!(NDIS_OFFLOAD_PARAMETERS, LsoV2IPv4);
        assert_eq!(set(OID_TCP_OFFLOAD_PARAMETERS, &change(&[(udp4, 1), (tcp6, 2)])), 0);
        expect(IP | TCP, UDP);
        let part = now();
        assert_ne!(part, whole);

        // What is no such struct, no such value, or turns on what there is not, changes nothing.
        let good = change(&[(udp4, 3), (tcp6, 4)]);
        for length in 0..20 {
            assert_eq!(
                set(OID_TCP_OFFLOAD_PARAMETERS, &good[..length]),
                NDIS_STATUS_INVALID_LENGTH
            );
        }
        for bad in [
            change(&[(udp4, 3), (tcp6, 5)]),
            change(&[(udp4, 3), (lso, 2)]),
            change(&[(udp4, 3), (0, 0xa7)]),
            change(&[(udp4, 3), (1, 0)]),
            change(&[(udp4, 3), (2, 19)]),
            change(&[(udp4, 3), (2, 200)]),
        ] {
            assert_eq!(set(OID_TCP_OFFLOAD_PARAMETERS, &bad), NDIS_STATUS_INVALID_DATA, "{bad:?}");
        }
        assert_eq!(now(), part);
        expect(IP | TCP, UDP);

        // The first revision's 20 bytes are enough.
        let mut first = good[..20].to_vec();
        first[1..3].copy_from_slice(&[1, 20]);
        assert_eq!(set(OID_TCP_OFFLOAD_PARAMETERS, &first), 0);
        expect(IP | TCP | UDP, TCP | UDP);
        assert_eq!(now(), whole);

        // All of one version of IP off and on. Ethernet's encapsulation is none that the adapter
        // has.
        let switch = |ipv4: [u32; 3], ipv6: [u32; 3]| {
            let mut bytes = vec![0xa8, 1, 28, 0];
            bytes.extend(ipv4.iter().chain(&ipv6).flat_map(|field| field.to_ne_bytes()));
            assert_eq!(bytes.len(), size_of::<NDIS_OFFLOAD_ENCAPSULATION>());
            bytes
        };
        assert_eq!(set(OID_OFFLOAD_ENCAPSULATION, &switch([2, 0, 0], [0; 3])), 0);
        expect(0, TCP | UDP);
        assert_ne!(now(), whole);
        let ethernet = switch([1, 2, 14], [2, 0, 0]);
        assert_eq!(set(OID_OFFLOAD_ENCAPSULATION, &ethernet), NDIS_STATUS_INVALID_PARAMETER);
        assert_eq!(
            set(OID_OFFLOAD_ENCAPSULATION, &switch([3, 1, 0], [0; 3])),
            NDIS_STATUS_INVALID_DATA
        );
        expect(0, TCP | UDP);
        assert_eq!(set(OID_OFFLOAD_ENCAPSULATION, &switch([1, 1, 0], [0; 3])), 0);
        expect(IP | TCP | UDP, TCP | UDP);
        assert_eq!(now(), whole);
        drop((sender, receiver));
        loaded.unload();
    });
}

/// Sends a packet and tells what it says of its checksums when it arrives.
fn checksums(from: &End, to: &End, packet: &[u8]) -> usize {
    let _ = to.edge.take();
    assert_eq!(from.edge.send(&[packet]), Ok(1));
    assert_eq!(to.edge.wait_for(1, TIMEOUT), [packet]);
    to.edge.checksums()
}

/// The adapter's answer on offloads: all bytes, and behind checksums, of which alone it speaks,
/// they are zeros.
fn offload(end: &End, oid: u32) -> Vec<u8> {
    let mut buffer = vec![0; size_of::<NDIS_OFFLOAD>()];
    let length =
        end.adapter.oid(OidRequest::Query { oid, buffer: &mut buffer }).expect("an answer");
    assert_eq!(length, buffer.len());
    let behind = &buffer[offset_of!(NDIS_OFFLOAD, LsoV1)..];
    assert!(behind.iter().all(|byte| *byte == 0), "{behind:?}");
    buffer
}
