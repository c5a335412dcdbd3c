//! Handshakes and other control messages, and the state of the link.

use core::sync::atomic::Ordering;

use nic_memory::Queue;

use crate::{
    Endpoint, Instant, Now, PacketQueue, PathQuestion, Protocol, System,
    nic::{ControlState, Nic, host::Host},
    protocol::{AddressValidation, AddressValidator, ControlPlane, Discard, Event, PeerId},
};

/// Takes what the control plane wants done. It is called under the control lock: it only collects,
/// and the caller acts when the lock is free again. It must not call the nic.
pub trait ControlSink {
    /// Sends a control message, to a peer or in reply to anybody. False where memory ran out. It
    /// counts as sent; see [`Nic::send_failed`].
    fn send(&mut self, peer: Option<PeerId>, to: &Endpoint, datagram: &[u8]) -> bool;
    /// Asks for a peer's path, where [`System::FINDS_PATHS`]: [`Nic::set_path`] takes the answer.
    fn find_path(&mut self, question: &PathQuestion) {
        _ = question;
    }
    /// Hands a control message up to userspace. False where there is no room for it.
    fn hand_up(&mut self, from: &Endpoint, datagram: &[u8]) -> bool;
    /// A peer has something to send: [`Nic::begin_seal`] is to be called until it gives none.
    fn pump(&mut self, peer: PeerId);
    /// Tells userspace.
    fn event(&mut self, event: Event);
    /// Fills a buffer with random bytes fit for keys, or returns false.
    fn fill_random(&mut self, bytes: &mut [u8]) -> bool;
    /// Whether handshakes come in faster than they can be handled.
    fn is_under_load(&self) -> bool;
}

impl<P: Protocol, S: System> Nic<P, S> {
    /// Validates the address of a control message before it is queued, and counts a refusal.
    pub fn validate_address(
        &self,
        datagram: &[u8],
        from: &Endpoint,
        now: Instant,
    ) -> Result<AddressValidation, Discard> {
        let validator = self.address_validator.lock().clone();
        let is_assigned = |receiver| self.receivers.lookup(receiver).is_some();
        let validation = validator.validate(datagram, from, &is_assigned, now);
        if let Err(reason) = validation {
            self.statistics.discarded(reason, 1);
        }
        validation
    }

    /// Renews the state that validates addresses. The control lock is held.
    pub(super) fn renew_address_validator(&self, control: &ControlState<P>) {
        let address_validator = control.protocol.address_validator();
        *self.address_validator.lock() = address_validator;
    }

    /// Handles a control message, and returns when [`Nic::tick`] is due next.
    pub fn control_message(
        &self,
        datagram: &[u8],
        from: &Endpoint,
        now: Now,
        sink: &mut dyn ControlSink,
    ) -> Instant {
        self.handle_message(sink, |protocol, host| {
            protocol.control_message(host, datagram, from, now);
        })
    }

    /// Handles the payload of an authentic packet with [`RxOutcome::Control`], and returns when
    /// [`Nic::tick`] is due next.
    ///
    /// [`RxOutcome::Control`]: crate::nic::RxOutcome::Control
    pub fn authenticated_message(
        &self,
        peer: PeerId,
        message: &[u8],
        from: &Endpoint,
        now: Now,
        sink: &mut dyn ControlSink,
    ) -> Instant {
        self.handle_message(sink, |protocol, host| {
            if host.directory.name(peer).is_some() {
                protocol.authenticated_message(host, peer, message, from, now);
            }
        })
    }

    /// Gives a message to the control plane while the adapter is up, and drops it otherwise.
    /// Returns when [`Nic::tick`] is due next.
    fn handle_message(
        &self,
        sink: &mut dyn ControlSink,
        handle: impl FnOnce(&mut P::Control, &mut Host<'_, P, S>),
    ) -> Instant {
        let mut control = self.control.lock();
        if !self.is_up() {
            self.statistics.discarded(Discard::Down, 1);
            return Instant::NEVER;
        }
        let ControlState { protocol, directory, .. } = &mut *control;
        handle(protocol, &mut Host { nic: self, directory, sink });
        self.renew_address_validator(&control);
        self.next_due(&control)
    }

    /// Lets packets through, or stops them. Stopping drops what is queued and keeps keys; the
    /// control thread is to be woken after a start.
    pub fn set_up(&self, is_up: bool) {
        let control = self.control.lock();
        self.is_up.store(is_up, Ordering::Release);
        if !is_up {
            self.clear_backlogs(&control);
        }
    }

    fn clear_backlogs(&self, control: &ControlState<P>) {
        let mut last = None;
        while let Some(peer) = control.directory.next(last) {
            self.clear_backlog(peer, Discard::Down);
            last = Some(peer);
        }
    }

    /// When something is due next. The control lock is held.
    pub(super) fn next_due(&self, control: &ControlState<P>) -> Instant {
        self.peers.deadlines.earliest().min(control.next_adapter_timeout)
    }

    /// Drops what a peer has queued.
    pub(super) fn clear_backlog(&self, peer: PeerId, reason: Discard) {
        let cleared = self.peers.with(peer, |state| {
            state.keepalive = false;
            (state.backlog.clear(), core::mem::replace(&mut state.control_messages, Queue::new()))
        });
        // Packets and messages are dropped here, under no spin lock.
        let Some((queues, messages)) = cleared else {
            return;
        };
        let packets = queues.iter().map(PacketQueue::len).sum::<usize>();
        self.statistics.discarded(reason, packets.saturating_add(messages.len()) as u64);
    }
}
