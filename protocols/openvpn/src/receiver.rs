//! The receiving half of a key.

use core::mem;

use nic_crypto::Suite;
use nic_engine::Instant;

use crate::configure::InstallKeyError;
use crate::derivation::EpochSecret;
use crate::key::{KeyError, PacketKey};
use crate::replay::Window;

/// How many epochs ahead of the peer's a packet is accepted from.
pub(crate) const FUTURE_EPOCHS: usize = 4;

/// What became of an authentic packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Freshness {
    /// It is new.
    New,
    /// It is new, and the first of a new epoch.
    NewEpoch,
    /// It was seen before, is too old, or is of an epoch that is over.
    Replayed,
}

/// Opens, and remembers what was seen.
#[expect(clippy::large_enum_variant, reason = "it lies on the heap")]
pub(crate) enum Receiver {
    /// A key without epochs.
    Classic(Lane),
    /// A key with epochs.
    Epochs(Epochs<FUTURE_EPOCHS>),
}

/// One key and what it has seen.
pub(crate) struct Lane {
    key: PacketKey,
    window: Window,
}

/// The peer's epoch, the one before, for what is still on its way, and `N` that may follow.
pub(crate) struct Epochs<const N: usize> {
    epoch: u16,
    current: Lane,
    /// The epoch before the current one that was in use, with its window.
    retiring: Option<(u16, Lane)>,
    /// The keys of the epochs that follow, as far as they are derived.
    future: [Option<PacketKey>; N],
    /// The secret of the first epoch whose key is not derived.
    secret: EpochSecret,
    suite: Suite,
}

impl Receiver {
    /// A key without epochs.
    pub(crate) const fn classic(key: PacketKey) -> Self {
        Self::Classic(Lane::new(key))
    }

    /// A key in its first epoch.
    pub(crate) fn epoch(secret: &EpochSecret, suite: Suite) -> Result<Self, InstallKeyError> {
        let bad = InstallKeyError::BadKey(KeyError::BadLength);
        Epochs::new(secret, suite).map(Self::Epochs).ok_or(bad)
    }

    /// The key that opens packets of an epoch; it doesn't count where there are none.
    pub(crate) fn key(&self, epoch: u16) -> Option<&PacketKey> {
        match self {
            Self::Classic(lane) => Some(&lane.key),
            Self::Epochs(epochs) => epochs.key(epoch),
        }
    }

    /// Judges an authentic packet.
    pub(crate) fn accept(&mut self, epoch: u16, counter: u64, now: Instant) -> Freshness {
        match self {
            Self::Classic(lane) => freshness(lane.window.accept(counter, now)),
            Self::Epochs(epochs) => epochs.accept(epoch, counter, now),
        }
    }

    /// The secret of the next epoch whose key is to be derived.
    pub(crate) fn wanted(&self) -> Option<(&EpochSecret, Suite)> {
        match self {
            Self::Classic(_) => None,
            Self::Epochs(epochs) => epochs.wanted(),
        }
    }

    /// Takes that epoch's key, and the secret of the one behind it.
    pub(crate) fn derived(&mut self, key: PacketKey, secret: EpochSecret) {
        if let Self::Epochs(epochs) = self {
            epochs.derived(key, secret);
        }
    }
}

impl Lane {
    const fn new(key: PacketKey) -> Self {
        Self { key, window: Window::new() }
    }
}

impl<const N: usize> Epochs<N> {
    /// The first epoch, and all keys that may follow.
    pub(crate) fn new(secret: &EpochSecret, suite: Suite) -> Option<Self> {
        let current = Lane::new(secret.key(suite)?);
        let mut epochs = Self {
            epoch: 1,
            current,
            retiring: None,
            future: [const { None }; N],
            secret: secret.next(),
            suite,
        };
        while let Some((secret, suite)) = epochs.wanted() {
            let (key, next) = (secret.key(suite)?, secret.next());
            epochs.derived(key, next);
        }
        Some(epochs)
    }

