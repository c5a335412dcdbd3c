//! What received packets say of their checksums: that they are right, except where the registry wants the stack to look itself.
#![forbid(unsafe_code)]

use std::mem::offset_of;
use std::time::Duration;

use nt_host::ndis::OidRequest;
use nt_sys::ndis::{
    NDIS_OFFLOAD, NDIS_TCP_IP_CHECKSUM_NET_BUFFER_LIST_INFO as Info,
    OID_TCP_OFFLOAD_CURRENT_CONFIG, OID_TCP_OFFLOAD_HARDWARE_CAPABILITIES,
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

/// Sends a packet and tells what it says of its checksums when it arrives.
fn checksums(from: &End, to: &End, packet: &[u8]) -> usize {
    let _ = to.edge.take();
    assert_eq!(from.edge.send(&[packet]), Ok(1));
    assert_eq!(to.edge.wait_for(1, TIMEOUT), [packet]);
    to.edge.checksums()
}

/// The adapter's answer on offloads: all bytes, and behind checksums, of which alone it speaks, they are zeros.
fn offload(end: &End, oid: u32) -> Vec<u8> {
    let mut buffer = vec![0; size_of::<NDIS_OFFLOAD>()];
    let length =
        end.adapter.oid(OidRequest::Query { oid, buffer: &mut buffer }).expect("an answer");
    assert_eq!(length, buffer.len());
    let behind = &buffer[offset_of!(NDIS_OFFLOAD, LsoV1)..];
    assert!(behind.iter().all(|byte| *byte == 0), "{behind:?}");
    buffer
}
