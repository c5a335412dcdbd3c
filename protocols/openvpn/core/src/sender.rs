//! The sending half of a key.

use core::mem;
use core::num::NonZeroU64;

use nic_crypto::Suite;
use nic_engine::protocol::SealRequest;

use crate::derivation::EpochSecret;
use crate::key::{InstallKeyError, PacketKey};
use crate::usage::{Limits, Usage};

/// Packet ids from this one on are not sent: the peer wants a new key before they run out.
const CLASSIC_END: u64 = 0xf000_0000;

/// Counters of an epoch have 48 bits.
const EPOCH_END: u64 = 1 << 48;

/// The last epoch to send in.
const LAST_EPOCH: u16 = 0xfffe;

/// From this epoch on a new key is wanted.
const LATE_EPOCH: u16 = 0xf000;

/// Seals with one key at a time, and hands out its counters.
pub(crate) struct Sender {
    key: PacketKey,
    /// 0 where the key has no epochs.
    epoch: u16,
    /// Of this epoch.
    usage: Usage,
    limits: Limits,
    /// Packets of all epochs, as far as userspace limits them.
    total: Usage,
    total_limits: Limits,
    /// What comes next, where the key has epochs.
    ahead: Option<Ahead>,
}

/// The epoch that follows.
struct Ahead {
    /// Its key; `None` until the control plane has derived it.
    key: Option<PacketKey>,
    /// Its secret while there is no key, then that of the epoch behind it.
    secret: EpochSecret,
    suite: Suite,
    /// The epoch to come to: the peer's.
    target: u16,
}

/// What a batch is sealed with.
pub(crate) struct Reserved {
    pub(crate) key: PacketKey,
    pub(crate) epoch: u16,
    /// The first packet's counter.
    pub(crate) first: u64,
}

impl Sender {
    /// A key without epochs.
    pub(crate) fn classic(key: PacketKey, limit: Option<NonZeroU64>) -> Self {
        let suite = key.aead.suite();
        Self::new(key, 0, Limits::new(CLASSIC_END - 1, suite), limit, None)
    }

    /// A key in its first epoch.
    pub(crate) fn epoch(
        secret: &EpochSecret,
        suite: Suite,
        limit: Option<NonZeroU64>,
    ) -> Result<Self, InstallKeyError> {
        let key = secret.key(suite)?;
        let next = secret.next();
        let ahead = Ahead { key: Some(next.key(suite)?), secret: next.next(), suite, target: 1 };
        Ok(Self::new(key, 1, Limits::new(EPOCH_END - 1, suite), limit, Some(ahead)))
    }

    fn new(
        key: PacketKey,
        epoch: u16,
        limits: Limits,
        limit: Option<NonZeroU64>,
        ahead: Option<Ahead>,
    ) -> Self {
        let packets = limit.map_or(u64::MAX, NonZeroU64::get);
        Self {
            key,
            epoch,
            usage: Usage::default(),
            limits,
            total: Usage::default(),
            total_limits: Limits { packets, blocks: u64::MAX },
            ahead,
        }
    }

    /// Reserves counters for a batch; moves to the next epoch where this one is used up. `None`
    /// where the key is.
    pub(crate) fn reserve(&mut self, request: SealRequest) -> Option<Reserved> {
        // All limits before any change.
        let mut total = self.total;
        total.reserve(request, &self.total_limits)?;
        let first = match self.usage.reserve(request, &self.limits) {
            Some(first) => first,
            None if self.advance() => self.usage.reserve(request, &self.limits)?,
            None => return None,
        };
        self.total = total;
        Some(Reserved { key: self.key.clone(), epoch: self.epoch, first })
    }

    /// Whether a new key is wanted.
    pub(crate) const fn is_near_end(&self) -> bool {
        let of_epochs = self.epoch >= LATE_EPOCH;
        let of_key = self.ahead.is_none() && self.usage.is_near(&self.limits);
        of_epochs || of_key || self.total.is_near(&self.total_limits)
    }

    /// Moves to the peer's epoch, at once or as soon as there are keys.
    pub(crate) fn follow(&mut self, epoch: u16) {
        if let Some(ahead) = &mut self.ahead {
            ahead.target = ahead.target.max(epoch);
        }
        if self.is_behind() {
            self.advance();
        }
    }

    /// The secret of the next epoch, whose key is to be derived.
    pub(crate) fn wanted(&self) -> Option<(&EpochSecret, Suite)> {
        let ahead = self.ahead.as_ref()?;
        let is_wanted = ahead.key.is_none() && self.epoch < LAST_EPOCH;
        is_wanted.then_some((&ahead.secret, ahead.suite))
    }

    /// Takes the next epoch's key, and the secret of the one behind it.
    pub(crate) fn derived(&mut self, key: PacketKey, secret: EpochSecret) {
        if let Some(ahead) = &mut self.ahead
            && ahead.key.is_none()
        {
            ahead.key = Some(key);
            ahead.secret = secret;
        }
        if self.is_behind() {
            self.advance();
        }
    }

    fn is_behind(&self) -> bool {
        self.ahead.as_ref().is_some_and(|ahead| self.epoch < ahead.target)
    }