    fn key(&self, epoch: u16) -> Option<&PacketKey> {
        if epoch == self.epoch {
            return Some(&self.current.key);
        }
        if let Some((_, lane)) = self.retiring.as_ref().filter(|(retiring, _)| *retiring == epoch) {
            return Some(&lane.key);
        }
        self.future.get(self.steps_to(epoch)?)?.as_ref()
    }

    fn accept(&mut self, epoch: u16, counter: u64, now: Instant) -> Freshness {
        if epoch == self.epoch {
            return freshness(self.current.window.accept(counter, now));
        }
        if let Some((_, lane)) = self.retiring.as_mut().filter(|(retiring, _)| *retiring == epoch) {
            return freshness(lane.window.accept(counter, now));
        }
        // Over meanwhile, or too far ahead.
        let Some(steps) = self.steps_to(epoch) else {
            return Freshness::Replayed;
        };
        let Some(key) = self.future.get_mut(steps).and_then(Option::take) else {
            return Freshness::Replayed;
        };
        let mut next = Lane::new(key);
        if !next.window.accept(counter, now) {
            // No packet has the counter 0. The key goes back to its place.
            if let Some(place) = self.future.get_mut(steps) {
                *place = Some(next.key);
            }
            return Freshness::Replayed;
        }
        let before = mem::replace(&mut self.current, next);
        self.retiring = Some((self.epoch, before));
        self.epoch = epoch;
        // What was skipped is erased.
        let passed = steps.saturating_add(1);
        for key in self.future.iter_mut().take(passed) {
            *key = None;
        }
        self.future.rotate_left(passed.min(N));
        Freshness::NewEpoch
    }

    fn wanted(&self) -> Option<(&EpochSecret, Suite)> {
        let derived = self.future.iter().flatten().count();
        let next = usize::from(self.epoch).checked_add(derived)?.checked_add(1)?;
        (derived < N && next <= last_epoch(N)).then_some((&self.secret, self.suite))
    }

    fn derived(&mut self, key: PacketKey, secret: EpochSecret) {
        // Keys are derived in order, so the first place that is free is the next epoch's.
        if let Some(place) = self.future.iter_mut().find(|place| place.is_none()) {
            *place = Some(key);
            self.secret = secret;
        }
    }

    /// How many future epochs lie before this one.
    fn steps_to(&self, epoch: u16) -> Option<usize> {
        let ahead = usize::from(epoch).checked_sub(usize::from(self.epoch))?;
        ahead.checked_sub(1).filter(|_| usize::from(epoch) <= last_epoch(N))
    }
}

/// Above this epoch nothing is accepted.
const fn last_epoch(future: usize) -> usize {
    0xffff - future - 1
}

