//! Epochs between two adapters, with a control plane that derives keys when it comes to it.

use std::{vec, vec::Vec};

use nic_crypto::Suite;
use nic_engine::conformance::{Datagram, Node, Side};
use nic_engine::protocol::{Discard, Event, PeerId};
use nic_engine::{Endpoint, Instant};

use crate::configure::{self, NewPeer};
use crate::usage::Failures;
use crate::{Control, Key, Material, Mode, OpenVpn, Slot};

const NOW: Instant = Instant::from_nanos(1_000_000_000);

struct End {
    node: Node<OpenVpn>,
    peer: PeerId,
}

impl End {
    fn new(side: Side, other: Side) -> Self {
        let mut node = Node::new(side, Control::new(Mode::PointToPoint));
        let new = NewPeer {
            receive_id: None,
            transmit_id: Some(1),
            endpoint: Endpoint::new(([192, 0, 2, other as u8], 1194).into()),
            vpn4: None,
            vpn6: None,
        };
        let peer = node.configure(NOW, |nic| configure::new_peer(nic, &new)).unwrap();
        let mut end = Self { node, peer };
        end.install(side, other);
        end
    }

    fn install(&mut self, side: Side, other: Side) {
        self.install_in(Slot::Primary, 2, side, other);
    }

    fn install_in(&mut self, slot: Slot, key_id: u8, side: Side, other: Side) {
        let [seal, open] = &[side, other].map(|side| [side as u8; 32]);
        let key = Key {
            key_id,
            suite: Suite::Aes128Gcm,
            material: Material::Epoch { seal, open },
            transmit_id: None,
            packet_limit: None,
        };
        let peer = self.peer;
        self.node.configure(NOW, |nic| configure::install_key(nic, peer, slot, &key)).unwrap();
    }

    fn swap(&mut self) {
        let peer = self.peer;
        assert!(self.node.configure(NOW, |nic| configure::swap_keys(nic, peer)));
    }

    /// The next packet is of the next epoch.
    fn use_up(&mut self) {
        let peer = self.peer;
        self.node.configure(NOW, |nic| {
            nic.with_peer_data(peer, |data| {
                data.slots.primary_mut().unwrap().sender.set_usage(0, (1 << 36) - 1);
            });
        });
    }

    fn send(&mut self) -> Datagram {
        let mut packet = vec![0; 60];
        packet[0] = 0x45;
        packet[3] = 60;
        assert_eq!(self.node.submit([packet], NOW), []);
        self.node.sent.pop_front().unwrap()
    }

    /// Whether a datagram's packet goes up.
    fn receives(&mut self, datagram: &Datagram) -> bool {
        self.node.receive(core::slice::from_ref(datagram), NOW);
        self.node.delivered.pop().is_some()
    }
}

fn epoch(datagram: &Datagram) -> u16 {
    u16::from_be_bytes(datagram.bytes[4..6].try_into().unwrap())
}

fn ends() -> [End; 2] {
    [End::new(Side::Left, Side::Right), End::new(Side::Right, Side::Left)]
}

#[test]
fn both_move_on_and_nothing_is_lost() {
    let [mut left, mut right] = ends();
    let mut late = left.send();
    for round in 2..200_u16 {
        if round % 3 == 0 { &mut right } else { &mut left }.use_up();
        let [there, back] = [left.send(), right.send()];
        assert!(right.receives(&there) && left.receives(&back), "epoch {round}");
        assert!(right.receives(&late), "what was late in epoch {round}");
        assert!(!right.receives(&late) && !right.receives(&there));
        left.node.tick(NOW);
        right.node.tick(NOW);
        // Whoever moves, the other follows.
        late = left.send();
        let answer = right.send();
        assert_eq!([epoch(&late), epoch(&answer)], [round, round]);
        assert!(left.receives(&answer) && right.receives(&left.send()));
    }
    for end in [&left, &right] {
        let lost = [Discard::Forged, Discard::UnknownContext].map(|it| end.node.discarded(it));
        assert_eq!(lost, [0, 0]);
    }
}

#[test]
fn four_epochs_may_be_missed_and_no_more() {
    for missed in 0..6 {
        let [mut left, mut right] = ends();
        let before = left.send();
        for _ in 0..=missed {
            left.use_up();
            left.send();
            left.node.tick(NOW);
        }
        let datagram = left.send();
        assert_eq!(epoch(&datagram), 2 + missed);
        assert_eq!(right.receives(&datagram), missed < 4, "{missed} missed");
        if missed < 4 {
            assert!(right.receives(&before));
            right.node.tick(NOW);
            assert_eq!(epoch(&right.send()), 2 + missed);
        } else {
            assert_eq!(right.node.discarded(Discard::UnknownContext), 1);
            left.install(Side::Left, Side::Right);
            right.install(Side::Right, Side::Left);
            assert!(right.receives(&left.send()));
        }
    }
}

