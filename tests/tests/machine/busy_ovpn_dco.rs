//! ovpn-dco-win's ABI under load: writes that wait for their turn, peers by the hundred, modes that
//! change under nine threads.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, mpsc};
use std::time::Duration;

use nt_host::{CompletionPort, Operation, pool};
use tunic_ioctl::status::{
    STATUS_ACCESS_DENIED, STATUS_BUFFER_OVERFLOW, STATUS_CANCELLED, STATUS_INVALID_DEVICE_STATE,
    STATUS_NOT_FOUND,
};
use tunic_tests::machine::dco::{Dco, DcoKey, Notice, code, ended, prefix};
use tunic_tests::machine::{self, End, Loaded, alone, boot};
use tunic_tests::random::Random;

const TIME: Duration = Duration::from_secs(120);
const KEY: DcoKey =
    DcoKey { seed: 0x30, cipher: 1, key_bytes: 32, key_id: 0, slot: 0, is_epoch: false };
const NOWHERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9);
const DELETED_BY_USERSPACE: u32 = 1;

/// An adapter that serves, and where.
fn serve(end: &End) -> (Dco, SocketAddr) {
    let dco = Dco(end.file.clone());
    assert_eq!(dco.set(10, &1_u32.to_le_bytes()), 0);
    let at = dco.listen("127.0.0.1:0".parse().unwrap());
    (dco, at)
}

#[test]
fn writes_wait_for_their_turn_and_end() {
    alone("writes_wait_for_their_turn_and_end", TIME, || {
        let loaded = Loaded::load(boot()).expect("the driver loads");
        let end = End::speaking(&loaded, 1, "openvpn");
        let (server, _) = serve(&end);
        let datagram = [&prefix(NOWHERE)[..], &[0x38; 1400]].concat();
        let write = || server.0.start(Operation::Write { data: &datagram });
        let writes: Vec<_> = (0..2000).map(|_| write()).collect();
        for pending in &writes {
            let completed = pending.wait(Some(machine::TIMEOUT)).expect("it ends");
            assert_eq!((completed.status, completed.information), (0, datagram.len()));
        }
        let (_, statistics) = server.call(2, &[], 64);
        assert_eq!(statistics[24..28], 2000_u32.to_le_bytes(), "all were sent");
        // Stopped in the midst of them, each ends all the same.
        for _ in 0..20 {
            let writes: Vec<_> = std::thread::scope(|scope| {
                let writing = scope.spawn(|| (0..200).map(|_| write()).collect());
                assert_eq!(server.set(7, &[]), 0);
                writing.join().expect("it has written")
            });
            for pending in &writes {
                let (status, _) = ended(pending);
                let expected = [0, STATUS_CANCELLED, STATUS_INVALID_DEVICE_STATE];
                assert!(expected.contains(&status), "{status:#x}");
            }
            let _ = serve(&end);
        }
        drop(server);
        end.remove(false);
        loaded.unload();
    });
}

#[test]
fn writes_end_in_their_order_whoever_sends_them() {
    alone("writes_end_in_their_order_whoever_sends_them", TIME, || {
        const WRITERS: u64 = 4;
        const EACH: u64 = 2000;
        let loaded = Loaded::load(boot()).expect("the driver loads");
        let end = End::speaking(&loaded, 1, "openvpn");
        let (server, _) = serve(&end);
        let datagram = [&prefix(NOWHERE)[..], &[0x38; 1400]].concat();
        let port = CompletionPort::new();
        std::thread::scope(|scope| {
            for writer in 0..WRITERS {
                let (file, port, data) = (&server.0, &port, &datagram);
                scope.spawn(move || {
                    for number in 0..EACH {
                        let key = writer << 32 | number;
                        drop(file.start_on(Operation::Write { data }, port, key));
                    }
                });
            }
            let mut next = [0; WRITERS as usize];
            for _ in 0..WRITERS * EACH {
                let (key, completed) = port.wait().expect("it is open");
                assert_eq!(completed.status, 0);
                let next = &mut next[(key >> 32) as usize];
                assert_eq!(key & 0xffff_ffff, *next, "none overtakes");
                *next += 1;
            }
        });
        drop(server);
        end.remove(false);
        loaded.unload();
    });
}

