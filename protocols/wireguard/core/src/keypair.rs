//! A peer's session keys, in their three slots (WireGuard paper, sections 6.2 and 6.4).
//!
//! Slots are swapped, never moved out of: a key that is dropped is zeroized where it lies.

use core::mem;

use alloc::boxed::Box;
use nic_engine::nonce_counter::{KeyLimits, NonceCounter, Reserved};
use nic_engine::protocol::ReceiverId;
use nic_engine::replay_window::ReplayWindow;
use nic_engine::{Instant, NoMemory};
use nic_memory::boxed;

use crate::noise::{SessionKey, SessionKeys};
use crate::timers::TimerConstants;

/// 8192 bits, of which one word is always in transition: the usable window is 8128 packets.
const WINDOW_WORDS: usize = 128;

/// Who began the handshake that a session comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// We did.
    Initiator,
    /// The peer did.
    Responder,
}

/// One session's keys and counters.
pub(crate) struct Keypair {
    /// The receiver by which the peer addresses us.
    pub(crate) local: ReceiverId,
    /// The index by which we address the peer.
    pub(crate) remote: u32,
    /// Who began.
    pub(crate) role: Role,
    /// When the keys were derived.
    pub(crate) created: Instant,
    /// When the peer's last packet came in; [`Instant::ZERO`] before the first.
    pub(crate) last_received: Instant,
    counter: NonceCounter,
    send: SessionKey,
    receive: SessionKey,
}

impl Keypair {
    /// A new session.
    pub(crate) fn new(
        keys: SessionKeys,
        local: ReceiverId,
        remote: u32,
        role: Role,
        created: Instant,
    ) -> Self {
        Self {
            local,
            remote,
            role,
            created,
            last_received: Instant::ZERO,
            counter: NonceCounter::new(),
            send: keys.send,
            receive: keys.receive,
        }
    }

    /// The key for what we receive; `None` once it is too old.
    pub(crate) fn receive_key(
        &self,
        now: Instant,
        constants: &TimerConstants,
    ) -> Option<&SessionKey> {
        (now.since(self.created) < constants.reject_after_time).then_some(&self.receive)
    }

    /// Reserves counters for `packets` packets. `None` where key or counter is used up.
    fn reserve(
        &mut self,
        packets: u32,
        now: Instant,
        constants: &TimerConstants,
    ) -> Option<Reservation> {
        let age = now.since(self.created);
        if age >= constants.reject_after_time {
            return None;
        }
        let limits = KeyLimits {
            renew_after: constants.rekey_after_messages,
            reject_after: constants.reject_after_messages,
        };
        let Reserved { first, renew } = self.counter.reserve(packets, &limits)?;
        let is_old = self.role == Role::Initiator && age >= constants.rekey_after_time;
        Some(Reservation {
            remote: self.remote,
            first_counter: first,
            key: self.send.clone(),
            wants_successor: renew || is_old,
        })
    }
}

/// Counters reserved for a batch.
pub(crate) struct Reservation {
    /// The peer's index.
    pub(crate) remote: u32,
    /// The first packet's counter.
    pub(crate) first_counter: u64,
    /// The key.
    pub(crate) key: SessionKey,
    /// Whether a new handshake should begin.
    pub(crate) wants_successor: bool,
}

/// Contexts that are no longer in use, to be given back to the host.
#[derive(Clone, Copy, Default)]
pub(crate) struct Retired([Option<ReceiverId>; 3]);

impl Retired {
    /// One after the other.
    pub(crate) fn iter(&self) -> impl Iterator<Item = ReceiverId> + '_ {
        self.0.iter().copied().flatten()
    }

    /// There is always room: at most one session falls out of use before the control plane
    /// collects, and then two more.
    fn add(&mut self, receiver: ReceiverId) {
        if let Some(place) = self.0.iter_mut().find(|place| place.is_none()) {
            *place = Some(receiver);
        }
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.iter().all(Option::is_none)
    }
}

/// A place for a session and what it has seen: on the heap, as that is too large to be moved about
/// on a kernel's stack.
struct Slot(Box<Session>);

#[derive(Default)]
struct Session {
    keypair: Option<Keypair>,
    /// What may still be received.
    window: ReplayWindow<WINDOW_WORDS>,
}

impl Slot {
    /// A place without a session.
    #[inline(never)] // Three of them are not in one frame.
    fn new() -> Result<Self, NoMemory> {
        boxed(Session::default()).map(Self)
    }

    fn get(&self) -> Option<&Keypair> {
        self.0.keypair.as_ref()
    }

    /// Puts a new session in place.
    fn put(&mut self, keypair: Keypair) {
        self.0.keypair = Some(keypair);
        self.0.window = ReplayWindow::new();
    }

    /// Erases what is there.
    fn erase(&mut self) {
        self.0.keypair = None;
    }

