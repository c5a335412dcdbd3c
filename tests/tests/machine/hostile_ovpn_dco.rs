//! Nonsense by ovpn-dco-win's ABI, and the ways in which its own driver failed: each request gets
//! its status, nothing is half done, nothing of the kernel's memory is told, and nobody waits for
//! ever.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use nt_host::{Operation, pool};
use tunic_ioctl::status::{
    STATUS_BUFFER_TOO_SMALL, STATUS_CANCELLED, STATUS_INVALID_ADDRESS, STATUS_INVALID_BUFFER_SIZE,
    STATUS_INVALID_DEVICE_REQUEST, STATUS_INVALID_DEVICE_STATE, STATUS_INVALID_MESSAGE,
    STATUS_INVALID_PARAMETER, STATUS_NOT_FOUND, STATUS_NOT_SUPPORTED, STATUS_OBJECTID_EXISTS,
    STATUS_OBJECTID_NOT_FOUND,
};
use tunic_tests::machine::dco::{self, Dco, DcoKey, crypto_data, ended, iroute, prefix};
use tunic_tests::machine::{self, End, Loaded, alone, boot};
use tunic_tests::random::Random;

const TIME: Duration = Duration::from_secs(120);
const CLIENT: i32 = 7;
const AES_256: DcoKey =
    DcoKey { seed: 0x30, cipher: 1, key_bytes: 32, key_id: 0, slot: 0, is_epoch: false };

/// How requests may end whose peer may be there or not.
const CHURN: [u32; 5] = [
    0,
    STATUS_INVALID_DEVICE_REQUEST,
    STATUS_NOT_FOUND,
    STATUS_OBJECTID_EXISTS,
    STATUS_OBJECTID_NOT_FOUND,
];

/// An adapter that serves, and where.
fn server(loaded: &Loaded) -> (End, Dco, SocketAddr) {
    let end = End::speaking(loaded, 1, "openvpn");
    let dco = Dco(end.file.clone());
    assert_eq!(dco.set(10, &1_u32.to_le_bytes()), 0);
    let at = dco.listen("127.0.0.1:0".parse().unwrap());
    (end, dco, at)
}

fn stranger() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let at = socket.local_addr().expect("an address");
    (socket, at)
}

/// A good request of each code that takes input, of a server that has the peer.
fn requests(remote: SocketAddr) -> Vec<(u32, Vec<u8>)> {
    let peer = CLIENT.to_le_bytes().to_vec();
    let prefix = iroute(CLIENT, "10.1.0.0".parse().unwrap(), 16);
    let vpn4 = Ipv4Addr::new(10, 9, 0, 9);
    vec![
        (3, crypto_data(CLIENT, &AES_256, false)),
        (9, crypto_data(CLIENT, &DcoKey { is_epoch: true, ..AES_256 }, false)),
        (12, dco::mp_new_peer(8, remote, vpn4, Ipv6Addr::UNSPECIFIED)),
        (13, [peer.as_slice(), &[0xff; 12]].concat()),
        (16, peer.clone()),
        (17, prefix.clone()),
        (18, prefix),
        (19, peer),
    ]
}

