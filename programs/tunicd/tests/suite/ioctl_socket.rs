//! The SDK's socket, as the SDK and other clients see it.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::directory::Directory;
use crate::memory::MemoryDriver;
use tunic::status::{STATUS_ACCESS_DENIED, STATUS_CANCELLED, STATUS_INVALID_DEVICE_REQUEST};
use tunic::{
    Adapter, AdapterState, AllowedIp, AllowedIpChange, ConfigurationChange, Error, Key,
    OverlappedTransport, PeerChange, PendingRequest, Request, UnixTransport,
};
use tunic_ioctl::frame::{MAX_REQUESTS, Operation, RequestHeader};
use tunicd::ioctl_socket;

#[test]
fn the_sdk_reaches_the_driver() {
    let directory = Directory::new("sdk");
    let path = directory.0.join("wg0.sock");
    let _server = ioctl_socket::serve(&path, Arc::new(MemoryDriver::default())).unwrap();
    let adapter = Adapter::new(UnixTransport::connect(&path).unwrap());
    let key = Key::generate_private().unwrap();
    let mut peer = PeerChange::new(Key::from_bytes([1; 32]));
    let networks: Vec<AllowedIp> =
        (0..=255).map(|byte| format!("10.{byte}.0.0/16").parse().unwrap()).collect();
    peer.allowed_ips.extend(networks.iter().copied().map(AllowedIpChange::from));
    adapter
        .set_configuration(&ConfigurationChange {
            private_key: Some(Some(key.clone())),
            listen_port: Some(51820),
            peers: vec![peer],
            ..ConfigurationChange::default()
        })
        .unwrap();
    let configuration = adapter.configuration().unwrap();
    assert_eq!(configuration.listen_port, Some(51820));
    assert!(configuration.public_key == Some(key.public()));
    assert_eq!(configuration.peers.len(), 1);
    assert_eq!(configuration.peers[0].allowed_ips, networks);
    assert!(matches!(
        adapter.set_timer_scale(1),
        Err(Error::Refused(STATUS_INVALID_DEVICE_REQUEST))
    ));
    adapter.set_state(AdapterState::Up).unwrap();
    assert_eq!(adapter.state().unwrap(), AdapterState::Up);
}

#[test]
fn malformed_frames_end_the_connection() {
    let directory = Directory::new("frames");
    let path = directory.0.join("wg0.sock");
    let _server = ioctl_socket::serve(&path, Arc::new(MemoryDriver::default())).unwrap();
    let ended = |bytes: &[u8], path: &Path| {
        let mut stream = UnixStream::connect(path).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.write_all(bytes).unwrap();
        match stream.read_to_end(&mut Vec::new()) {
            Ok(_) => true,
            Err(error) => error.kind() == ErrorKind::ConnectionReset,
        }
    };
    assert!(ended(&[0; RequestHeader::SIZE], &path));
    let read = RequestHeader { id: 1, operation: Operation::Read, input_bytes: 0, output_bytes: 9 };
    for (offset, value) in [(3, 0x31), (4, 5), (8, 0), (20, 1), (27, 0xFF), (28, 1)] {
        let mut bytes = read.encode();
        bytes[offset] = value;
        assert!(ended(&bytes, &path), "{value} at {offset}");
    }
    assert!(ended(&[read.encode(), read.encode()].concat(), &path), "an id that is in use");
    let many: Vec<u8> = (1..=MAX_REQUESTS as u64 + 1)
        .flat_map(|id| RequestHeader { id, ..read }.encode())
        .collect();
    assert!(ended(&many, &path), "more requests than may be");
}

#[test]
fn a_file_that_does_not_open_is_told() {
    let directory = Directory::new("locked");
    let path = directory.0.join("wg0.sock");
    let driver = MemoryDriver::default();
    driver.lock();
    let _server = ioctl_socket::serve(&path, Arc::new(driver)).unwrap();
    assert!(matches!(UnixTransport::connect(&path), Err(Error::Refused(STATUS_ACCESS_DENIED))));
}

