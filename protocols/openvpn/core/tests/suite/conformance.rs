//! The engine's suite for every protocol, in every mode and format. Userspace shakes hands by two
//! control datagrams, of which an OpenVPN would need some more.

use nic_crypto::Suite;
use nic_engine::conformance::{Adapter, Heard, Side, Subject};
use nic_engine::conformance_tests;
use nic_engine::protocol::{Event, PeerId};
use nic_engine::{Endpoint, Instant, PeerName};
use nic_openvpn::configure::{self, NewPeer};
use nic_openvpn::{
    Control, DirectionKey, Key, Material, Mode, OpenVpn, PeerControl, PeerData, Slot,
};

/// P_CONTROL_HARD_RESET_CLIENT_V2 and P_CONTROL_HARD_RESET_SERVER_V2.
const RESETS: [[u8; 14]; 2] = [*b"\x38to the other ", *b"\x40back to you: "];

/// What comes from a side's peer has this id.
const fn receive_id(side: Side) -> u32 {
    match side {
        Side::Left => 7,
        Side::Right => 0x00ab_cdef,
    }
}

fn peer(side: Side, control: &Control, mode: Mode) -> (PeerName, PeerControl, PeerData) {
    let new = NewPeer {
        receive_id: (mode == Mode::MultiPeer).then_some(receive_id(side)),
        transmit_id: Some(receive_id(side.other())),
        endpoint: Endpoint::new(([192, 0, 2, 1], 1194).into()),
        vpn4: None,
        vpn6: None,
    };
    configure::make_peer(control, &new, Instant::ZERO).unwrap()
}

fn userspace(
    side: Side,
    heard: &Heard,
    adapter: &mut Adapter<'_, OpenVpn>,
    suite: Suite,
    epochs: bool,
) {
    let Some(peer) = adapter.next_peer(None) else { return };
    let [ask, answer] = &RESETS;
    match heard {
        Heard::Event(Event::KeyWanted(_)) => send(adapter, peer, ask),
        Heard::Datagram { bytes, .. } if bytes == ask => {
            received(adapter, peer, ask);
            install(side, adapter, peer, suite, epochs);
            send(adapter, peer, answer);
        }
        Heard::Datagram { bytes, .. } if bytes == answer => {
            received(adapter, peer, answer);
            install(side, adapter, peer, suite, epochs);
        }
        _ => {}
    }
}

fn send(adapter: &mut Adapter<'_, OpenVpn>, peer: PeerId, datagram: &[u8]) {
    adapter.with_protocol(|_, host| assert!(host.send(peer, datagram)));
}

fn received(adapter: &mut Adapter<'_, OpenVpn>, peer: PeerId, datagram: &[u8]) {
    adapter.with_protocol(|_, host| host.received(peer, datagram.len()));
}

fn install(
    side: Side,
    adapter: &mut Adapter<'_, OpenVpn>,
    peer: PeerId,
    suite: Suite,
    epochs: bool,
) {
    let [ours, theirs] = [side, side.other()].map(|side| [side as u8 + 1; 32]);
    let material = if epochs {
        Material::Epoch { seal: &ours, open: &theirs }
    } else {
        Material::Classic {
            seal: DirectionKey { key: &ours[..suite.key_len()], nonce_tail: b"sealtail" },
            open: DirectionKey { key: &theirs[..suite.key_len()], nonce_tail: b"sealtail" },
        }
    };
    let key = Key { key_id: 3, suite, material, transmit_id: None, packet_limit: None };
    configure::install_key(adapter, peer, Slot::Primary, &key).unwrap();
}

macro_rules! subject {
    ($module:ident, $mode:expr, $suite:expr, $epochs:expr) => {
        mod $module {
            use super::*;

            struct Tunnel;

            impl Subject for Tunnel {
                type Protocol = OpenVpn;

                fn control(_side: Side) -> Control {
                    Control::new($mode)
                }

                fn peer(side: Side, control: &Control) -> (PeerName, PeerControl, PeerData) {
                    peer(side, control, $mode)
                }

                fn userspace(side: Side, heard: &Heard, adapter: &mut Adapter<'_, OpenVpn>) {
                    userspace(side, heard, adapter, $suite, $epochs);
                }
            }

            conformance_tests!(Tunnel);
        }
    };
}

subject!(one_peer, Mode::PointToPoint, Suite::Aes256Gcm, false);
subject!(one_peer_in_epochs, Mode::PointToPoint, Suite::ChaCha20Poly1305, true);
subject!(many_peers, Mode::MultiPeer, Suite::ChaCha20Poly1305, false);
subject!(many_peers_in_epochs, Mode::MultiPeer, Suite::Aes128Gcm, true);