    /// Moves to the next epoch. False where its key is not there.
    fn advance(&mut self) -> bool {
        if self.epoch >= LAST_EPOCH {
            return false;
        }
        let Some(next) = self.ahead.as_mut().and_then(|ahead| ahead.key.take()) else {
            return false;
        };
        // The old key is erased here.
        drop(mem::replace(&mut self.key, next));
        self.epoch = self.epoch.saturating_add(1);
        self.usage = Usage::default();
        true
    }

    /// As it is after so much use in this epoch.
    #[cfg(test)]
    pub(crate) const fn set_usage(&mut self, packets: u64, blocks: u64) {
        self.usage = Usage::after(packets, blocks);
    }

    /// The epoch that it sends in.
    #[cfg(test)]
    pub(crate) const fn current_epoch(&self) -> u16 {
        self.epoch
    }

    /// As if it were in a later epoch.
    #[cfg(test)]
    pub(crate) const fn set_epoch(&mut self, epoch: u16) {
        self.epoch = epoch;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    const fn load(packets: u32) -> SealRequest {
        SealRequest::data(packets, 0)
    }

    fn epochs() -> Sender {
        Sender::epoch(&EpochSecret::new(&[7; 32]), Suite::Aes256Gcm, None).unwrap()
    }

    /// What the control plane does.
    fn derive(sender: &mut Sender) -> bool {
        let Some((secret, suite)) = sender.wanted() else { return false };
        let (key, next) = (secret.key(suite).unwrap(), secret.next());
        sender.derived(key, next);
        true
    }

    #[test]
    fn packet_ids_stop_before_they_run_out() {
        let key = EpochSecret::new(&[7; 32]).key(Suite::ChaCha20Poly1305).unwrap();
        let mut sender = Sender::classic(key, None);
        assert_eq!(sender.reserve(load(1)).unwrap().first, 1);
        sender.set_usage(0xf000_0000 - 3, 0);
        assert!(sender.is_near_end());
        assert_eq!(sender.reserve(load(2)).unwrap().first, 0xf000_0000 - 2);
        assert!(sender.reserve(load(1)).is_none());
    }

    #[test]
    fn an_epoch_that_is_used_up_gives_way_to_the_next() {
        let mut sender = epochs();
        sender.reserve(load(5)).unwrap();
        for epoch in 2..20 {
            sender.set_usage(9, (1 << 36) - 5);
            let next = sender.reserve(load(3)).unwrap();
            assert_eq!((next.epoch, next.first), (epoch, 1));
            assert!(derive(&mut sender) && !derive(&mut sender));
        }
        sender.set_usage((1 << 48) - 2, 0);
        assert_eq!(sender.reserve(load(1)).unwrap().epoch, 19);
        assert_eq!(sender.reserve(load(1)).unwrap().epoch, 20);
        // The control plane has not come to derive the next: nothing is sent, rather than too much.
        sender.set_usage(0, (1 << 36) - 1);
        assert!(sender.reserve(load(1)).is_none());
        assert!(derive(&mut sender));
        assert_eq!(sender.reserve(load(1)).unwrap().epoch, 21);
        assert!(!sender.is_near_end());
    }

    #[test]
    fn epochs_end() {
        let mut sender = epochs();
        sender.set_epoch(0xf000);
        assert!(sender.is_near_end());
        sender.set_epoch(0xfffd);
        sender.set_usage(0, (1 << 36) - 1);
        assert_eq!(sender.reserve(load(1)).unwrap().epoch, 0xfffe);
        assert!(!derive(&mut sender));
        sender.set_usage(0, (1 << 36) - 1);
        assert!(sender.reserve(load(1)).is_none());
    }

    #[test]
    fn each_epoch_has_the_key_of_its_place_in_the_chain_however_it_was_come_to() {
        let mut random = Random(1);
        for _ in 0..200 {
            let mut sender = epochs();
            let (mut secret, mut epoch) = (EpochSecret::new(&[7; 32]), 1);
            for _ in 0..30 {
                match random.below(3) {
                    0 => sender.follow(sender.current_epoch() + random.below(5) as u16),
                    1 => sender.set_usage(0, (1 << 36) - 1),
                    _ => drop(derive(&mut sender)),
                }
                let Some(reserved) = sender.reserve(load(1)) else { continue };
                assert!(reserved.epoch >= epoch);
                while epoch < reserved.epoch {
                    secret = secret.next();
                    epoch += 1;
                }
                let expected = secret.key(Suite::Aes256Gcm).unwrap();
                assert_eq!(expected.nonce(&[]), reserved.key.nonce(&[]), "epoch {epoch}");
            }
        }
    }

    #[test]
    fn userspace_may_limit_a_key_further() {
        let mut sender = Sender::epoch(
            &EpochSecret::new(&[7; 32]),
            Suite::ChaCha20Poly1305,
            NonZeroU64::new(16),
        )
        .unwrap();
        sender.reserve(load(14)).unwrap();
        assert!(!sender.is_near_end());
        sender.reserve(load(1)).unwrap();
        assert!(sender.is_near_end());
        assert!(sender.reserve(load(2)).is_none());
        assert_eq!(sender.reserve(load(1)).unwrap().first, 16);
        assert!(sender.reserve(load(1)).is_none());
    }
}