#[test]
fn reads_end_in_the_order_of_their_datagrams() {
    alone("reads_end_in_the_order_of_their_datagrams", TIME, || {
        const LAST: u32 = 20_000;
        const READS: usize = 32;
        /// Fewer than wait in the adapter before the oldest is lost.
        const AHEAD: u32 = 256;
        let loaded = Loaded::load(boot()).expect("the driver loads");
        let end = End::speaking(&loaded, 1, "openvpn");
        let (server, at) = serve(&end);
        let port = CompletionPort::new();
        let (wanted, wishes) = mpsc::sync_channel(READS);
        let wishes = Mutex::new(wishes);
        let seen = AtomicU32::new(0);
        let mut swapped = Vec::new();
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    while wishes.lock().expect("no panic").recv().is_ok() {
                        drop(server.0.start_on(Operation::Read { bytes: 2048 }, &port, 0));
                    }
                });
            }
            scope.spawn(|| {
                let peer = UdpSocket::bind("127.0.0.1:0").expect("a socket");
                let mut number = 0;
                while seen.load(Ordering::Relaxed) < LAST {
                    let behind = number - seen.load(Ordering::Relaxed).min(number);
                    if behind >= AHEAD && number < LAST {
                        std::thread::yield_now();
                        continue;
                    }
                    // The last again and again, lest the system has lost it.
                    number = LAST.min(number + 1);
                    let datagram = [&[0x38][..], &number.to_be_bytes()].concat();
                    peer.send_to(&datagram, at).expect("it is sent");
                }
            });
            for _ in 0..READS {
                wanted.send(()).expect("somebody reads");
            }
            while seen.load(Ordering::Relaxed) < LAST {
                let (_, completed) = port.wait().expect("it is open");
                let number = completed.output[17..21].try_into().map(u32::from_be_bytes).unwrap();
                let before = seen.fetch_max(number, Ordering::Relaxed);
                if number <= before {
                    swapped.push((before, number));
                }
                wanted.send(()).expect("somebody reads");
            }
            drop(wanted);
        });
        assert!(swapped.is_empty(), "{} came after a later one: {swapped:?}", swapped.len());
        drop(server);
        end.remove(false);
        loaded.unload();
    });
}

#[test]
fn hundreds_of_peers_come_and_go() {
    alone("hundreds_of_peers_come_and_go", TIME, || {
        const PEERS: i32 = 300;
        let loaded = Loaded::load(boot()).expect("the driver loads");
        let end = End::speaking(&loaded, 1, "openvpn");
        let (server, _) = serve(&end);
        let mut blocks = 0;
        for round in 0..4 {
            for id in 0..PEERS {
                let [.., high, low] = id.to_be_bytes();
                let v4 = Ipv4Addr::new(10, 1, high, low);
                assert_eq!(server.mp_new_peer(id, NOWHERE, v4, Ipv6Addr::UNSPECIFIED), 0);
                assert_eq!(server.new_key(id, &KEY, false), 0);
            }
            let all = [0xff; 4];
            let bytes = PEERS * 40;
            let too_small = server.call(19, &all, 100);
            assert_eq!(too_small, (STATUS_BUFFER_OVERFLOW, bytes.to_le_bytes().to_vec()));
            let (status, peers) = server.call(19, &all, 20_000);
            assert_eq!((status, peers.len()), (0, bytes.cast_unsigned() as usize));
            for (id, peer) in (0..PEERS).zip(peers.chunks_exact(40)) {
                assert_eq!(peer, [&id.to_le_bytes()[..], &[0; 36]].concat());
            }
            for id in 0..PEERS {
                assert_eq!(server.set(15, &id.to_le_bytes()), 0);
                assert_eq!(server.set(15, &id.to_le_bytes()), STATUS_NOT_FOUND);
            }
            // Each was kept for whoever asks.
            for id in 0..PEERS {
                let told = Dco::notice(&server.start_notify());
                assert_eq!(told, Notice::Deleted(id, DELETED_BY_USERSPACE));
            }
            // Tables that have grown stay.
            if round == 0 {
                blocks = pool::usage().0;
            }
        }
        machine::wait_for_blocks(blocks + 4);
        // Somebody else's file is no way to any of this.
        let second = loaded.open("end1").map(|_| ()).map_err(i32::cast_unsigned);
        assert_eq!(second, Err(STATUS_ACCESS_DENIED));
        // But the version is told to anybody, by the driver itself.
        let driver = Dco(loaded.open("").expect("it opens"));
        let version = [2_i32, 8, 0].map(i32::to_le_bytes).concat();
        assert_eq!(driver.call(8, &[], 12), (0, version));
        assert_eq!(driver.set(7, &[]), STATUS_NOT_FOUND);
        assert_eq!(driver.write(None, b"\x38x"), (STATUS_NOT_FOUND, 0));
        drop((server, driver));
        end.remove(false);
        loaded.unload();
    });
}

