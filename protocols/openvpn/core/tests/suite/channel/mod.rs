//! An adapter to run the module in, with virtual time.
#![allow(dead_code, reason = "each test file uses its part")]
#![expect(unreachable_pub, reason = "a module of each test crate")]

use std::net::SocketAddr;
use std::time::Duration;

use nic_crypto::{Processor, Suite};
use nic_engine::conformance::{Adapter, Datagram, Node, Side};
use nic_engine::nic::{AcceptEffects, AcceptItem, RxOutcome};
use nic_engine::protocol::{
    Class, DataPlane, Discard, Ecn, Event, OpenPacket, Opener, PeerId, SealPacket, SealRequest,
    Sealer,
};
use nic_engine::{Endpoint, InnerPacket, Instant, Protocol};
use nic_openvpn::configure::{self, NewPeer};
use nic_openvpn::{Control, DirectionKey, Format, Key, Material, Mode, OpenVpn, Slot};

/// An adapter.
pub struct Channel {
    pub node: Node<OpenVpn>,
    pub now: Instant,
}

/// Where the peer of [`Channel::with_peer`] is.
pub fn remote() -> SocketAddr {
    "192.0.2.99:1194".parse().unwrap()
}

/// A peer of no mode and nowhere else.
pub fn new_peer(receive_id: Option<u32>) -> NewPeer {
    NewPeer {
        receive_id,
        transmit_id: None,
        endpoint: Endpoint::new(remote()),
        vpn4: None,
        vpn6: None,
    }
}

/// A classic key whose packets both sides can open.
pub fn symmetric_key(key_id: u8, byte: u8) -> Key<'static> {
    let key: &[u8] = vec![byte; 32].leak();
    let direction = DirectionKey { key, nonce_tail: b"the tail" };
    Key {
        key_id,
        suite: Suite::ChaCha20Poly1305,
        material: Material::Classic { seal: direction, open: direction },
        transmit_id: None,
        packet_limit: None,
    }
}

/// A key with epochs whose packets both sides can open.
pub fn symmetric_epoch_key(key_id: u8, byte: u8) -> Key<'static> {
    let secret: &[u8; 32] = Box::leak(Box::new([byte; 32]));
    let material = Material::Epoch { seal: secret, open: secret };
    Key { material, ..symmetric_key(key_id, byte) }
}

/// An IPv4 packet of UDP.
pub fn packet(source: [u8; 4], destination: [u8; 4], length: u16) -> Vec<u8> {
    let mut packet = vec![0; length.into()];
    packet[0] = 0x45;
    packet[2..4].copy_from_slice(&length.to_be_bytes());
    packet[9] = 17;
    packet[12..16].copy_from_slice(&source);
    packet[16..20].copy_from_slice(&destination);
    packet
}

/// Some packet.
pub fn any_packet() -> Vec<u8> {
    packet([10, 8, 0, 1], [10, 8, 0, 2], 100)
}

impl Channel {
    /// An adapter without peers.
    pub fn new(mode: Mode) -> Self {
        let now = Instant::ZERO.after(Duration::from_secs(1000));
        Self { node: Node::new(Side::Left, Control::new(mode)), now }
    }

    /// An adapter in point-to-point mode, with its peer.
    pub fn with_peer() -> (Self, PeerId) {
        let mut channel = Self::new(Mode::PointToPoint);
        let peer = channel.configure(|nic| configure::new_peer(nic, &new_peer(None)));
        (channel, peer.unwrap())
    }

    pub fn configure<R>(&mut self, f: impl FnOnce(&mut Adapter<'_, OpenVpn>) -> R) -> R {
        self.node.configure(self.now, f)
    }

    pub fn install(&mut self, peer: PeerId, slot: Slot, key: &Key<'_>) {
        self.configure(|nic| configure::install_key(nic, peer, slot, key)).unwrap();
    }

    /// Sends an IP packet, and returns what went out.
    pub fn send(&mut self, packet: &[u8]) -> Vec<Vec<u8>> {
        assert_eq!(self.node.submit([packet.to_vec()], self.now), []);
        self.sent().into_iter().map(|datagram| datagram.bytes).collect()
    }

    /// What went out and was not looked at.
    pub fn sent(&mut self) -> Vec<Datagram> {
        self.node.sent.drain(..).collect()
    }

    /// Receives a datagram of the peer, and returns what went up.
    pub fn receive(&mut self, datagram: &[u8]) -> Vec<Vec<u8>> {
        self.receive_from(remote(), datagram)
    }

    pub fn receive_from(&mut self, from: SocketAddr, datagram: &[u8]) -> Vec<Vec<u8>> {
        let to = self.node.address;
        self.node.receive(
            &[Datagram { from, to, bytes: datagram.to_vec(), ecn: Ecn::NotEct }],
            self.now,
        );
        self.node.delivered.drain(..).collect()
    }

    /// Receives one datagram of data by hand, and says what else that did.
    pub fn accept(&mut self, datagram: &[u8], from: SocketAddr) -> AcceptEffects {
        let nic = &self.node.nic;
        let Class::Data(selector) = nic.classify(datagram, datagram.len()) else {
            panic!("it is data");
        };
        let batch = nic.begin_open(selector, 1, self.now).unwrap();
        let mut output = vec![0; datagram.len()];
        let source = [datagram];
        let mut packets = [OpenPacket {
            source: &source,
            datagram_bytes: datagram.len(),
            output: &mut output,
            result: None,
        }];
        batch.context.open(Processor::PORTABLE.base(), &mut packets);
        let packet = packets[0].result.unwrap();
        let mut items = [AcceptItem {
            packet,
            from: Endpoint::new(from),
            datagram_bytes: datagram.len(),
            outer_ecn: Ecn::NotEct,
            inner: InnerPacket::parse(&output, packet.payload_bytes),
            outcome: RxOutcome::Consumed,
        }];
        let outcome = nic.accept(batch.peer, &batch.context, &mut items, self.now);
        assert!(matches!(items[0].outcome, RxOutcome::Deliver { .. }));
        outcome
    }

    /// Seals what is no IP packet, in order.
    pub fn seal_raw(&mut self, payloads: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let peer = self.configure(|nic| nic.next_peer(None)).unwrap();
        let now = self.now;
        let request = SealRequest::data(payloads.len() as u32, 1);
        let mut context = None;
        self.configure(|nic| {
            nic.with_peer_data(peer, |data| {
                context = DataPlane::<OpenVpn>::begin_seal(data, request, now).ok();
            });
        });
        let (context, mut datagrams) = (context.unwrap(), Vec::new());
        for (first, payload) in (0..).zip(payloads) {
            let bytes = OpenVpn::datagram_bytes(Format::Classic, payload.len(), 0);
            let mut datagram = vec![0; bytes];
            let packet = SealPacket {
                source: &[payload],
                payload_bytes: payload.len(),
                datagram: &mut datagram,
            };
            context.seal(Processor::PORTABLE.base(), first, &mut [packet]);
            datagrams.push(datagram);
        }
        datagrams
    }

    /// Lets time pass.
    pub fn run_for(&mut self, duration: Duration) {
        let end = self.now.after(duration);
        loop {
            let due = self.node.tick(self.now);
            if due > end {
                self.now = end;
                return;
            }
            self.now = due;
        }
    }

    /// Lets the control thread look.
    pub fn tick(&mut self) {
        self.run_for(Duration::ZERO);
    }

    pub fn events(&mut self) -> Vec<Event> {
        self.tick();
        self.node.events.drain(..).collect()
    }

    pub fn discarded(&self, reason: Discard) -> u64 {
        self.node.discarded(reason)
    }
}