#[test]
fn nonsense_is_refused_and_changes_nothing() {
    alone("nonsense_is_refused_and_changes_nothing", TIME, || {
        let loaded = Loaded::load(boot()).expect("the driver loads");
        let (end, server, _) = server(&loaded);
        let (_socket, remote) = stranger();
        assert_eq!(server.mp_new_peer(CLIENT, remote, end.v4, end.v6), 0);
        let (_, before) = server.call(19, &[0xff; 4], 400);

        // Truncated by whatever, also to nothing.
        for (number, input) in requests(remote) {
            for length in 0..input.len() {
                let status = server.set(number, &input[..length]);
                assert_eq!(status, STATUS_BUFFER_TOO_SMALL, "{number} of {length} bytes");
            }
        }
        for (number, size) in [(1, 60), (5, 12), (10, 4), (11, 32), (15, 4)] {
            let status = server.set(number, &vec![1; size - 1]);
            assert_eq!(status, STATUS_BUFFER_TOO_SMALL, "{number}");
        }
        // Answers that don't fit.
        for (number, input, size) in
            [(2, &[][..], 64), (8, &[], 12), (14, &[], 144), (19, &[7, 0, 0, 0], 40)]
        {
            let (status, answer) = server.call(number, input, size - 1);
            assert_eq!((status, answer.len()), (STATUS_BUFFER_TOO_SMALL, 0), "{number}");
        }
        // Codes that there are not, and methods that they don't have.
        for number in [0, 20, 21, 0x800, 0xfff] {
            assert_eq!(server.call(number, &[0; 200], 200).0, STATUS_INVALID_DEVICE_REQUEST);
        }
        for code in [0x0022_0005_u32, 0x0022_000a, 0x0022_0013, 0x0022_4004] {
            let (status, _) = server.0.ioctl(code, &[0; 200], &mut [0; 200]);
            assert_eq!(status.cast_unsigned(), STATUS_INVALID_DEVICE_REQUEST, "{code:#x}");
        }
        // Values out of range.
        let with = |number: u32, offset: usize, value: &[u8]| {
            let requests = requests(remote);
            let (_, input) = requests.iter().find(|(known, _)| *known == number).unwrap();
            let mut input = input.clone();
            input[offset..offset + value.len()].copy_from_slice(value);
            server.set(number, &input)
        };
        let device_request = STATUS_INVALID_DEVICE_REQUEST;
        for (number, offset, value, expected) in [
            (3, 84, &[2][..], device_request),
            (3, 88, &[0], device_request),
            (3, 88, &[9], device_request),
            (3, 32, &[33], device_request),
            (3, 73, &[255], device_request),
            (3, 32, &[31], STATUS_INVALID_PARAMETER),
            (3, 92, &[8], STATUS_INVALID_PARAMETER),
            (12, 0, &[9], device_request),
            (12, 28, &[0], device_request),
            (12, 76, &[0xff; 4], STATUS_INVALID_PARAMETER),
            (12, 76, &[0, 0, 0, 1], STATUS_INVALID_PARAMETER),
            (13, 4, &[0xfe, 0xff, 0xff, 0xff], STATUS_INVALID_PARAMETER),
            (13, 12, &[0, 0, 1, 0], STATUS_INVALID_PARAMETER),
            (17, 16, &[33], STATUS_INVALID_PARAMETER),
            (17, 16, &[0xff; 4], STATUS_INVALID_PARAMETER),
        ] {
            assert_eq!(with(number, offset, value), expected, "{number}: {value:?} at {offset}");
        }
        assert_eq!(server.set(10, &2_u32.to_le_bytes()), STATUS_INVALID_PARAMETER);
        let (_, after) = server.call(19, &[0xff; 4], 400);
        assert_eq!(before, after, "nothing has changed");
        // Oversized is right.
        for (number, input) in requests(remote) {
            let longer = [input.as_slice(), &[0xff; 4000]].concat();
            assert_eq!(server.call(number, &longer, 40).0, 0, "{number}");
        }
        drop(server);
        end.remove(false);
        loaded.unload();
    });
}

#[test]
fn reads_and_writes_of_nonsense_are_refused() {
    alone("reads_and_writes_of_nonsense_are_refused", TIME, || {
        let loaded = Loaded::load(boot()).expect("the driver loads");
        let client = End::speaking(&loaded, 2, "openvpn");
        let to_server = Dco(client.file.clone());
        assert_eq!(to_server.write(None, b"\x38x"), (STATUS_INVALID_DEVICE_STATE, 0), "no socket");
        assert_eq!(
            to_server.set(1, &dco::new_peer("127.0.0.1:9".parse().unwrap(), 2)),
            STATUS_INVALID_DEVICE_REQUEST
        );
        assert_eq!(
            to_server.set(1, &dco::new_peer("127.0.0.1:9".parse().unwrap(), 1)),
            STATUS_NOT_SUPPORTED
        );
        let (end, server, at) = server(&loaded);
        assert_eq!(to_server.new_peer(at), 0);
        // In point-to-point mode nothing stands before a datagram.
        assert_eq!(to_server.write(None, &[]).0, STATUS_INVALID_MESSAGE);
        assert_eq!(to_server.write(None, &[0x38; 1501]).0, STATUS_INVALID_BUFFER_SIZE);
        assert_eq!(to_server.write(None, &[0x38; 1500]), (0, 1500));
        let (from, data) = server.mp_read();
        assert_eq!(data.len(), 1500);
        // In multi-peer mode an address does.
        let raw = |data: &[u8]| server.write(None, data).0;
        for short in 0..16 {
            assert_eq!(raw(&prefix(from)[..short]), STATUS_INVALID_ADDRESS, "{short}");
        }
        assert_eq!(raw(&prefix(from)), STATUS_INVALID_MESSAGE);
        assert_eq!(raw(&[&[10, 0][..], &[1; 60]].concat()), STATUS_INVALID_ADDRESS);
        assert_eq!(server.write(Some(from), &[0x38; 1501]).0, STATUS_INVALID_BUFFER_SIZE);
        assert_eq!(server.write(Some(from), &[0x38; 1500]), (0, 1516));
        // A read without enough room loses its datagram, and that one alone.
        let short = server_reads(&to_server, 1499);
        assert_eq!(short, (STATUS_BUFFER_TOO_SMALL, Vec::new()));
        assert_eq!(server.write(Some(from), b"\x40next"), (0, 16 + 5));
        assert_eq!(to_server.read(), b"\x40next");
        // Many at once are all sent, with no more memory than some of them take.
        let (blocks, _) = pool::usage();
        for _ in 0..5000 {
            assert_eq!(server.write(Some(from), &[0x20; 1400]), (0, 1416));
        }
        let now = || pool::usage().0;
        assert!(now() < blocks + 3000, "{} blocks were {blocks}", now());
        drop((to_server, server));
        client.remove(false);
        end.remove(false);
        loaded.unload();
    });
}

