//! What we know of a peer.

use core::mem;
use core::net::{Ipv4Addr, Ipv6Addr};

use nic_engine::Instant;

use crate::key::{DataKey, NearEnd};
use crate::mode::Mode;
use crate::packet::{Format, UNDEFINED_PEER_ID};
use crate::slots::{Slot, Slots};
use crate::timers::Timers;

/// A peer's addresses within the tunnel, as userspace gave them. Belongs to the control lock.
pub struct PeerControl {
    pub(crate) vpn4: Option<Ipv4Addr>,
    pub(crate) vpn6: Option<Ipv6Addr>,
}

/// What may be changed of a peer; what is `None` stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PeerChange {
    /// Seconds without a packet sent after which a ping is; 0 for never. Counted from now.
    pub keepalive_s: Option<u32>,
    /// Seconds without a packet received after which the peer is given up; 0 for never. Counted
    /// from now.
    pub timeout_s: Option<u32>,
    /// The most that TCP segments may carry, in bytes; SYN packets that say more are changed, both
    /// ways. 0 leaves them alone.
    pub mss_bytes: Option<u16>,
}

/// A peer's keys and timers. Belongs to the peer lock.
pub struct PeerData {
    pub(crate) mode: Mode,
    /// The id on packets to it.
    pub(crate) transmit_id: Option<u32>,
    pub(crate) slots: Slots,
    pub(crate) timers: Timers,
    /// The most that a TCP segment may carry over IPv4; 0 for any.
    pub(crate) mss_bytes: u16,
    /// When userspace is to hear, next, that a key is wanted.
    pub(crate) key_wanted_at: Option<Instant>,
    /// One of the keys is near the end of its use, and userspace is to hear of it.
    pub(crate) is_limit_near: bool,
    /// Epochs have moved: keys are to be derived.
    pub(crate) wants_derivation: bool,
}

impl PeerData {
    /// A peer without keys.
    pub(crate) fn new(mode: Mode, transmit_id: Option<u32>, now: Instant) -> Self {
        Self {
            mode,
            transmit_id,
            slots: Slots::default(),
            timers: Timers::new(now),
            mss_bytes: 0,
            key_wanted_at: None,
            is_limit_near: false,
            wants_derivation: false,
        }
    }

    /// Changes what is configured.
    pub(crate) const fn change(&mut self, change: &PeerChange, now: Instant) {
        if let Some(seconds) = change.keepalive_s {
            self.timers.set_keepalive(seconds, now);
        }
        if let Some(seconds) = change.timeout_s {
            self.timers.set_timeout(seconds, now);
        }
        if let Some(mss_bytes) = change.mss_bytes {
            self.mss_bytes = mss_bytes;
        }
    }

    /// Puts a key, or none, into a slot, and leaves what was there in its place.
    pub(crate) fn put_key(&mut self, slot: Slot, key: &mut Option<DataKey>) {
        self.slots.put(slot, key);
        if slot == Slot::Primary {
            self.key_wanted_at = None;
        }
        self.keys_changed();
    }

    /// Exchanges the slots.
    pub(crate) fn swap_keys(&mut self) {
        self.slots.swap();
        self.key_wanted_at = None;
        // Who sealed until here is being replaced already.
        if let Some(key) = self.slots.get_mut(Slot::Secondary)
            && key.near_end == NearEnd::ToTell
        {
            key.near_end = NearEnd::Unseen;
        }
        self.keys_changed();
    }

    /// What was noted of a key that is gone counts no more.
    fn keys_changed(&mut self) {
        self.is_limit_near = self.slots.iter().any(|key| key.near_end == NearEnd::ToTell);
    }

    /// Whether userspace is to hear that a key is near the end of its use; once.
    pub(crate) fn take_limit_near(&mut self) -> bool {
        let is_limit_near = mem::take(&mut self.is_limit_near);
        if is_limit_near {
            for slot in [Slot::Primary, Slot::Secondary] {
                if let Some(key) = self.slots.get_mut(slot)
                    && key.near_end == NearEnd::ToTell
                {
                    key.near_end = NearEnd::Told;
                }
            }
        }
        is_limit_near
    }

    /// How the primary key's packets are laid out.
    pub(crate) fn format(&self) -> Format {
        self.slots.get(Slot::Primary).map_or(Format::Classic, |key| key.info.format)
    }

    /// The id to put on packets.
    pub(crate) fn wire_id(&self) -> u32 {
        self.transmit_id.unwrap_or(UNDEFINED_PEER_ID)
    }
}
