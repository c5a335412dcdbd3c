//! The receiving half of a key.

use alloc::boxed::Box;
use nic_crypto::Suite;
use nic_engine::{Instant, NoMemory};
use nic_memory::boxed;

use crate::derivation::EpochSecret;
use crate::key::PacketKey;
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

/// Opens, and remembers what was seen: by one key, or, where it has epochs, by that of the peer's
/// epoch, of the one before, for what is still on its way, and of up to `N` that may follow.
pub(crate) struct Receiver<const N: usize = FUTURE_EPOCHS> {
    lanes: [Lane; 2],
    /// The lane of the peer's epoch. The other one is that of the epoch before that was in use.
    current: usize,
    /// What comes next, where the key has epochs.
    ahead: Option<Ahead<N>>,
}

/// The key of one epoch, and what it has seen.
struct Lane {
    /// 0 where the key has no epochs.
    epoch: u16,
    key: Option<PacketKey>,
    /// On the heap: windows are too large to be moved about on a kernel's stack.
    window: Box<Window>,
}

/// The epochs that follow.
struct Ahead<const N: usize> {
    /// Their keys, as far as they are derived.
    keys: [Option<PacketKey>; N],
    /// The secret of the first epoch whose key is not derived.
    secret: EpochSecret,
    suite: Suite,
}

impl<const N: usize> Receiver<N> {
    /// A key without epochs.
    pub(crate) fn new(key: PacketKey) -> Result<Self, NoMemory> {
        let lanes = [Lane::new(Some(key))?, Lane::new(None)?];
        Ok(Self { lanes, current: 0, ahead: None })
    }

    /// Says that the key is that of epoch 1, and derives what may follow from the secret of epoch
    /// 2.
    pub(crate) fn begin_epochs(&mut self, secret: EpochSecret, suite: Suite) {
        self.ahead = Some(Ahead { keys: [const { None }; N], secret, suite });
        if let Some(lane) = self.lanes.get_mut(self.current) {
            lane.epoch = 1;
        }
        while let Some((secret, suite)) = self.wanted() {
            let Ok(key) = secret.key(suite) else { return };
            let next = secret.next();
            self.derived(key, next);
        }
    }

    /// The key that opens packets of an epoch; it doesn't count where there are none.
    pub(crate) fn key(&self, epoch: u16) -> Option<&PacketKey> {
        let Some(ahead) = &self.ahead else {
            return self.lanes.get(self.current)?.key.as_ref();
        };
        let lane = self.lanes.iter().find(|lane| lane.epoch == epoch);
        match lane.and_then(|lane| lane.key.as_ref()) {
            Some(key) => Some(key),
            None => ahead.keys.get(self.steps_to(epoch)?)?.as_ref(),
        }
    }

    /// Judges an authentic packet. The epoch doesn't count where there are none.
    pub(crate) fn accept(&mut self, epoch: u16, counter: u64, now: Instant) -> Freshness {
        let steps = self.steps_to(epoch);
        let Some(ahead) = &mut self.ahead else {
            let lane = self.lanes.get_mut(self.current);
            return freshness(lane.is_some_and(|lane| lane.window().accept(counter, now)));
        };
        let is_of = |lane: &&mut Lane| lane.epoch == epoch && lane.key.is_some();
        if let Some(lane) = self.lanes.iter_mut().find(is_of) {
            return freshness(lane.window().accept(counter, now));
        }
        // Over meanwhile, too far ahead, or no packet at all: none has the counter 0.
        let key = steps.filter(|_| counter > 0).and_then(|steps| ahead.keys.get_mut(steps)?.take());
        let (Some(steps), Some(key)) = (steps, key) else {
            return Freshness::Replayed;
        };
        // What was skipped is erased, and then what the lane had.
        let passed = steps.saturating_add(1).min(N);
        for key in ahead.keys.iter_mut().take(passed) {
            *key = None;
        }
        ahead.keys.rotate_left(passed);
        self.current ^= 1;
        let Some(lane) = self.lanes.get_mut(self.current) else {
            return Freshness::Replayed;
        };
        lane.epoch = epoch;
        lane.key = Some(key);
        lane.window().clear();
        lane.window().accept(counter, now);
        Freshness::NewEpoch
    }

    /// The secret of the next epoch whose key is to be derived.
    pub(crate) fn wanted(&self) -> Option<(&EpochSecret, Suite)> {
        let ahead = self.ahead.as_ref()?;
        let derived = ahead.keys.iter().flatten().count();
        let next = usize::from(self.epoch()).checked_add(derived)?.checked_add(1)?;
        (derived < N && next <= last_epoch(N)).then_some((&ahead.secret, ahead.suite))
    }

    /// Takes that epoch's key, and the secret of the one behind it.
    pub(crate) fn derived(&mut self, key: PacketKey, secret: EpochSecret) {
        // Keys are derived in order, so the first place that is free is the next epoch's.
        if let Some(ahead) = &mut self.ahead
            && let Some(place) = ahead.keys.iter_mut().find(|place| place.is_none())
        {
            *place = Some(key);
            ahead.secret = secret;
        }
    }

    /// The peer's epoch.
    fn epoch(&self) -> u16 {
        self.lanes.get(self.current).map_or(0, |lane| lane.epoch)
    }

    /// How many epochs lie before this one that follows.
    fn steps_to(&self, epoch: u16) -> Option<usize> {
        let ahead = usize::from(epoch).checked_sub(usize::from(self.epoch()))?;
        ahead.checked_sub(1).filter(|_| usize::from(epoch) <= last_epoch(N))
    }
}

impl Lane {
    fn new(key: Option<PacketKey>) -> Result<Self, NoMemory> {
        Ok(Self { epoch: 0, key, window: boxed(Window::new())? })
    }

    fn window(&mut self) -> &mut Window {
        &mut self.window
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

    fn epochs<const N: usize>() -> Receiver<N> {
        let secret = EpochSecret::new(&[9; 32]);
        let mut receiver = Receiver::new(secret.key(Suite::ChaCha20Poly1305).unwrap()).unwrap();
        receiver.begin_epochs(secret.next(), Suite::ChaCha20Poly1305);
        receiver
    }

    /// What the control plane does; false where nothing is left to do.
    fn derive<const N: usize>(epochs: &mut Receiver<N>) -> bool {
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
        epochs.lanes[0].epoch = 0xfffa - 3;
        assert!(epochs.key(0xfffa).is_some());
        assert!(epochs.key(0xfffb).is_none());
        assert_eq!(epochs.accept(0xfffb, 1, NOW), Freshness::Replayed);
        assert_eq!(epochs.accept(0xfffa, 1, NOW), Freshness::NewEpoch);
        assert!(!derive(&mut epochs));
        assert_eq!(epochs.accept(0xffff, 1, NOW), Freshness::Replayed);
    }

    /// Against a model: an epoch's packets are accepted once each, from the current epoch, the one
    /// before it that was used, and those ahead whose keys are derived; and every key is the
    /// chain's.
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
