//! The packets that the stack above an [`End`](super::End) sends, and how a step of a test tells
//! its own from those of others.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, Ordering};

/// The UDP ports of a packet that belongs to no step.
const UNMARKED: u32 = 0x1234_5678;

/// One step of a test. Its packets have UDP ports of their own, so a late packet of an earlier step
/// isn't taken for one of them.
pub struct Step {
    mark: u32,
}

/// Where a received packet comes from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Origin {
    /// The step that is running.
    Step,
    /// A packet that belongs to no step.
    Unmarked,
    /// Another step, or the packet isn't as it was sent.
    Unexpected,
}

impl Step {
    /// A new step.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "each step differs from all others")]
    pub fn new() -> Self {
        static STEPS: AtomicU32 = AtomicU32::new(1);
        Self { mark: STEPS.fetch_add(1, Ordering::Relaxed) }
    }

    /// A UDP packet of this step between two addresses of one family, its payload all `fill`.
    #[must_use]
    pub fn packet(&self, from: IpAddr, to: IpAddr, payload_bytes: usize, fill: u8) -> Vec<u8> {
        marked(from, to, self.mark, payload_bytes, fill)
    }

    /// Where a received packet comes from, by its ports.
    pub(super) fn origin(&self, packet: &[u8]) -> Origin {
        let header_bytes = match packet.first().map(|first| first >> 4) {
            Some(4) => 20,
            Some(6) => 40,
            _ => return Origin::Unexpected,
        };
        let Some(ports) = packet.get(header_bytes..header_bytes + 4) else {
            return Origin::Unexpected;
        };
        let mark = u32::from_be_bytes([ports[0], ports[1], ports[2], ports[3]]);
        let payload = packet.get(header_bytes + 8..).unwrap_or_default();
        let is_uniform = payload.windows(2).all(|bytes| bytes[0] == bytes[1]);
        match mark {
            mark if mark == self.mark => Origin::Step,
            UNMARKED if is_uniform => Origin::Unmarked,
            _ => Origin::Unexpected,
        }
    }
}

/// A UDP packet of no step between two addresses of one family, its payload all `fill`.
pub(super) fn unmarked(from: IpAddr, to: IpAddr, payload_bytes: usize, fill: u8) -> Vec<u8> {
    marked(from, to, UNMARKED, payload_bytes, fill)
}

fn marked(from: IpAddr, to: IpAddr, mark: u32, payload_bytes: usize, fill: u8) -> Vec<u8> {
    let udp_bytes = u16::try_from(8 + payload_bytes).expect("a packet that fits");
    let mut packet = match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            let mut header = vec![0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, 17, 0, 0];
            header[2..4].copy_from_slice(&(20 + udp_bytes).to_be_bytes());
            header.extend(from.octets());
            header.extend(to.octets());
            header
        }
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            let mut header = vec![0x60, 0, 0, 0, 0, 0, 17, 64];
            header[4..6].copy_from_slice(&udp_bytes.to_be_bytes());
            header.extend(from.octets());
            header.extend(to.octets());
            header
        }
        _ => panic!("two families"),
    };
    packet.extend(mark.to_be_bytes());
    packet.extend(udp_bytes.to_be_bytes());
    packet.extend([0, 0]);
    packet.extend(std::iter::repeat_n(fill, payload_bytes));
    packet
}
