//! An adapter's traffic and discard counters.

use core::sync::atomic::{AtomicU64, Ordering};

use crate::protocol::Discard;

/// An adapter's counters. Added to once per batch.
#[derive(Debug, Default)]
pub struct Statistics {
    sent: Flow,
    received: Flow,
    discards: [AtomicU64; Discard::COUNT],
}

/// One direction's counters.
#[derive(Debug, Default)]
struct Flow {
    packets: AtomicU64,
    bytes: AtomicU64,
}

/// The counters at one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Totals {
    /// Data packets sent.
    pub sent_packets: u64,
    /// UDP payload bytes of all that was sent.
    pub sent_bytes: u64,
    /// Data packets received and delivered.
    pub received_packets: u64,
    /// UDP payload bytes of all that was received and authentic.
    pub received_bytes: u64,
    /// Discarded packets and messages, by `Discard as usize`.
    pub discards: [u64; Discard::COUNT],
}

impl Statistics {
    /// Counts what was sent.
    pub fn sent(&self, packets: u64, bytes: u64) {
        self.sent.add(packets, bytes);
    }

    /// Takes back bytes that were counted as sent.
    pub fn not_sent(&self, bytes: u64) {
        let less = |sent: u64| Some(sent.saturating_sub(bytes));
        let _ = self.sent.bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }

    /// Counts what was received.
    pub fn received(&self, packets: u64, bytes: u64) {
        self.received.add(packets, bytes);
    }

    /// Counts discarded packets or messages.
    pub fn discarded(&self, reason: Discard, count: u64) {
        if count > 0
            && let Some(counter) = self.discards.get(reason as usize)
        {
            counter.fetch_add(count, Ordering::Relaxed);
        }
    }

    /// The counters now.
    pub fn totals(&self) -> Totals {
        let mut discards = [0; Discard::COUNT];
        for (total, counter) in discards.iter_mut().zip(&self.discards) {
            *total = counter.load(Ordering::Relaxed);
        }
        Totals {
            sent_packets: self.sent.packets.load(Ordering::Relaxed),
            sent_bytes: self.sent.bytes.load(Ordering::Relaxed),
            received_packets: self.received.packets.load(Ordering::Relaxed),
            received_bytes: self.received.bytes.load(Ordering::Relaxed),
            discards,
        }
    }
}

impl Totals {
    /// Discarded packets and messages for this reason.
    pub fn discarded(&self, reason: Discard) -> u64 {
        self.discards.get(reason as usize).copied().unwrap_or(0)
    }
}

impl Flow {
    fn add(&self, packets: u64, bytes: u64) {
        self.packets.fetch_add(packets, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }
}
