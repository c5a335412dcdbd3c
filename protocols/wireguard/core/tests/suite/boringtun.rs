//! The module against boringtun, both as initiator and as responder.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use crate::adapter::{Adapter, Datagram, millis, seconds};
use boringtun::noise::rate_limiter::RateLimiter;
use boringtun::noise::{Tunn, TunnResult};
use boringtun::x25519::{PublicKey, StaticSecret};
use mock_instant::MockClock;
use nic_engine::protocol::{Discard, PeerId};
use nic_wireguard::TimerConstants;

const OURS: &str = "192.0.2.1:1001";
const THEIRS: &str = "192.0.2.2:1002";

/// Our adapter and boringtun, joined without delay.
struct Link {
    ours: Adapter,
    peer: PeerId,
    theirs: Tunn,
    delivered_to_them: Vec<Vec<u8>>,
    kinds_from_us: Vec<u8>,
    kinds_from_them: Vec<u8>,
    now: Duration,
}

impl Link {
    fn new(psk: Option<[u8; 32]>, handshakes_per_second: Option<u64>) -> Self {
        let mut ours = Adapter::new(OURS, [0x11; 32], TimerConstants::PAPER);
        let their_secret = StaticSecret::from([0x22; 32]);
        let their_public = PublicKey::from(&their_secret);
        let our_public = PublicKey::from(ours.public_key());
        let limiter =
            handshakes_per_second.map(|limit| Arc::new(RateLimiter::new(&their_public, limit)));
        let theirs = Tunn::new(their_secret, our_public, psk, None, 7, limiter);
        let endpoint = THEIRS.parse().unwrap();
        let peer = ours.add_peer(their_public.as_bytes(), &psk.unwrap_or_default(), Some(endpoint));
        Self {
            ours,
            peer,
            theirs,
            delivered_to_them: Vec::new(),
            kinds_from_us: Vec::new(),
            kinds_from_them: Vec::new(),
            now: seconds(1000),
        }
    }

    /// Carries datagrams until none is left.
    fn carry(&mut self) {
        loop {
            let datagrams = self.ours.take_outbox();
            if datagrams.is_empty() {
                return;
            }
            for datagram in datagrams {
                self.kinds_from_us.push(datagram.kind());
                self.give(&datagram.bytes);
            }
        }
    }

    fn give(&mut self, datagram: &[u8]) {
        let from: SocketAddr = OURS.parse().unwrap();
        let from: IpAddr = from.ip();
        let mut buffer = vec![0; 2048];
        let mut answers = Vec::new();
        let mut result = self.theirs.decapsulate(Some(from), datagram, &mut buffer);
        loop {
            match result {
                TunnResult::WriteToNetwork(bytes) => answers.push(bytes.to_vec()),
                TunnResult::WriteToTunnelV4(packet, _) => {
                    self.delivered_to_them.push(packet.to_vec());
                    break;
                }
                TunnResult::Done => break,
                other => panic!("boringtun: {other:?}"),
            }
            result = self.theirs.decapsulate(None, &[], &mut buffer);
        }
        answers.into_iter().for_each(|bytes| self.take(bytes));
    }

    fn take(&mut self, bytes: Vec<u8>) {
        self.kinds_from_them.push(bytes[0]);
        let (from, to) = (THEIRS.parse().unwrap(), OURS.parse().unwrap());
        self.ours.receive(&Datagram { from, to, bytes });
    }

    fn send_from_us(&mut self, packet: &[u8]) {
        self.ours.send(self.peer, packet);
        self.carry();
    }

    fn send_from_them(&mut self, packet: &[u8]) {
        let mut buffer = vec![0; 2048];
        match self.theirs.encapsulate(packet, &mut buffer) {
            TunnResult::WriteToNetwork(bytes) => {
                let bytes = bytes.to_vec();
                self.take(bytes);
            }
            TunnResult::Done => {}
            other => panic!("boringtun: {other:?}"),
        }
        self.carry();
    }

    /// Lets both clocks run.
    fn run_for(&mut self, time: Duration) {
        let step = millis(250);
        let end = self.now + time;
        while self.now < end {
            self.now += step;
            MockClock::advance(step);
            self.ours.set_time(self.now);
            self.ours.settle();
            self.carry();
            let mut buffer = vec![0; 2048];
            if let TunnResult::WriteToNetwork(bytes) = self.theirs.update_timers(&mut buffer) {
                let bytes = bytes.to_vec();
                self.take(bytes);
                self.carry();
            }
        }
    }
}