#[test]
fn requests_wait_while_others_go_by_and_end_when_they_are_cancelled() {
    let directory = Directory::new("overlapped");
    let path = directory.0.join("wg0.sock");
    let _server = ioctl_socket::serve(&path, Arc::new(MemoryDriver::default())).unwrap();
    let transport = UnixTransport::connect(&path).unwrap();
    let mut first = transport.start(&Request::Read { bytes: 100 }).unwrap();
    let mut second = transport.start(&Request::Read { bytes: 100 }).unwrap();
    assert!(first.wait(Some(Duration::from_millis(1))).unwrap().is_none());
    let write = |data: &[u8]| {
        transport.start(&Request::Write { data }).unwrap().wait(None).unwrap().unwrap().reply
    };
    assert_eq!(write(b"one").information, 3);
    assert_eq!(*first.wait(None).unwrap().unwrap().data, b"one");
    assert!(first.wait(None).is_err(), "there is one answer");
    second.cancel().unwrap();
    let completion = second.wait(None).unwrap().unwrap();
    assert_eq!((completion.reply.status, completion.data.len()), (STATUS_CANCELLED, 0));
    // What is dropped doesn't take what comes.
    drop(transport.start(&Request::Read { bytes: 100 }).unwrap());
    write(b"two");
    let mut last = transport.start(&Request::Read { bytes: 100 }).unwrap();
    assert_eq!(*last.wait(None).unwrap().unwrap().data, b"two");
}

#[test]
fn nine_threads_share_a_connection() {
    const ROUNDS: usize = 200;
    let directory = Directory::new("threads");
    let path = directory.0.join("wg0.sock");
    let _server = ioctl_socket::serve(&path, Arc::new(MemoryDriver::default())).unwrap();
    let transport = Arc::new(UnixTransport::connect(&path).unwrap());
    let adapter = Adapter::new(Arc::clone(&transport));
    adapter.set_state(AdapterState::Up).unwrap();
    thread::scope(|scope| {
        let readers: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    let read = |_| {
                        let mut pending = transport.start(&Request::Read { bytes: 100 }).unwrap();
                        pending.wait(None).unwrap().unwrap().data.to_vec()
                    };
                    (0..ROUNDS).map(read).collect::<Vec<_>>()
                })
            })
            .collect();
        for writer in 0..3 {
            let transport = &transport;
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    let data = format!("{writer} {round}").into_bytes();
                    let mut pending = transport.start(&Request::Write { data: &data }).unwrap();
                    assert!(pending.wait(None).unwrap().unwrap().reply.is_success());
                }
            });
        }
        for _ in 0..3 {
            scope.spawn(|| {
                for _ in 0..ROUNDS {
                    assert_eq!(adapter.state().unwrap(), AdapterState::Up);
                }
            });
        }
        let mut read: Vec<_> =
            readers.into_iter().flat_map(|reader| reader.join().unwrap()).collect();
        read.sort();
        read.dedup();
        assert_eq!(read.len(), 3 * ROUNDS, "each datagram is read once");
    });
}

#[test]
fn what_waits_ends_with_either_side() {
    let directory = Directory::new("ends");
    let path = directory.0.join("wg0.sock");
    let driver = Arc::new(MemoryDriver::default());
    let server = ioctl_socket::serve(&path, Arc::clone(&driver) as _).unwrap();
    let read = |transport: &UnixTransport| transport.start(&Request::Read { bytes: 1 }).unwrap();
    let transport = UnixTransport::connect(&path).unwrap();
    let mut pending: Box<dyn PendingRequest> = read(&transport);
    drop(transport);
    assert!(pending.wait(None).is_err(), "by its client's end");
    let transport = UnixTransport::connect(&path).unwrap();
    let mut pending = read(&transport);
    drop(server);
    assert!(pending.wait(None).is_err(), "by the server's end");
    assert!(transport.start(&Request::Read { bytes: 1 }).is_err());
    assert_eq!(Arc::strong_count(&driver), 1, "nothing of it is left behind");
}
