//! UDP sockets of the kernel, on nt-host.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use nt::Status;
use nt::wsk::{
    Datagram, Datagrams, Family, PacketInfo, ReceiveFrom, SendBatch, Sent, UdpSocket, WskClient,
};
use nt_host::pool;

use crate::alone;

/// The limit of waits for what must happen.
const LIMIT: Duration = Duration::from_secs(60);

/// Passes datagrams on.
struct Mailbox(Mutex<Sender<Datagrams>>);

impl Mailbox {
    fn new() -> (Self, Receiver<Datagrams>) {
        let (sender, receiver) = channel();
        (Self(Mutex::new(sender)), receiver)
    }
}

impl ReceiveFrom for Mailbox {
    fn receive(&self, datagrams: Datagrams) {
        let sender = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Nobody listens: they are dropped, which is a release.
        let _ = sender.send(datagrams);
    }
}

/// Passes batches on that are sent.
struct Returned(Sender<(SendBatch<Returned>, Status)>);

impl Sent for Returned {
    fn sent(batch: SendBatch<Self>, status: Status) {
        let sender = batch.context().0.clone();
        let _ = sender.send((batch, status));
    }
}

fn bytes_of(datagram: &Datagram<'_>) -> Vec<u8> {
    let Ok(pieces) = datagram.pieces::<4>() else { panic!("unreadable") };
    let bytes = pieces.as_slice().concat();
    let mut copy = [0; 2048];
    assert!(datagram.copy_to(&mut copy).is_ok_and(|copy| copy == bytes));
    bytes
}

/// Datagrams that arrived, in the chains that WSK indicated.
struct Received(Vec<Datagrams>);

impl Received {
    /// Waits for `count` datagrams.
    fn wait(mailbox: &Receiver<Datagrams>, count: usize) -> Self {
        let mut received = Self(Vec::new());
        while received.len() < count {
            let Ok(more) = mailbox.recv_timeout(LIMIT) else { panic!("{} came", received.len()) };
            received.0.push(more);
        }
        received
    }

    fn len(&self) -> usize {
        self.0.iter().map(Datagrams::len).sum()
    }

    fn iter(&self) -> impl Iterator<Item = Datagram<'_>> {
        self.0.iter().flat_map(Datagrams::iter)
    }

    /// Takes the first `count` datagrams off each chain in turn.
    fn split_front(&mut self, count: usize) -> Self {
        let mut front = Self(Vec::new());
        for chain in &mut self.0 {
            front.0.push(chain.split_front(count - front.len()));
        }
        front
    }

    /// Gives the datagrams back to WSK.
    fn release(self) {
        self.0.into_iter().for_each(Datagrams::release);
    }
}