/// An IPv4 packet with a number in it; boringtun looks at the header and trims the padding.
fn packet(number: u32, length: usize) -> Vec<u8> {
    let mut packet = vec![0; length];
    packet[0] = 0x45;
    packet[2..4].copy_from_slice(&(length as u16).to_be_bytes());
    packet[16..20].copy_from_slice(&[10, 0, 0, 1]);
    packet[20..24].copy_from_slice(&number.to_be_bytes());
    packet
}

fn is_delivered(delivered: &[Vec<u8>], packet: &[u8]) -> bool {
    delivered.last().is_some_and(|last| {
        last.starts_with(packet) && last[packet.len()..].iter().all(|byte| *byte == 0)
    })
}

#[test]
fn we_begin() {
    for psk in [None, Some([5; 32])] {
        let mut link = Link::new(psk, None);
        for number in 0..200 {
            let outgoing = packet(number, 24 + number as usize * 7 % 1390);
            link.send_from_us(&outgoing);
            assert_eq!(link.delivered_to_them.last(), Some(&outgoing));
            let incoming = packet(number, 24 + number as usize * 5 % 1390);
            link.send_from_them(&incoming);
            assert!(is_delivered(&link.ours.host.delivered, &incoming));
        }
        assert_eq!(link.kinds_from_us.iter().filter(|kind| **kind == 1).count(), 1);
        assert_eq!(link.kinds_from_them.iter().filter(|kind| **kind == 2).count(), 1);
        assert_eq!(link.ours.discards(), 0);
    }
}

#[test]
fn boringtun_begins() {
    for psk in [None, Some([5; 32])] {
        let mut link = Link::new(psk, None);
        for number in 0..200 {
            let incoming = packet(number, 24 + number as usize * 5 % 1390);
            link.send_from_them(&incoming);
            assert!(is_delivered(&link.ours.host.delivered, &incoming));
            let outgoing = packet(number, 24 + number as usize * 7 % 1390);
            link.send_from_us(&outgoing);
            assert_eq!(link.delivered_to_them.last(), Some(&outgoing));
        }
        assert_eq!(link.kinds_from_us.iter().filter(|kind| **kind == 2).count(), 1);
        assert_eq!(link.kinds_from_us.iter().filter(|kind| **kind == 1).count(), 0);
        assert_eq!(link.ours.discards(), 0);
    }
}

#[test]
fn sessions_are_renewed_under_traffic() {
    for we_begin in [true, false] {
        let mut link = Link::new(Some([6; 32]), None);
        for number in 0..1200 {
            let (outgoing, incoming) = (packet(number, 100), packet(number, 100));
            if we_begin || number > 0 {
                link.send_from_us(&outgoing);
            }
            link.send_from_them(&incoming);
            link.run_for(millis(500));
        }
        let initiations = link.kinds_from_us.iter().chain(&link.kinds_from_them);
        let initiations = initiations.filter(|kind| **kind == 1).count();
        assert!((5..=7).contains(&initiations), "every 120 s in 600 s: {initiations}");
        assert_eq!(link.ours.host.delivered.len(), 1200, "we began: {we_begin}");
        let missing = 1200 - link.delivered_to_them.len();
        assert_eq!(missing, usize::from(!we_begin));
        assert_eq!(link.ours.discards(), 0);
    }
}

#[test]
fn our_cookies_convince_boringtun() {
    // It takes no handshake without a cookie.
    let mut link = Link::new(None, Some(0));
    link.send_from_us(&packet(1, 64));
    assert_eq!(link.kinds_from_them, [3]);
    assert!(link.delivered_to_them.is_empty());
    link.run_for(seconds(6));
    assert_eq!(link.kinds_from_them, [3, 2]);
    assert_eq!(link.delivered_to_them, [packet(1, 64)]);
}

#[test]
fn boringtun_uses_our_cookie() {
    let mut link = Link::new(None, None);
    link.ours.host.is_under_load = true;
    link.send_from_them(&packet(1, 64));
    assert_eq!(link.kinds_from_us, [3]);
    assert_eq!(link.ours.count(Discard::CookieRequired), 1);
    link.run_for(seconds(6));
    assert_eq!(link.kinds_from_us[..2], [3, 2]);
    assert!(is_delivered(&link.ours.host.delivered, &packet(1, 64)));
}
