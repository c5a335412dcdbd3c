//! OpenVPN's data channel as a protocol of the engine.

use nic_engine::Protocol;
use nic_engine::protocol::{Addresses, Class, DatagramsOnly};

use crate::control::Control;
use crate::data::{self, OpenContext, SealContext};
use crate::packet::{self, Format};
use crate::peer::{PeerControl, PeerData};

/// The protocol.
pub struct OpenVpn;

impl Protocol for OpenVpn {
    const ADDRESSES: Addresses = Addresses::Exclusive;
    /// Control packets are passed to userspace.
    const MAX_CONTROL_BYTES: usize = 0;
    const MAX_OVERHEAD_BYTES: usize = Self::LONGEST_FRAMING.overhead_bytes();
    const LONGEST_FRAMING: Format = Format::Epoch;

    type Control = Control;
    type PeerControl = PeerControl;
    type PeerData = PeerData;
    type SealContext = SealContext;
    type OpenContext = OpenContext;
    type AddressValidator = ();
    type Framing = Format;
    type Stream = DatagramsOnly;

    fn datagram_bytes(format: Format, payload_bytes: usize, _mtu_bytes: usize) -> usize {
        data::datagram_bytes(format, payload_bytes)
    }

    fn payload_capacity(datagram_bytes: usize) -> usize {
        data::payload_capacity(datagram_bytes)
    }

    fn classify(head: &[u8], _datagram_bytes: usize) -> Class {
        packet::classify(head)
    }
}