#[test]
fn batches_arrive_and_come_back() {
    let _alone = alone();
    let Ok(client) = WskClient::attach() else { panic!("no WSK") };
    for (family, loopback) in [
        (Family::V4, IpAddr::from(Ipv4Addr::LOCALHOST)),
        (Family::V6, IpAddr::from(Ipv6Addr::LOCALHOST)),
    ] {
        let (to_mailbox, received) = Mailbox::new();
        let (from_mailbox, answers) = Mailbox::new();
        let Ok(to) = UdpSocket::open(&client, family, to_mailbox) else { panic!("no socket") };
        let Ok(from) = UdpSocket::open(&client, family, from_mailbox) else { panic!("no socket") };
        let (Ok(to_bound), Ok(from_bound)) = (to.bind(family.any(0)), from.bind(family.any(0)))
        else {
            panic!("no port")
        };
        let (to_port, from_port) = (to_bound.port(), from_bound.port());

        // The same batch twice: it is used again.
        let (sender, returned) = channel();
        let mut batch = SendBatch::new(64, 1500, Returned(sender)).ok();
        let local = PacketInfo { address: loopback, interface_index: 0 };
        for round in 0..2_u8 {
            let Some(mut filled) = batch.take() else { panic!("no batch") };
            filled.datagrams_mut().clear();
            for (index, slot) in filled.datagrams_mut().slots_mut().enumerate() {
                slot.fill(index as u8 ^ (round << 7));
            }
            for index in 0..60 {
                assert!(filled.datagrams_mut().push(100 + index * 20));
            }
            from.send_batch(filled, SocketAddr::new(loopback, to_port), Some(local));
            let Ok((back, status)) = returned.recv_timeout(LIMIT) else { panic!("not back") };
            assert_eq!(status, Status::SUCCESS);
            batch = Some(back);

            let mut all = Received::wait(&received, 60);
            for (index, datagram) in all.iter().enumerate() {
                let expected = vec![index as u8 ^ (round << 7); 100 + index * 20];
                assert_eq!(bytes_of(&datagram), expected);
                assert_eq!(datagram.remote(), Some(SocketAddr::new(loopback, from_port)));
                assert_eq!(datagram.local().map(|local| local.address), Some(loopback));
            }
            // In parts, and released out of order.
            let front = all.split_front(20);
            assert_eq!((front.len(), front.iter().count()), (20, 20));
            assert_eq!((all.len(), all.iter().count()), (40, 40));
            assert!(all.iter().next().is_some_and(|datagram| datagram.len() == 500));
            assert!(all.split_front(0).len() == 0);
            let middle = all.split_front(1);
            all.release();
            front.release();
            assert_eq!(middle.iter().next().map(|datagram| bytes_of(&datagram).len()), Some(500));
        }

        // An answer by the way that a datagram came.
        assert!(from.send_to(b"question", SocketAddr::new(loopback, to_port), None).is_ok());
        let question = Received::wait(&received, 1);
        let Some(question) = question.iter().next() else { panic!("no question") };
        let Some(remote) = question.remote() else { panic!("no address") };
        assert!(to.send_to(b"answer", remote, question.local()).is_ok());
        let answer = Received::wait(&answers, 1);
        assert_eq!(answer.iter().next().map(|answer| bytes_of(&answer)), Some(b"answer".to_vec()));

        // The port is taken, and the other family is out of reach.
        let (mailbox, _) = Mailbox::new();
        let Ok(third) = UdpSocket::open(&client, family, mailbox) else { panic!("no socket") };
        assert_eq!(third.bind(to_bound), Err(Status::ADDRESS_ALREADY_EXISTS));
        let other = if family == Family::V4 { "[::1]:9" } else { "127.0.0.1:9" };
        let Ok(other) = other.parse() else { panic!("no address") };
        assert_eq!(from.send_to(b"lost", other, None), Err(Status::INVALID_PARAMETER));
    }
    drop(client);
    assert_eq!(pool::leaks(), Vec::<String>::new());
}

#[test]
fn closing_waits_for_what_is_retained() {
    let _alone = alone();
    let Ok(client) = WskClient::attach() else { panic!("no WSK") };
    let (mailbox, received) = Mailbox::new();
    let Ok(socket) = UdpSocket::open(&client, Family::V4, mailbox) else { panic!("no socket") };
    let Ok(bound) = socket.bind(Family::V4.any(0)) else { panic!("no port") };
    let to = SocketAddr::from(([127, 0, 0, 1], bound.port()));
    assert!(socket.send_to(b"to myself", to, None).is_ok());
    let retained = Received::wait(&received, 1);

    let (closed, is_closed) = channel();
    let closer = std::thread::spawn(move || {
        socket.close();
        let _ = closed.send(());
    });
    // nt-host stops the process if the socket is closed while something is retained.
    assert!(is_closed.recv_timeout(Duration::from_millis(50)).is_err());
    assert!(retained.iter().next().is_some_and(|datagram| bytes_of(&datagram) == b"to myself"));
    drop(retained);
    assert!(is_closed.recv_timeout(LIMIT).is_ok());
    assert!(closer.join().is_ok());
}

#[test]
fn every_allocation_may_fail() {
    let _alone = alone();
    let mut failures = 0;
    for nth in 1.. {
        let before = pool::allocation_count();
        pool::fail_allocation(nth);
        let outcome = send_one();
        let made = pool::allocation_count() - before;
        pool::fail_allocation(0);
        assert_eq!(pool::leaks(), Vec::<String>::new());
        if made < nth {
            assert_eq!(outcome, Ok(()));
            break;
        }
        failures += usize::from(outcome.is_err());
    }
    assert!(failures > 10, "{failures}");
}

/// Does all that allocates.
fn send_one() -> nt::Result<()> {
    let client = WskClient::attach()?;
    // Nobody listens, so that closing has nothing to wait for.
    let (mailbox, _) = Mailbox::new();
    let socket = UdpSocket::open(&client, Family::V4, mailbox)?;
    let to = SocketAddr::from(([127, 0, 0, 1], socket.bind(Family::V4.any(0))?.port()));
    socket.send_to(b"single", to, None)?;
    let (sender, returned) = channel();
    let mut batch = SendBatch::new(4, 100, Returned(sender))?;
    assert!(batch.datagrams_mut().push(100));
    socket.send_batch(batch, to, None);
    let Ok((_, status)) = returned.recv_timeout(LIMIT) else { panic!("not back") };
    status.ok()
}
