//! How much a sending key has been used.

use nic_crypto::Suite;
use nic_engine::protocol::SealRequest;

/// The most that may be sealed under one key. Userspace hears of it at seven eighths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Packets.
    pub(crate) packets: u64,
    /// Packets and 16-byte blocks of payload together.
    pub(crate) blocks: u64,
}

impl Limits {
    /// Those of a key whose counters end here.
    pub(crate) const fn new(packets: u64, suite: Suite) -> Self {
        let blocks = match suite {
            // What OpenVPN allows, after draft-irtf-cfrg-aead-limits.
            Suite::Aes128Gcm | Suite::Aes192Gcm | Suite::Aes256Gcm => (1 << 36) - 1,
            Suite::ChaCha20Poly1305 => u64::MAX,
        };
        Self { packets, blocks }
    }
}

/// What has been sealed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    packets: u64,
    blocks: u64,
}

impl Usage {
    /// Reserves counters for a batch, and returns the first: 1 for the first of all. `None` where a
    /// limit would be passed; then nothing has changed.
    pub(crate) fn reserve(&mut self, request: SealRequest, limits: &Limits) -> Option<u64> {
        let new = self.with(request)?;
        if new.packets > limits.packets || new.blocks > limits.blocks {
            return None;
        }
        let first = self.packets.checked_add(1)?;
        *self = new;
        Some(first)
    }

    /// Whether a limit is near.
    pub(crate) const fn is_near(&self, limits: &Limits) -> bool {
        self.packets > limits.packets - limits.packets / 8
            || self.blocks > limits.blocks - limits.blocks / 8
    }

    /// With one batch more.
    fn with(self, request: SealRequest) -> Option<Self> {
        let packets = u64::from(request.packets);
        // The last block of each packet may be short.
        let blocks = (request.payload_bytes as u64 / 16).checked_add(packets.checked_mul(2)?)?;
        Some(Self {
            packets: self.packets.checked_add(packets)?,
            blocks: self.blocks.checked_add(blocks)?,
        })
    }

    /// As it is after so much use.
    #[cfg(test)]
    pub(crate) const fn after(packets: u64, blocks: u64) -> Self {
        Self { packets, blocks }
    }
}

/// How often opening has failed under one key. With each failure, a forgery gets likelier (RFC
/// 9147, section 4.5.3).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Failures {
    count: u64,
    limit: u64,
}

impl Failures {
    /// None, of as many as OpenVPN allows, whatever the suite.
    pub(crate) const NONE: Self = Self::of(1 << 36);

    /// None, of so many.
    pub(crate) const fn of(limit: u64) -> Self {
        Self { count: 0, limit }
    }

    /// Notes so many.
    pub(crate) const fn note(&mut self, count: u32) {
        self.count = self.count.saturating_add(count as u64);
    }

    /// Whether the limit is near: OpenVPN renews its keys at half of it.
    pub(crate) const fn are_near_limit(&self) -> bool {
        self.count >= self.limit / 2
    }

    /// Whether the key may open nothing more.
    pub(crate) const fn are_at_limit(&self) -> bool {
        self.count >= self.limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn load(packets: u32, payload_bytes: usize) -> SealRequest {
        SealRequest::data(packets, payload_bytes)
    }

    #[test]
    fn counters_are_handed_out_once_and_stop_at_the_limit() {
        let limits = Limits { packets: 100, blocks: u64::MAX };
        let mut usage = Usage::default();
        assert_eq!(usage.reserve(load(60, 0), &limits), Some(1));
        assert_eq!(usage.reserve(load(27, 0), &limits), Some(61));
        assert!(!usage.is_near(&limits));
        assert_eq!(usage.reserve(load(2, 0), &limits), Some(88));
        assert!(usage.is_near(&limits));
        assert_eq!(usage.reserve(load(12, 0), &limits), None);
        assert_eq!(usage.reserve(load(11, 0), &limits), Some(90));
        assert_eq!(usage.reserve(load(1, 0), &limits), None);
    }

    #[test]
    fn gcm_is_limited_in_blocks() {
        let limits = Limits::new(u64::MAX, Suite::Aes256Gcm);
        let mut usage = Usage::default();
        // 64 packets of 1408 bytes are 64 + 64 * 88 and, as some might have ended in a short block,
        // 64 more.
        let batch = load(64, 64 * 1408);
        let batches = ((1_u64 << 36) - 1) / (64 * 90);
        usage.blocks = (batches - 1) * 64 * 90;
        assert!(usage.is_near(&limits));
        assert!(usage.reserve(batch, &limits).is_some());
        assert_eq!(usage.reserve(batch, &limits), None);
        assert!(Limits::new(1, Suite::ChaCha20Poly1305).blocks == u64::MAX);
    }

    #[test]
    fn as_many_may_fail_as_openvpn_allows() {
        let mut failures = Failures::NONE;
        let failed = |failures: &mut Failures, count: u64| {
            (0..count / (1 << 31)).for_each(|_| failures.note(1 << 31));
            (failures.are_near_limit(), failures.are_at_limit())
        };
        assert_eq!(failed(&mut failures, (1 << 35) - (1 << 31)), (false, false));
        assert_eq!(failed(&mut failures, 1 << 31), (true, false));
        failures.note(u32::MAX / 2);
        assert_eq!(failed(&mut failures, (1 << 35) - (1 << 31)), (true, false));
        failures.note(1);
        assert_eq!(failed(&mut failures, 0), (true, true));
    }
}
