//! The suite for protocols, run with a small one.

mod preshared;

use nic_engine::{
    PeerName,
    conformance::{Side, Subject},
};
use preshared::{Control, PeerControl, PeerData, Preshared};

struct Small;

impl Subject for Small {
    type Protocol = Preshared;

    fn control(side: Side) -> Control {
        Control { name: [side as u8; 32] }
    }

    fn peer(side: Side, _control: &Control) -> (PeerName, PeerControl, PeerData) {
        ([side.other() as u8; 32], PeerControl::new([42; 32]), PeerData::default())
    }
}

nic_engine::conformance_tests!(Small);