    /// Notes an authentic packet. False where it was seen before or is too old to tell.
    fn accept(&mut self, counter: u64, now: Instant) -> bool {
        let session = &mut *self.0;
        let Some(keypair) = &mut session.keypair else { return false };
        let is_new = session.window.accept(counter);
        if is_new {
            keypair.last_received = now;
        }
        is_new
    }
}

/// The sessions of a peer.
pub(crate) struct Keypairs {
    current: Slot,
    previous: Slot,
    next: Slot,
    retired: Retired,
}

impl Keypairs {
    /// No sessions, and room for all that there may be.
    pub(crate) fn new() -> Result<Self, NoMemory> {
        let [current, previous, next] = [Slot::new()?, Slot::new()?, Slot::new()?];
        Ok(Self { current, previous, next, retired: Retired::default() })
    }

    /// Reserves counters in the current session.
    pub(crate) fn reserve(
        &mut self,
        packets: u32,
        now: Instant,
        constants: &TimerConstants,
    ) -> Option<Reservation> {
        self.current.0.keypair.as_mut()?.reserve(packets, now, constants)
    }

    /// The session that receives by this receiver.
    pub(crate) fn by_receiver(&self, receiver: ReceiverId) -> Option<&Keypair> {
        [&self.current, &self.previous, &self.next]
            .into_iter()
            .filter_map(Slot::get)
            .find(|keypair| keypair.local == receiver)
    }

    /// Notes an authentic packet that came in by this receiver. False where it was seen before or
    /// is too old to tell.
    pub(crate) fn accept(&mut self, receiver: ReceiverId, counter: u64, now: Instant) -> bool {
        [&mut self.current, &mut self.previous, &mut self.next]
            .into_iter()
            .find(|slot| slot.get().is_some_and(|keypair| keypair.local == receiver))
            .is_some_and(|slot| slot.accept(counter, now))
    }

    /// The session that we send by.
    pub(crate) fn current(&self) -> Option<&Keypair> {
        self.current.get()
    }

    /// Puts in place a session that we began: the peer has proven by its response that it has the
    /// key.
    ///
    /// Where both sides began at once, the peer's session stays in the next slot until its first
    /// packet.
    pub(crate) fn install_as_initiator(&mut self, keypair: Keypair) {
        self.make_room();
        self.current.put(keypair);
    }

    /// Puts in place a session that the peer began: used once a packet proves that the peer has the
    /// key.
    pub(crate) fn install_as_responder(&mut self, keypair: Keypair) {
        if let Some(unconfirmed) = self.next.get() {
            self.retired.add(unconfirmed.local);
        }
        self.next.put(keypair);
    }

    /// Notes that an authentic packet came in by this receiver. True where it was the first of the
    /// next session, which thereby becomes the current one.
    pub(crate) fn confirm(&mut self, receiver: ReceiverId) -> bool {
        if self.next.get().is_none_or(|next| next.local != receiver) {
            return false;
        }
        let is_ours_newer =
            self.current.get().zip(self.next.get()).is_some_and(|(current, next)| {
                current.role == Role::Initiator && current.created >= next.created
            });
        if is_ours_newer {
            // Both sides began at once, and each sends by its own: then each also renews its own.
            self.retire_previous();
            mem::swap(&mut self.previous, &mut self.next);
        } else {
            self.make_room();
            mem::swap(&mut self.current, &mut self.next);
        }
        true
    }

    /// Erases all sessions.
    pub(crate) fn erase(&mut self) -> Retired {
        // Whoever erases gives everything back; so first what waited already, which is none as a
        // rule.
        let mut retired = mem::take(&mut self.retired);
        for slot in [&mut self.current, &mut self.previous, &mut self.next] {
            if let Some(keypair) = slot.get() {
                retired.add(keypair.local);
            }
            slot.erase();
        }
        retired
    }

    /// The receivers that fell out of use, once.
    pub(crate) fn take_retired(&mut self) -> Retired {
        mem::take(&mut self.retired)
    }

    /// Whether [`Self::take_retired`] has something to give.
    pub(crate) fn has_retired(&self) -> bool {
        !self.retired.is_empty()
    }

    /// Frees the current slot. The one of both sessions that the peer used last stays as the
    /// previous one, for what is still on its way.
    fn make_room(&mut self) {
        let last_use = |slot: &Slot| slot.get().map(|keypair| keypair.last_received);
        if last_use(&self.previous) > last_use(&self.current) {
            mem::swap(&mut self.previous, &mut self.current);
        }
        self.retire_previous();
        mem::swap(&mut self.previous, &mut self.current);
    }

    fn retire_previous(&mut self) {
        if let Some(keypair) = self.previous.get() {
            self.retired.add(keypair.local);
        }
        self.previous.erase();
    }
}