#[test]
fn a_late_control_plane_delays_but_loses_nothing() {
    let [mut left, mut right] = ends();
    left.use_up();
    assert_eq!(epoch(&left.send()), 2);
    left.use_up();
    // The third epoch's key is not derived yet: the packet waits.
    let mut packet = vec![0; 60];
    packet[0] = 0x45;
    packet[3] = 60;
    assert_eq!(left.node.submit([packet], NOW), []);
    assert!(left.node.sent.is_empty());
    left.node.tick(NOW);
    let sent: Vec<Datagram> = left.node.sent.drain(..).collect();
    assert_eq!(sent.iter().map(epoch).collect::<Vec<_>>(), [3]);
    assert!(right.receives(&sent[0]));
    assert_eq!(left.node.events, [], "userspace has nothing to do with it");
}

#[test]
fn a_forged_epoch_moves_nobody() {
    let [mut left, mut right] = ends();
    let mut forged = left.send();
    for other in 2..=5 {
        forged.bytes[5] = other;
        assert!(!right.receives(&forged));
    }
    assert_eq!(right.node.discarded(Discard::Forged), 4);
    assert_eq!(epoch(&right.send()), 1);
    assert!(right.receives(&left.send()));
}

#[test]
fn a_key_that_fails_to_open_too_often_is_renewed_or_given_up() {
    const LIMIT: u64 = 8;
    let [mut left, mut right] = ends();
    let peer = right.peer;
    let good: Vec<_> = (0..4).map(|_| left.send()).collect();
    let mut forged = left.send();
    *forged.bytes.last_mut().unwrap() ^= 1;
    right.node.configure(NOW, |nic| {
        nic.with_peer_data(peer, |data| {
            data.slots.primary_mut().unwrap().failures = Failures::of(LIMIT);
        });
    });
    for failures in 1..=LIMIT {
        assert!(!right.receives(&forged));
        right.node.tick(NOW);
        let is_told = right.node.events == [Event::KeyLimitNear(peer)];
        assert_eq!(is_told, failures >= LIMIT / 2, "told once, and in time");
        if failures == LIMIT - 1 {
            assert!(right.receives(&good[0]), "it opens to the end");
        }
    }
    assert!(!right.receives(&good[1]) && !right.receives(&forged));
    let discarded = [Discard::Forged, Discard::UnknownContext].map(|it| right.node.discarded(it));
    assert_eq!(discarded, [LIMIT, 2]);
    // It still seals; and another key begins anew.
    assert!(left.receives(&right.send()));
    for (end, side, other) in
        [(&mut left, Side::Left, Side::Right), (&mut right, Side::Right, Side::Left)]
    {
        end.install(side, other);
    }
    assert!(right.receives(&left.send()));
}

#[test]
fn what_is_noted_of_a_key_goes_with_it_when_keys_change() {
    let [mut left, mut right] = ends();
    let near = [Event::KeyLimitNear(right.peer)];
    let mut forged = left.send();
    *forged.bytes.last_mut().unwrap() ^= 1;
    // The key that forgeries come under is in the other slot, and comes back before the control
    // plane has looked.
    right.install_in(Slot::Secondary, 3, Side::Right, Side::Left);
    right.swap();
    let peer = right.peer;
    right.node.configure(NOW, |nic| {
        nic.with_peer_data(peer, |data| {
            data.slots.get_mut(Slot::Secondary).unwrap().failures = Failures::of(8);
        });
    });
    for _ in 0..4 {
        assert!(!right.receives(&forged));
    }
    right.swap();
    right.install_in(Slot::Secondary, 4, Side::Right, Side::Left);
    right.node.tick(NOW);
    assert_eq!(right.node.events, near);
    assert!(!right.receives(&forged));
    right.swap();
    right.node.tick(NOW);
    assert_eq!(right.node.events, near, "it is told once");

    // Forgeries under a key that is replaced at once matter to nobody.
    let peer = left.peer;
    let mut forged = right.send();
    forged.bytes[0] = forged.bytes[0] & !7 | 2; // The id of its key, which is another.
    for other in [Slot::Primary, Slot::Secondary] {
        left.install_in(other, 2, Side::Left, Side::Right);
        left.node.configure(NOW, |nic| {
            nic.with_peer_data(peer, |data| {
                data.slots.get_mut(other).unwrap().failures = Failures::of(2);
            });
        });
        assert!(!left.receives(&forged));
        left.install_in(other, 5, Side::Left, Side::Right);
        left.node.tick(NOW);
        assert_eq!(left.node.events, []);
    }
}