const fn freshness(is_new: bool) -> Freshness {
    if is_new { Freshness::New } else { Freshness::Replayed }
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};
    use std::{vec, vec::Vec};

    use super::*;
    use crate::random::Random;

    const NOW: Instant = Instant::from_nanos(1_000_000_000);

    fn epochs<const N: usize>() -> Epochs<N> {
        Epochs::new(&EpochSecret::new(&[9; 32]), Suite::ChaCha20Poly1305).unwrap()
    }

    /// What the control plane does; false where nothing is left to do.
    fn derive<const N: usize>(epochs: &mut Epochs<N>) -> bool {
        let Some((secret, suite)) = epochs.wanted() else { return false };
        let (key, next) = (secret.key(suite).unwrap(), secret.next());
        epochs.derived(key, next);
        true
    }

    /// The epochs' nonces, by which their keys are known.
    fn chain(length: usize) -> Vec<[u8; 12]> {
        let mut secret = EpochSecret::new(&[9; 32]);
        let mut nonces = vec![[0; 12]];
        for _ in 0..length {
            nonces.push(secret.key(Suite::ChaCha20Poly1305).unwrap().nonce(&[]));
            secret = secret.next();
        }
        nonces
    }

    #[test]
    fn an_old_epoch_keeps_its_window() {
        let mut epochs = epochs::<4>();
        assert_eq!(epochs.accept(1, 5, NOW), Freshness::New);
        assert_eq!(epochs.accept(2, 1, NOW), Freshness::NewEpoch);
        assert_eq!(epochs.accept(1, 5, NOW), Freshness::Replayed);
        assert_eq!(epochs.accept(1, 6, NOW), Freshness::New);
        assert_eq!(epochs.accept(2, 1, NOW), Freshness::Replayed);
        assert_eq!(epochs.accept(2, 2, NOW), Freshness::New);
        assert_eq!(epochs.accept(3, 9, NOW), Freshness::NewEpoch);
        assert_eq!(epochs.accept(1, 7, NOW), Freshness::Replayed, "it is over");
        assert_eq!(epochs.accept(2, 3, NOW), Freshness::New);
        assert!(epochs.key(1).is_none());
    }

    #[test]
    fn a_leap_goes_as_far_as_there_are_keys() {
        let mut epochs = epochs::<4>();
        assert!(epochs.key(6).is_none());
        assert_eq!(epochs.accept(6, 1, NOW), Freshness::Replayed);
        assert_eq!(epochs.accept(5, 0, NOW), Freshness::Replayed);
        assert_eq!(epochs.accept(5, 1, NOW), Freshness::NewEpoch);
        assert!((2..5).all(|skipped| epochs.key(skipped).is_none()));
        assert!(epochs.key(1).is_some() && epochs.key(6).is_none());
        while derive(&mut epochs) {}
        assert!(epochs.key(9).is_some() && epochs.key(10).is_none());
    }

    #[test]
    fn the_last_epochs_are_not_accepted() {
        let mut epochs = epochs::<4>();
        epochs.epoch = 0xfffa - 3;
        assert!(epochs.key(0xfffa).is_some());
        assert!(epochs.key(0xfffb).is_none());
        assert_eq!(epochs.accept(0xfffb, 1, NOW), Freshness::Replayed);
        assert_eq!(epochs.accept(0xfffa, 1, NOW), Freshness::NewEpoch);
        assert!(!derive(&mut epochs));
        assert_eq!(epochs.accept(0xffff, 1, NOW), Freshness::Replayed);
    }

    /// Against a model: an epoch's packets are accepted once each, from the current epoch, the one before it that was used, and
    /// those ahead whose keys are derived; and every key is the chain's.
    fn agrees_with_a_model<const N: usize>() {
        let nonces = chain(2000);
        let mut random = Random(N as u64);
        let mut epochs = epochs::<N>();
        let mut seen: HashMap<u16, HashSet<u64>> = HashMap::new();
        let (mut current, mut retiring, mut derived) = (1_u16, None, 1 + N as u16);
        for _ in 0..3000 {
            if random.below(3) == 0 && derive(&mut epochs) {
                derived += 1;
            }
            let low = current.saturating_sub(3);
            let epoch = low + random.below(N as u64 + 6) as u16;
            let counter = random.below(40);
            let is_future = epoch > current && epoch <= derived;
            let is_known = epoch == current || Some(epoch) == retiring || is_future;
            let key = epochs.key(epoch).map(|key| key.nonce(&[]));
            assert_eq!(key, is_known.then(|| nonces[usize::from(epoch)]));
            let is_new = is_known && counter > 0 && seen.entry(epoch).or_default().insert(counter);
            let expected = match (is_new, is_future) {
                (false, _) => Freshness::Replayed,
                (true, false) => Freshness::New,
                (true, true) => Freshness::NewEpoch,
            };
            assert_eq!(epochs.accept(epoch, counter, NOW), expected, "{counter} of {epoch}");
            if expected == Freshness::NewEpoch {
                retiring = Some(current);
                current = epoch;
            }
            if current > 1900 {
                break;
            }
        }
        assert!(current > 100, "epochs hardly moved");
    }

    #[test]
    fn it_agrees_with_a_model_for_every_number_of_future_epochs() {
        agrees_with_a_model::<1>();
        agrees_with_a_model::<2>();
        agrees_with_a_model::<3>();
        agrees_with_a_model::<4>();
        agrees_with_a_model::<5>();
        agrees_with_a_model::<8>();
        agrees_with_a_model::<16>();
    }
}
