//! How many handshake messages an address may send us while we are under load.
//!
//! A token bucket for each IPv4 address or IPv6 /64. A bucket that has had time to fill up again is
//! as good as none, so entries need no collection: any such one may be taken over. The table is
//! set-associative, its size is fixed, and its hash is keyed, so that nobody can aim at one set.
//! Only senders that have proven their address by a cookie get here.

extern crate alloc;

use alloc::boxed::Box;
use core::hash::Hasher;
use core::net::IpAddr;
use core::time::Duration;

use nic_engine::Instant;
use nic_memory::slice;
use siphasher::sip::SipHasher13;

/// Messages per second that an address may send in the long run.
pub(crate) const MESSAGES_PER_SECOND: u32 = 20;
/// Messages that it may send at once.
pub(crate) const BURST_MESSAGES: u32 = 5;

/// Addresses that are told apart at a time.
#[cfg(test)]
pub(crate) const ENTRIES: usize = SETS * WAYS;

const SETS: usize = 1024;
const WAYS: usize = 8;

const MESSAGE_NANOS: u64 = 1_000_000_000 / MESSAGES_PER_SECOND as u64;
const BURST_NANOS: u64 = MESSAGE_NANOS * BURST_MESSAGES as u64;

/// The table is given back when nobody was judged for this long.
const IDLE: Duration = Duration::from_secs(60);

/// Token buckets by address.
#[derive(Default)]
pub(crate) struct RateLimiter {
    table: Option<Table>,
}

impl RateLimiter {
    /// Whether one more message from this address is within its rate. `random` fills a buffer;
    /// without it, or without memory for the table, nobody gets through.
    pub(crate) fn admit(
        &mut self,
        address: IpAddr,
        now: Instant,
        random: &mut dyn FnMut(&mut [u8]) -> bool,
    ) -> bool {
        if self.table.is_none() {
            self.table = Table::new(random);
        }
        self.table.as_mut().is_some_and(|table| table.admit(address, now))
    }

    /// Gives the memory back when there was no load for a while.
    pub(crate) fn collect(&mut self, now: Instant) {
        if self.table.as_ref().is_some_and(|table| now.since(table.used) >= IDLE) {
            self.table = None;
        }
    }
}

struct Table {
    key: [u8; 16],
    sets: Box<[Set]>,
    used: Instant,
}

type Set = [Entry; WAYS];

/// A token bucket, kept as the time at which it will be full again.
#[derive(Clone, Copy)]
struct Entry {
    prefix: Prefix,
    full_at: Instant,
}

/// An IPv4 address, or the first half of an IPv6 one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Prefix {
    V4(u32),
    V6(u64),
}

impl Table {
    fn new(random: &mut dyn FnMut(&mut [u8]) -> bool) -> Option<Self> {
        let mut key = [0; 16];
        if !random(&mut key) {
            return None;
        }
        let empty = [Entry { prefix: Prefix::V4(0), full_at: Instant::ZERO }; WAYS];
        Some(Self { key, sets: slice(SETS, |_| empty).ok()?, used: Instant::ZERO })
    }

    fn admit(&mut self, address: IpAddr, now: Instant) -> bool {
        self.used = now;
        let prefix = Prefix::of(address);
        let hash = prefix.hash(&self.key);
        let Some(set) = usize::try_from(hash % SETS as u64).ok().and_then(|i| self.sets.get_mut(i))
        else {
            return false;
        };
        // Its own bucket, else one that has become full, else there is no room: refuse.
        let own = set.iter().position(|entry| entry.prefix == prefix);
        let free = || set.iter().position(|entry| entry.full_at <= now);
        let Some(entry) = own.or_else(free).and_then(|way| set.get_mut(way)) else {
            return false;
        };
        if entry.prefix != prefix {
            *entry = Entry { prefix, full_at: now };
        }
        let debt = entry.full_at.since(now);
        let debt = debt.saturating_add(Duration::from_nanos(MESSAGE_NANOS));
        if debt > Duration::from_nanos(BURST_NANOS) {
            return false;
        }
        entry.full_at = now.after(debt);
        true
    }
}

impl Prefix {
    fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Self::V4(address.to_bits()),
            IpAddr::V6(address) => Self::V6((address.to_bits() >> 64) as u64),
        }
    }

    fn hash(self, key: &[u8; 16]) -> u64 {
        let mut hasher = SipHasher13::new_with_key(key);
        match self {
            Self::V4(prefix) => hasher.write_u32(prefix),
            Self::V6(prefix) => hasher.write_u64(prefix),
        }
        hasher.finish()
    }
}

#[cfg(test)]
mod tests {
    use core::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    fn fixed(bytes: &mut [u8]) -> bool {
        bytes.fill(7);
        true
    }

    #[test]
    fn burst_then_rate() {
        let mut limiter = RateLimiter::default();
        let address = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
        let mut now = Instant::from_nanos(1_000_000_000_000);
        for _ in 0..BURST_MESSAGES {
            assert!(limiter.admit(address, now, &mut fixed));
        }
        assert!(!limiter.admit(address, now, &mut fixed));
        let mut admitted = 0;
        for _ in 0..1000 {
            now = now.after(Duration::from_millis(10));
            admitted += u32::from(limiter.admit(address, now, &mut fixed));
        }
        assert_eq!(admitted, 10 * MESSAGES_PER_SECOND);
        // After a pause there is a full burst again, and no more.
        now = now.after(Duration::from_secs(3600));
        for _ in 0..BURST_MESSAGES {
            assert!(limiter.admit(address, now, &mut fixed));
        }
        assert!(!limiter.admit(address, now, &mut fixed));
    }

    #[test]
    fn addresses_and_prefixes_are_told_apart() {
        let mut limiter = RateLimiter::default();
        let now = Instant::from_nanos(1_000_000_000_000);
        let v6 =
            |high: u16, low: u16| IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, high, 0, 0, 0, low));
        for low in 0..5 {
            assert!(limiter.admit(v6(1, low), now, &mut fixed));
        }
        assert!(!limiter.admit(v6(1, 99), now, &mut fixed), "same /64");
        assert!(limiter.admit(v6(2, 99), now, &mut fixed), "another /64");
        assert!(limiter.admit(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2)), now, &mut fixed));
    }

    #[test]
    fn table_is_bounded_and_recovers() {
        let mut limiter = RateLimiter::default();
        let now = Instant::from_nanos(1_000_000_000_000);
        let admitted = (0..4 * ENTRIES as u32)
            .filter(|&bits| limiter.admit(IpAddr::V4(Ipv4Addr::from_bits(bits)), now, &mut fixed))
            .count();
        assert_eq!(admitted, ENTRIES, "every place is used, and none twice");
        let later = now.after(Duration::from_millis(51));
        assert!(limiter.admit(IpAddr::V4(Ipv4Addr::from_bits(u32::MAX)), later, &mut fixed));
        limiter.collect(later.after(IDLE));
        assert!(limiter.table.is_none());
    }

    #[test]
    fn without_random_numbers_nobody_passes() {
        let mut limiter = RateLimiter::default();
        let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
        assert!(!limiter.admit(address, Instant::from_nanos(1), &mut |_| false));
        assert!(limiter.admit(address, Instant::from_nanos(1), &mut fixed));
    }
}