#[test]
fn modes_change_under_nine_threads() {
    alone("modes_change_under_nine_threads", TIME, || {
        let loaded = Loaded::load(boot()).expect("the driver loads");
        let [first, second] = [1, 2].map(|number| End::speaking(&loaded, number, "openvpn"));
        let (server, at) = serve(&second);
        let client = Dco(first.file.clone());
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..9)
                .map(|thread| {
                    let (client, server, first) = (&client, &server, &first);
                    scope.spawn(move || churn(client, server, first, at, thread))
                })
                .collect();
            // All the while packets are sent, and datagrams arrive.
            scope.spawn(|| {
                let packet = first.packet(&second, 300, 1);
                while !is_over.load(Ordering::Relaxed) {
                    first.offer(&packet, 4);
                    std::thread::yield_now();
                }
            });
            for thread in threads {
                thread.join().expect("it ends");
            }
            is_over.store(true, Ordering::Relaxed);
        });
        // It works as before.
        assert_eq!((client.set(7, &[]), server.set(7, &[])), (0, 0));
        let (_, at) = serve(&second);
        assert_eq!(client.new_peer(at), 0);
        assert_eq!(client.write(None, b"\x38hello"), (0, 6));
        assert_eq!(server.mp_read().1, b"\x38hello");
        drop((client, server));
        first.remove(true);
        second.remove(false);
        loaded.unload();
    });
}

/// What one thread does to a client and a server, whatever their modes are at that moment.
fn churn(client: &Dco, server: &Dco, end: &End, at: SocketAddr, thread: u64) {
    let mut random = Random::new(thread + 1);
    let mut reads = Vec::new();
    for _ in 0..300 {
        let subject = if random.below(2) == 0 { client } else { server };
        match random.below(12) {
            0 | 1 => {
                client.new_peer(at);
            }
            2 => {
                subject.set(7, &[]);
            }
            3 => {
                client.set(6, &[]);
            }
            4 => {
                subject.new_key(5, &KEY, random.below(2) == 0);
            }
            5 => {
                client.set(4, &[]);
            }
            6 => {
                client.set_peer(Some(1), Some(1), Some(1200));
            }
            7 => drop(subject.call(2, &[], 64)),
            8 => {
                server.set(10, &1_u32.to_le_bytes());
                let listen = [&prefix(at)[..], &[0; 16]].concat();
                drop(server.call(11, &listen, 32));
            }
            9 => {
                server.mp_new_peer(5, at, end.v4, end.v6);
            }
            10 => {
                client.write(None, b"\x38x");
                server.write(Some(at), b"\x28y");
            }
            _ => reads.extend([subject.start_read(), subject.0.ioctl_async(code(14), &[], 144)]),
        }
        if reads.len() > 10 {
            reads.drain(..6).for_each(|read| {
                read.cancel();
            });
        }
    }
    for read in reads {
        read.cancel();
        let _ = ended(&read);
    }
}
