//! The engine's suite for every protocol.

use nic_engine::PeerName;
use nic_engine::conformance::{Side, Subject};
use nic_engine::conformance_tests;
use nic_wireguard::{
    Control, Identity, PeerControl, PeerData, TimerConstants, WireGuard, configure,
};

struct Tunnel;

impl Subject for Tunnel {
    type Protocol = WireGuard;

    fn control(side: Side) -> Control {
        Control::with_identity(TimerConstants::PAPER, identity(side))
    }

    fn peer(side: Side, control: &Control) -> (PeerName, PeerControl, PeerData) {
        let public_key = identity(side.other()).public_key().0;
        let (peer, data) = configure::new_peer(control, &public_key, &[5; 32]).unwrap();
        (public_key, peer, data)
    }
}

fn identity(side: Side) -> Identity {
    Identity::new(&match side {
        Side::Left => [1; 32],
        Side::Right => [2; 32],
    })
}

conformance_tests!(Tunnel);
