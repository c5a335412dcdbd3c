//! The suite that every protocol passes: two adapters of it over a simulated link, in virtual time.
//!
//! A protocol's tests implement [`Subject`] and call [`crate::conformance_tests!`] once.

mod data;
mod faults;
mod pair;
mod parallel;
mod peers;

pub use self::{
    data::*,
    faults::*,
    pair::{Adapter, Datagram, Heard, Node, Opened, Pair, packet},
    parallel::*,
    peers::*,
};
use crate::{PeerName, Protocol};

/// One end of the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The one that speaks first in most tests.
    Left,
    /// The other.
    Right,
}

impl Side {
    /// The other end.
    pub const fn other(self) -> Self {
        match self {
            Self::Left => Self::Right,
            Self::Right => Self::Left,
        }
    }
}

/// A peer as the engine adds it: its name, its control state and its data state.
pub type PeerParts<P> = (PeerName, <P as Protocol>::PeerControl, <P as Protocol>::PeerData);

/// A protocol to be tested.
pub trait Subject {
    /// The protocol.
    type Protocol: Protocol;

    /// The adapter of one side, with its identity.
    fn control(side: Side) -> <Self::Protocol as Protocol>::Control;

    /// The peer that one side has: the other side, ready to be agreed with.
    fn peer(
        side: Side,
        control: &<Self::Protocol as Protocol>::Control,
    ) -> PeerParts<Self::Protocol>;

    /// What userspace does with what it hears: where the protocol leaves the handshake to it, it
    /// brings keys. A message may be anybody's, and may come twice.
    fn userspace(side: Side, heard: &Heard, adapter: &mut Adapter<'_, Self::Protocol>) {
        _ = (side, heard, adapter);
    }
}

/// Makes a test of each check of the suite for a [`Subject`].
#[macro_export]
macro_rules! conformance_tests {
    ($subject:ty) => {
        $crate::conformance_tests! { $subject:
            packets_arrive_both_ways_unchanged
            packets_that_wait_for_a_key_arrive_in_order
            a_keepalive_is_sent_and_consumed
            a_lost_handshake_is_tried_again
            what_cannot_be_sent_is_refused_with_its_reason
            the_queue_is_bounded_without_a_key
            a_stopped_adapter_carries_nothing_and_keeps_its_keys
            counters_agree_on_both_sides
            replayed_packets_are_refused
            altered_packets_are_refused
            truncated_packets_are_refused
            noise_does_no_harm
            packets_from_foreign_sources_are_refused
            a_peer_that_moves_is_followed
            batches_sealed_out_of_order_leave_in_order
            batches_opened_out_of_order_arrive_in_order
            abandoned_batches_hold_nobody_up
            many_threads_keep_the_order
            a_peer_removed_under_load_does_no_harm
            a_removed_peer_leaves_nothing_behind
            a_peer_removed_in_flight_does_no_harm
            a_new_peer_in_an_old_place_is_another
        }
    };
    ($subject:ty: $($check:ident)*) => {
        $(
            #[test]
            fn $check() {
                $crate::conformance::$check::<$subject>();
            }
        )*
    };
}
