//! A peer's session keys, in their three slots (WireGuard paper, sections 6.2 and 6.4).
//!
//! Slots are swapped, never moved out of: a key that is dropped is zeroized where it lies.

use core::mem;

use nic_engine::Instant;
use nic_engine::protocol::ContextId;

use crate::noise::{SessionKey, SessionKeys};
use crate::replay_window::ReplayWindow;
use crate::timers::TimerConstants;

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
    /// The context by which the peer addresses us.
    pub local: ContextId,
    /// The index by which we address the peer.
    pub remote: u32,
    /// Who began.
    pub role: Role,
    /// When the keys were derived.
    pub created: Instant,
    /// What may still be received.
    pub window: ReplayWindow,
    /// The counter of the next packet to be sent.
    pub next_counter: u64,
    send: SessionKey,
    receive: SessionKey,
}

impl Keypair {
    /// A new session.
    pub(crate) fn new(
        keys: SessionKeys,
        local: ContextId,
        remote: u32,
        role: Role,
        created: Instant,
    ) -> Self {
        Self {
            local,
            remote,
            role,
            created,
            window: ReplayWindow::new(),
            next_counter: 0,
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

    /// Reserves counters for `packets` packets: the first of them, and the key. `None` where key or counter is used up.
    fn reserve(
        &mut self,
        packets: u32,
        now: Instant,
        constants: &TimerConstants,
    ) -> Option<(u64, SessionKey)> {
        if now.since(self.created) >= constants.reject_after_time {
            return None;
        }
        let first = self.next_counter;
        let next = first.checked_add(u64::from(packets))?;
        if next > constants.reject_after_messages {
            return None;
        }
        self.next_counter = next;
        Some((first, self.send.clone()))
    }

    /// Whether it is time for a successor, judged when sending.
    fn wants_successor(&self, now: Instant, constants: &TimerConstants) -> bool {
        self.next_counter > constants.rekey_after_messages
            || (self.role == Role::Initiator
                && now.since(self.created) >= constants.rekey_after_time)
    }
}

/// Counters reserved for a batch.
pub(crate) struct Reservation {
    /// The peer's index.
    pub remote: u32,
    /// The first packet's counter.
    pub first_counter: u64,
    /// The key.
    pub key: SessionKey,
    /// Whether a new handshake should begin.
    pub wants_successor: bool,
}

/// Contexts that are no longer in use, to be given back to the host.
#[derive(Clone, Copy, Default)]
pub(crate) struct Retired([Option<ContextId>; 3]);

impl Retired {
    /// One after the other.
    pub(crate) fn iter(&self) -> impl Iterator<Item = ContextId> + '_ {
        self.0.iter().copied().flatten()
    }

    /// There is always room: at most one session falls out of use before the control plane collects, and then two more.
    fn add(&mut self, context: ContextId) {
        if let Some(place) = self.0.iter_mut().find(|place| place.is_none()) {
            *place = Some(context);
        }
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.iter().all(Option::is_none)
    }
}

/// The sessions of a peer.
#[derive(Default)]
pub(crate) struct Keypairs {
    current: Option<Keypair>,
    previous: Option<Keypair>,
    next: Option<Keypair>,
    retired: Retired,
}

impl Keypairs {
    /// Reserves counters in the current session.
    pub(crate) fn reserve(
        &mut self,
        packets: u32,
        now: Instant,
        constants: &TimerConstants,
    ) -> Option<Reservation> {
        let current = self.current.as_mut()?;
        let (first_counter, key) = current.reserve(packets, now, constants)?;
        Some(Reservation {
            remote: current.remote,
            first_counter,
            key,
            wants_successor: current.wants_successor(now, constants),
        })
    }

    /// The session that receives by this context.
    pub(crate) fn by_context(&self, context: ContextId) -> Option<&Keypair> {
        [&self.current, &self.previous, &self.next]
            .into_iter()
            .flatten()
            .find(|keypair| keypair.local == context)
    }

    /// The same, to be changed.
    pub(crate) fn by_context_mut(&mut self, context: ContextId) -> Option<&mut Keypair> {
        [&mut self.current, &mut self.previous, &mut self.next]
            .into_iter()
            .flatten()
            .find(|keypair| keypair.local == context)
    }

    /// The session that we send by.
    pub(crate) fn current(&self) -> Option<&Keypair> {
        self.current.as_ref()
    }

    /// Puts in place a session that we began: the peer has proven by its response that it has the key.
    pub(crate) fn install_as_initiator(&mut self, keypair: Keypair) {
        // What the peer may still be sending by stays: the newest of what there was.
        self.retire_previous();
        if self.next.is_some() {
            mem::swap(&mut self.previous, &mut self.next);
            self.retire_current();
        } else {
            mem::swap(&mut self.previous, &mut self.current);
        }
        self.current = Some(keypair);
    }

    /// Puts in place a session that the peer began: used once a packet proves that the peer has the key.
    pub(crate) fn install_as_responder(&mut self, keypair: Keypair) {
        if let Some(unconfirmed) = &self.next {
            self.retired.add(unconfirmed.local);
        }
        self.next = Some(keypair);
    }

    /// Notes that an authentic packet came in by this context. True where it was the first of the next session, which thereby
    /// has become the current one.
    pub(crate) fn confirm(&mut self, context: ContextId) -> bool {
        if self.next.as_ref().is_none_or(|next| next.local != context) {
            return false;
        }
        self.retire_previous();
        mem::swap(&mut self.previous, &mut self.current);
        mem::swap(&mut self.current, &mut self.next);
        true
    }

    /// Erases all sessions.
    pub(crate) fn erase(&mut self) -> Retired {
        // Whoever erases gives everything back; so first what waited already, which is none as a rule.
        let mut retired = mem::take(&mut self.retired);
        for slot in [&mut self.current, &mut self.previous, &mut self.next] {
            if let Some(keypair) = slot {
                retired.add(keypair.local);
            }
            *slot = None;
        }
        retired
    }

    /// The contexts that fell out of use, once.
    pub(crate) fn take_retired(&mut self) -> Retired {
        mem::take(&mut self.retired)
    }

    /// Whether [`Self::take_retired`] has something to give.
    pub(crate) fn has_retired(&self) -> bool {
        !self.retired.is_empty()
    }

    fn retire_previous(&mut self) {
        if let Some(keypair) = &self.previous {
            self.retired.add(keypair.local);
        }
        self.previous = None;
    }

    fn retire_current(&mut self) {
        if let Some(keypair) = &self.current {
            self.retired.add(keypair.local);
        }
        self.current = None;
    }
}