fn server_reads(dco: &Dco, bytes: usize) -> dco::Answer {
    ended(&dco.0.start(Operation::Read { bytes }))
}

#[test]
fn datagrams_to_itself_neither_block_nor_get_lost() {
    alone("datagrams_to_itself_neither_block_nor_get_lost", TIME, || {
        let loaded = Loaded::load(boot()).expect("the driver loads");
        let (end, server, at) = server(&loaded);
        // A peer at our own address, with a key: what is sealed for it comes back to us.
        assert_eq!(server.mp_new_peer(CLIENT, at, end.v4, end.v6), 0);
        assert_eq!(server.new_key(CLIENT, &AES_256, true), 0);
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|thread| {
                    let (server, end) = (&server, &end);
                    scope.spawn(move || {
                        for round in 0..300_u16 {
                            let data = [&[0x28, thread][..], &round.to_le_bytes()].concat();
                            let read = server.start_read();
                            assert_eq!(server.write(Some(at), &data), (0, 16 + 4));
                            let (status, datagram) = ended(&read);
                            assert_eq!((status, datagram.len()), (0, 20));
                            end.offer(&end.packet(end, 100, thread), 1);
                        }
                    })
                })
                .collect();
            for thread in threads {
                thread.join().expect("it ends");
            }
        });
        drop(server);
        end.remove(false);
        loaded.unload();
    });
}

#[test]
fn a_reader_is_never_one_datagram_behind() {
    alone("a_reader_is_never_one_datagram_behind", TIME, || {
        let loaded = Loaded::load(boot()).expect("the driver loads");
        let (end, server, at) = server(&loaded);
        let (socket, from) = stranger();
        for round in 0..3000_u32 {
            let data = [&[0x38][..], &round.to_le_bytes()].concat();
            // The datagram comes while the read is on its way, before or behind it.
            let received = std::thread::scope(|scope| {
                let reading = scope.spawn(|| server.mp_read());
                socket.send_to(&data, at).expect("it is sent");
                reading.join().expect("it is read")
            });
            assert_eq!(received, (from, data));
        }
        drop(server);
        end.remove(false);
        loaded.unload();
    });
}

#[test]
fn nine_threads_on_a_handle_with_datagrams_arriving() {
    alone("nine_threads_on_a_handle_with_datagrams_arriving", TIME, || {
        const ROUNDS: usize = 400;
        let loaded = Loaded::load(boot()).expect("the driver loads");
        let (end, server, at) = server(&loaded);
        let is_over = AtomicBool::new(false);
        let busy = AtomicUsize::new(9);
        std::thread::scope(|scope| {
            for thread in 0..9_u8 {
                let (server, end, busy) = (&server, &end, &busy);
                scope.spawn(move || {
                    churn(server, end, at, thread, ROUNDS);
                    busy.fetch_sub(1, Ordering::SeqCst);
                });
            }
            // Control datagrams, data of peers that there are and are not, and less than a header.
            scope.spawn(|| {
                let (socket, _) = stranger();
                let mut random = Random::new(5);
                while !is_over.load(Ordering::SeqCst) {
                    let length = random.below(200);
                    let mut data = vec![0; length];
                    random.fill(&mut data);
                    if random.below(2) == 0 && length > 4 {
                        data[..4].copy_from_slice(&[0x48, 0, 0, byte(&mut random) % 10]);
                    }
                    let _ = socket.send_to(&data, at);
                }
            });
            machine::wait_until(
                || busy.load(Ordering::SeqCst) == 0,
                || format!("{} threads still run", busy.load(Ordering::SeqCst)),
            );
            is_over.store(true, Ordering::SeqCst);
        });
        // It works as before.
        let (socket, from) = stranger();
        assert_eq!(server.set(7, &[]), 0);
        assert_eq!(server.set(10, &1_u32.to_le_bytes()), 0);
        let at = server.listen("127.0.0.1:0".parse().unwrap());
        socket.send_to(b"\x38hello", at).expect("it is sent");
        assert_eq!(server.mp_read(), (from, b"\x38hello".to_vec()));
        drop(server);
        end.remove(false);
        loaded.unload();
    });
}

