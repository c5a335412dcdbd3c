//! OpenVPN over TCP: each packet follows its length in 16 bits (openvpn-rfc, "TCP").
//!
//! Keys, packets and timers are those of OpenVPN over UDP. What differs is the framing, and that a
//! peer can't move: its connection has one address.

use nic_engine::protocol::{
    Addresses, ClaimError, Class, ControlPlane, DataPlane, Disposition, NotReady, OpenedPacket,
    PeerId, SealRequest, Selector, SentPackets, StreamFraming, StreamMessage,
};
use nic_engine::{ControlHost, Endpoint, Instant, Now, Protocol, Transport};
use nic_openvpn::{Format, OpenContext, OpenVpn, PeerControl, PeerData, SealContext};

struct OpenVpnOverTcp;

/// The control state. That of OpenVPN over UDP is generic over the protocol, once this is built.
struct Control;

/// A length in 16 bits, in network order.
struct LengthPrefix;

impl StreamFraming for LengthPrefix {
    const PREFIX_BYTES: usize = 2;

    fn write_prefix(message_bytes: usize, prefix: &mut [u8]) -> bool {
        let (Ok(length), Ok(prefix)) = (u16::try_from(message_bytes), prefix.try_into()) else {
            return false;
        };
        let prefix: &mut [u8; 2] = prefix;
        *prefix = length.to_be_bytes();
        length > 0
    }

    fn next_message(received: &[u8]) -> StreamMessage {
        let Some((length, rest)) = received.split_first_chunk() else {
            return StreamMessage::Incomplete;
        };
        match usize::from(u16::from_be_bytes(*length)) {
            0 => StreamMessage::Malformed,
            message_bytes if message_bytes <= rest.len() => {
                StreamMessage::Complete { message_bytes }
            }
            _ => StreamMessage::Incomplete,
        }
    }
}

impl Protocol for OpenVpnOverTcp {
    /// Connections from one host have different ports.
    const ADDRESSES: Addresses = Addresses::Exclusive;
    const MAX_CONTROL_BYTES: usize = OpenVpn::MAX_CONTROL_BYTES;
    const MAX_OVERHEAD_BYTES: usize = OpenVpn::MAX_OVERHEAD_BYTES + LengthPrefix::PREFIX_BYTES;
    const LONGEST_FRAMING: Format = OpenVpn::LONGEST_FRAMING;

    type Control = Control;
    type PeerControl = PeerControl;
    type PeerData = PeerData;
    type SealContext = SealContext;
    type OpenContext = OpenContext;
    type AddressValidator = ();
    type Framing = Format;
    type Stream = LengthPrefix;

    fn datagram_bytes(format: Format, payload_bytes: usize, mtu_bytes: usize) -> usize {
        OpenVpn::datagram_bytes(format, payload_bytes, mtu_bytes)
    }

    fn payload_capacity(datagram_bytes: usize) -> usize {
        OpenVpn::payload_capacity(datagram_bytes)
    }

    fn classify(head: &[u8], datagram_bytes: usize) -> Class {
        OpenVpn::classify(head, datagram_bytes)
    }
}

impl DataPlane<OpenVpnOverTcp> for PeerData {
    fn framing(&self) -> Format {
        DataPlane::<OpenVpn>::framing(self)
    }

    fn begin_seal(&mut self, request: SealRequest, now: Instant) -> Result<SealContext, NotReady> {
        DataPlane::<OpenVpn>::begin_seal(self, request, now)
    }

    fn sent(&mut self, sent: SentPackets, now: Instant) {
        DataPlane::<OpenVpn>::sent(self, sent, now);
    }

    fn begin_open(&self, selector: Selector, now: Instant) -> Option<OpenContext> {
        DataPlane::<OpenVpn>::begin_open(self, selector, now)
    }

    fn accept(
        &mut self,
        context: &OpenContext,
        packet: &OpenedPacket,
        now: Instant,
    ) -> Disposition {
        DataPlane::<OpenVpn>::accept(self, context, packet, now)
    }

    fn roams(&self) -> bool {
        false
    }

    fn deadline(&self) -> Instant {
        DataPlane::<OpenVpn>::deadline(self)
    }
}

impl ControlPlane<OpenVpnOverTcp> for Control {
    fn address_validator(&self) {}

    fn control_message(
        &mut self,
        host: &mut dyn ControlHost<OpenVpnOverTcp>,
        datagram: &[u8],
        from: &Endpoint,
        _now: Now,
    ) {
        if from.transport == Transport::Stream {
            host.hand_up(from, datagram);
        }
    }

    fn timeout(&mut self, _: &mut dyn ControlHost<OpenVpnOverTcp>, _: PeerId, _: Now) {
        todo!("as over UDP")
    }

    fn peer_added(
        &mut self,
        _: &mut dyn ControlHost<OpenVpnOverTcp>,
        _: PeerId,
    ) -> Result<(), ClaimError> {
        todo!("as over UDP")
    }

    fn peer_removed(&mut self, _: &mut dyn ControlHost<OpenVpnOverTcp>, _: PeerId) {
        todo!("as over UDP")
    }
}

#[test]
fn a_stream_is_split_into_the_messages_that_were_written() {
    type Stream = <OpenVpnOverTcp as Protocol>::Stream;
    let messages: [&[u8]; 3] = [b"a", &[7; 300], b"the last"];
    let mut stream = Vec::new();
    for message in messages {
        let mut prefix = [0; Stream::PREFIX_BYTES];
        assert!(Stream::write_prefix(message.len(), &mut prefix));
        stream.extend(prefix);
        stream.extend(message);
    }
    let mut rest = &stream[..];
    for message in messages {
        let end = Stream::PREFIX_BYTES + message.len();
        for cut in 0..end {
            assert_eq!(Stream::next_message(&rest[..cut]), StreamMessage::Incomplete);
        }
        let message_bytes = message.len();
        assert_eq!(Stream::next_message(rest), StreamMessage::Complete { message_bytes });
        assert_eq!(&rest[Stream::PREFIX_BYTES..end], message);
        rest = &rest[end..];
    }
    assert_eq!(Stream::next_message(&[0, 0, 1]), StreamMessage::Malformed);
    assert!(!Stream::write_prefix(1 << 16, &mut [0; 2]));
}
