//! Packets as the data plane seals, opens and accepts them.

/// The kind of payload of a data packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// An IP packet, padded or not.
    Data,
    /// No payload.
    Keepalive,
    /// A message of the protocol's control plane, sent through the tunnel.
    Control,
}

/// What a batch needs of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SealRequest {
    /// The number of packets; each needs a counter.
    pub packets: u32,
    /// The sum of their payload lengths.
    pub payload_bytes: usize,
    /// The kind of all payloads.
    pub content: Content,
}

impl SealRequest {
    /// A request for IP packets.
    pub const fn data(packets: u32, payload_bytes: usize) -> Self {
        Self { packets, payload_bytes, content: Content::Data }
    }

    /// A request for one keepalive.
    pub const fn keepalive() -> Self {
        Self { packets: 1, payload_bytes: 0, content: Content::Keepalive }
    }

    /// A request for one control message.
    pub const fn control(payload_bytes: usize) -> Self {
        Self { packets: 1, payload_bytes, content: Content::Control }
    }
}

/// A packet to be sealed.
pub struct SealPacket<'a> {
    /// The fragments of the plaintext, in order (NT: an MDL chain).
    pub source: &'a [&'a [u8]],
    /// The sum of the fragment lengths.
    pub payload_bytes: usize,
    /// Receives the datagram; [`super::Protocol::datagram_bytes`] long.
    pub datagram: &'a mut [u8],
}

/// The packets of a batch that was handed to the network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SentPackets {
    /// Packets with [`Content::Data`].
    pub data_packets: u32,
    /// Packets with [`Content::Keepalive`].
    pub keepalives: u32,
    /// Packets with [`Content::Control`].
    pub control_messages: u32,
}

impl SentPackets {
    /// The number of datagrams.
    pub const fn datagrams(&self) -> u32 {
        self.data_packets.saturating_add(self.keepalives).saturating_add(self.control_messages)
    }
}

/// A datagram to be opened.
pub struct OpenPacket<'a> {
    /// The fragments of the datagram, in order (NT: an MDL chain).
    pub source: &'a [&'a [u8]],
    /// The sum of the fragment lengths.
    pub datagram_bytes: usize,
    /// Receives the plaintext; [`super::Protocol::payload_capacity`] long.
    pub output: &'a mut [u8],
    /// Set by [`super::Opener::open`]; `None` if the datagram is not authentic.
    pub result: Option<OpenedPacket>,
}

/// An authentic packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenedPacket {
    /// Its counter, for the replay check of [`super::DataPlane::accept`].
    pub counter: u64,
    /// The length of the plaintext at the start of the output, padding included; 0 for a keepalive.
    pub payload_bytes: usize,
    /// The kind of payload.
    pub content: Content,
}

/// What the engine does with an authentic packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// Deliver the IP packet to the stack.
    Deliver,
    /// Pass the payload to [`super::ControlPlane::authenticated_message`].
    Control,
    /// Nothing more: a keepalive.
    Consumed,
    /// Drop it: its counter was seen before or is too old.
    Replayed,
}

/// Fills `output` from the fragments of a packet, starting `skip` bytes after their start. Returns
/// false if they are too short.
#[inline]
pub fn gather(fragments: &[&[u8]], mut skip: usize, mut output: &mut [u8]) -> bool {
    for fragment in fragments {
        let Some(rest) = fragment.get(skip..) else {
            skip = skip.saturating_sub(fragment.len());
            continue;
        };
        skip = 0;
        let length = rest.len().min(output.len());
        let (Some(front), Some((target, remaining))) =
            (rest.get(..length), output.split_at_mut_checked(length))
        else {
            return false;
        };
        target.copy_from_slice(front);
        output = remaining;
        if output.is_empty() {
            return true;
        }
    }
    output.is_empty()
}

#[cfg(test)]
mod tests {
    use super::gather;

    #[test]
    fn pieces_are_read_as_one_wherever_they_are_cut() {
        let all: [u8; 9] = core::array::from_fn(|at| at as u8);
        for (first, second) in (0..=9).flat_map(|second| (0..=second).map(move |at| (at, second))) {
            let pieces = [&all[..first], &all[first..second], &all[second..]];
            for (skip, length) in (0..=10).flat_map(|skip| (0..=10).map(move |n| (skip, n))) {
                let mut output = [0xff; 10];
                let wanted = all.get(skip..skip + length);
                let is_full = gather(&pieces, skip, &mut output[..length]);
                assert_eq!(is_full, wanted.is_some() || length == 0, "{first} {second} {skip}");
                assert!(wanted.is_none_or(|wanted| output[..length] == *wanted));
            }
        }
    }
}