fn byte(random: &mut Random) -> u8 {
    random.next().to_be_bytes()[0]
}

/// What one of the nine threads does: whatever the state of peers, each request ends with a status
/// that it may have.
fn churn(server: &Dco, end: &End, at: SocketAddr, thread: u8, rounds: usize) {
    let mut random = Random::new(u64::from(thread) + 1);
    let mut pending = Vec::new();
    for _ in 0..rounds {
        let peer = i32::from(byte(&mut random) % 10);
        let vpn4 = Ipv4Addr::new(10, 9, 0, byte(&mut random) % 10);
        let remote = (Ipv4Addr::LOCALHOST, 2000 + u16::from(byte(&mut random) % 10)).into();
        let status = match random.below(11) {
            0 => server.mp_new_peer(peer, remote, vpn4, Ipv6Addr::UNSPECIFIED),
            1 => server.set(15, &peer.to_le_bytes()),
            2 => server.new_key(peer, &AES_256, false),
            3 => server.new_key(peer, &DcoKey { is_epoch: true, slot: 1, ..AES_256 }, false),
            4 => server.set(16, &peer.to_le_bytes()),
            5 => server.mp_set_peer(peer, Some(1), Some(60)),
            6 => {
                let prefix = Ipv4Addr::new(10, byte(&mut random) % 4, 0, 0).into();
                server.iroute(17 + u32::from(byte(&mut random) % 2), peer, prefix, 16)
            }
            7 => {
                let (status, all) = server.call(19, &[0xff; 4], 4000);
                let holes = all.chunks(40).all(|peer| peer[4..8] == [0; 4]);
                assert!(holes && all.len() % 40 == 0, "a hole holds something");
                status
            }
            8 => server.write(Some(at), &[0x28; 50]).0,
            9 => {
                pending.push(server.start_read());
                pending.push(server.start_notify());
                0
            }
            _ => {
                end.offer(&end.packet(end, 100, thread), 4);
                0
            }
        };
        assert!(CHURN.contains(&status), "{status:#x}");
        if pending.len() > 8 {
            for request in pending.drain(..4) {
                request.cancel();
            }
        }
    }
    for request in pending {
        request.cancel();
        let (status, _) = ended(&request);
        assert!(status == 0 || status == STATUS_CANCELLED, "{status:#x}");
    }
}

#[test]
fn all_that_waits_ends_when_the_handle_closes_or_stops() {
    alone("all_that_waits_ends_when_the_handle_closes_or_stops", TIME, || {
        let loaded = Loaded::load(boot()).expect("the driver loads");
        let end = End::speaking(&loaded, 1, "openvpn");
        // The adapter belongs to the handle that uses it.
        for round in 0..50 {
            let dco = Dco(loaded.open("end1").expect("it is free"));
            assert_eq!(dco.set(10, &1_u32.to_le_bytes()), 0);
            let at = dco.listen("127.0.0.1:0".parse().unwrap());
            assert_eq!(dco.mp_new_peer(CLIENT, at, end.v4, end.v6), 0);
            assert_eq!(dco.new_key(CLIENT, &AES_256, false), 0);
            let mut waiting: Vec<_> = (0..20).map(|_| dco.start_read()).collect();
            waiting.extend((0..20).map(|_| dco.start_notify()));
            // Against what arrives and what is sent at that moment.
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    let (socket, _) = stranger();
                    for _ in 0..30 {
                        let _ = socket.send_to(&[0x38; 30], at);
                        end.offer(&end.packet(&end, 50, 1), 1);
                    }
                });
                if round % 2 == 0 {
                    assert_eq!(dco.set(7, &[]), 0);
                }
                drop(dco);
            });
            for request in waiting {
                let (status, _) = ended(&request);
                assert!(status == 0 || status == STATUS_CANCELLED, "{status:#x}");
            }
        }
        end.remove(false);
        loaded.unload();
    });
}
