//! An adapter's control thread: handshakes and timers.
//!
//! Control messages arrive at DISPATCH_LEVEL. The receiving thread validates the source address and
//! queues a copy in a bounded queue. The control thread sleeps until the earliest deadline, until a
//! message is queued, or until [`ControlThread::wake`]. What the engine sends is collected under
//! its control lock, and sent after the lock is released.

use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use core::time::Duration;

use nic_engine::protocol::{AddressValidation, Discard, Event as EngineEvent, PeerId};
use nic_engine::{ControlQueue, ControlSink, Endpoint, Instant, PathQuestion, Protocol};
use nic_memory::{Push, Queue, wipe_stack};
use nt::event::{Event, EventKind};
use nt::lock::{SleepMutex, SpinMutex};
use nt::thread::Thread;
use nt::wsk::Datagram;
use nt::{Passive, Result, Shared, random};

use super::message::{MESSAGE_BYTES, Message};
use super::{Adapter, AdapterProtocol};
use crate::outer_route::Network;
use crate::{STACK_FRAMES, time};

/// The queue length that counts as overload: senders must then prove their address.
const OVERLOAD_MESSAGES: usize = 512;

/// The maximum number of queued reports of moved peers.
const MAX_MOVED: usize = 64;

/// The maximum number of queued messages that are to be sent once more.
const MAX_FAILED: usize = 64;

/// How long the overload state lasts after the queue was last that long.
const OVERLOAD_DURATION: Duration = Duration::from_secs(1);

/// The control thread, its message queue and its wake event.
pub struct ControlThread {
    messages: SpinMutex<ControlQueue<Message>>,
    /// Peers whose address changed on the data path, to be reported.
    moved: SpinMutex<Queue<PeerId>>,
    /// Messages that could not be sent, to be sent once more.
    failed: SpinMutex<Queue<Message>>,
    /// When the queue was last overloaded, in nanoseconds; 0 for never.
    overloaded_at: AtomicU64,
    wake: Shared<Event>,
    is_stopping: AtomicBool,
    thread: SleepMutex<Option<Thread>>,
}

impl ControlThread {
    /// Creates the queue and the event; no thread is started.
    pub(crate) fn new() -> Result<Self> {
        Ok(Self {
            messages: SpinMutex::new(ControlQueue::new()),
            moved: SpinMutex::new(Queue::new()),
            failed: SpinMutex::new(Queue::new()),
            overloaded_at: AtomicU64::new(0),
            wake: Shared::new(Event::new(EventKind::Automatic)?)?,
            is_stopping: AtomicBool::new(false),
            thread: SleepMutex::new(None),
        })
    }

    /// Starts the thread.
    pub(crate) fn start<P: AdapterProtocol>(adapter: &Shared<Adapter<P>>) -> Result<()> {
        const { assert!(P::Protocol::MAX_CONTROL_BYTES <= MESSAGE_BYTES) };
        let for_thread = adapter.clone();
        adapter.network.wake_at_change(adapter.control.wake.clone())?;
        let thread = Thread::spawn(move |passive| run(&for_thread, passive))
            .inspect_err(|_| adapter.network.forget(&adapter.control.wake))?;
        *adapter.control.thread.lock() = Some(thread);
        Ok(())
    }

    /// Stops the thread and waits until it has exited.
    pub(crate) fn stop(&self, network: &Network) {
        network.forget(&self.wake);
        self.is_stopping.store(true, Ordering::Release);
        self.wake();
        let thread = self.thread.lock().take();
        drop(thread);
        self.messages.lock().clear();
        let failed = core::mem::replace(&mut *self.failed.lock(), Queue::new());
        drop(failed);
    }

    /// Wakes the thread, which then processes messages and due deadlines.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    pub fn wake(&self) {
        self.wake.set();
    }

    /// Queues a message. Returns false if the queue is full.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    pub(crate) fn push(&self, validation: AddressValidation, message: Message) -> bool {
        let mut messages = self.messages.lock();
        if !messages.push(validation, message) {
            return false;
        }
        let is_loaded = messages.len() >= OVERLOAD_MESSAGES;
        drop(messages);
        if is_loaded {
            self.overloaded_at.store(time::instant().as_nanos(), Ordering::Relaxed);
        }
        self.wake();
        true
    }

    /// Has a message sent once more. False if there is no room.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    pub(super) fn send_again(&self, message: Message) -> bool {
        let mut failed = self.failed.lock();
        if failed.len() >= MAX_FAILED || failed.try_reserve(1).is_err() {
            return false;
        }
        let is_queued = failed.push_back(message).is_ok();
        drop(failed);
        self.wake();
        is_queued
    }

    /// Queues the report that a peer's address changed. Dropped if the queue is full or memory runs
    /// out.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    pub(crate) fn endpoint_moved(&self, peer: PeerId) {
        let mut moved = self.moved.lock();
        if moved.len() < MAX_MOVED && moved.try_reserve(1).is_ok() {
            // The capacity is reserved.
            let _ = moved.push_back(peer);
        }
        drop(moved);
        self.wake();
    }

    /// Whether handshakes arrive faster than they are processed.
    fn is_under_load(&self) -> bool {
        let overloaded_at = self.overloaded_at.load(Ordering::Relaxed);
        overloaded_at != 0
            && time::instant().since(Instant::from_nanos(overloaded_at)) < OVERLOAD_DURATION
    }
}

fn run<P: AdapterProtocol>(adapter: &Shared<Adapter<P>>, passive: Passive) {
    let mut sink = Sink::new(adapter);
    let mut next_mtu_poll = Instant::NEVER;
    let mut generation = None;
    while !adapter.control.is_stopping.load(Ordering::Acquire) {
        while let Some(message) = { adapter.control.messages.lock().pop() } {
            let (bytes, from) = (message.as_slice(), &message.endpoint);
            match message.peer {
                None => adapter.nic.control_message(bytes, from, time::now(), &mut sink),
                Some(peer) => {
                    adapter.nic.authenticated_message(peer, bytes, from, time::now(), &mut sink)
                }
            };
            sink.perform();
        }
        while let Some(peer) = { adapter.control.moved.lock().pop_front() } {
            P::report(adapter, EngineEvent::EndpointMoved(peer));
        }
        let now = Some(adapter.network.generation());
        if core::mem::replace(&mut generation, now) != now {
            adapter.nic.network_changed();
        }
        while let Some(message) = { adapter.control.failed.lock().pop_front() } {
            if let Some(peer) = message.peer {
                adapter.nic.doubt_path(peer);
            }
            Adapter::send_message(adapter, &message, true);
        }
        if next_mtu_poll == Instant::NEVER || next_mtu_poll <= time::instant() {
            next_mtu_poll = adapter.poll_mtu();
        }
        let due = adapter.nic.tick(time::now(), &mut sink).min(next_mtu_poll);
        let due = due.min(P::poll(adapter));
        sink.perform();
        adapter.handle.transmit.flush();
        // Handshakes leave secrets.
        wipe_stack(STACK_FRAMES);

        if due == Instant::NEVER {
            adapter.control.wake.wait(passive);
        } else {
            let wait = due.since(time::instant());
            if !wait.is_zero() {
                adapter.control.wake.wait_for(wait, passive);
            }
        }
    }
}

/// Collects the engine's requests under its control lock, and performs them after its release.
pub struct Sink<'a, P: AdapterProtocol> {
    adapter: &'a Shared<Adapter<P>>,
    sends: Vec<Message>,
    questions: Vec<PathQuestion>,
    pumps: Vec<PeerId>,
    events: Vec<EngineEvent>,
}

impl<'a, P: AdapterProtocol> Sink<'a, P> {
    /// An empty sink.
    pub fn new(adapter: &'a Shared<Adapter<P>>) -> Self {
        Self {
            adapter,
            sends: Vec::new(),
            questions: Vec::new(),
            pumps: Vec::new(),
            events: Vec::new(),
        }
    }

    /// Sends, pumps and reports what was collected.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    ///
    /// # Locks
    /// None may be held.
    pub fn perform(&mut self) {
        for question in self.questions.drain(..) {
            if self.adapter.answer(&question) {
                Adapter::pump(self.adapter, question.peer);
            }
        }
        for message in self.sends.drain(..) {
            Adapter::send_message(self.adapter, &message, false);
        }
        for peer in self.pumps.drain(..) {
            Adapter::pump(self.adapter, peer);
        }
        for event in self.events.drain(..) {
            P::report(self.adapter, event);
        }
    }
}

impl<P: AdapterProtocol> ControlSink for Sink<'_, P> {
    fn send(&mut self, peer: Option<PeerId>, to: &Endpoint, datagram: &[u8]) -> bool {
        let Some(mut message) = Message::new(*to, datagram) else { return false };
        message.peer = peer;
        self.sends.try_push(message).is_ok()
    }

    fn find_path(&mut self, question: &PathQuestion) {
        // If memory runs out, it is asked again.
        let _ = self.questions.try_push(*question);
    }

    fn hand_up(&mut self, from: &Endpoint, datagram: &[u8]) -> bool {
        P::hand_up(self.adapter, from, datagram)
    }

    fn pump(&mut self, peer: PeerId) {
        // If memory runs out, the packets wait for the next pump of this peer.
        if self.pumps.last() != Some(&peer) {
            let _ = self.pumps.try_push(peer);
        }
    }

    fn event(&mut self, event: EngineEvent) {
        // Dropped if memory runs out. Userspace can still query the state itself.
        let _ = self.events.try_push(event);
    }

    fn fill_random(&mut self, bytes: &mut [u8]) -> bool {
        random::fill(bytes).is_ok()
    }

    fn is_under_load(&self) -> bool {
        self.adapter.control.is_under_load()
    }
}

/// Validates the source address of a control message and queues a copy, or counts it as dropped.
///
/// # IRQL
/// `<= DISPATCH_LEVEL`
pub fn receive<P: AdapterProtocol>(adapter: &Adapter<P>, datagram: &Datagram<'_>) {
    let Some(message) = Message::received(datagram) else {
        adapter.nic.count(Discard::Malformed, 1);
        return;
    };
    // The engine counts a refused message.
    let validated =
        adapter.nic.validate_address(message.as_slice(), &message.endpoint, time::instant());
    let Ok(validation) = validated else { return };
    if !adapter.control.push(validation, message) {
        adapter.nic.count(Discard::QueueFull, 1);
    }
}

impl<P: AdapterProtocol> Adapter<P> {
    /// Queues the control message in an authentic data packet, or counts it as dropped.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    pub(super) fn receive_authenticated(&self, peer: PeerId, from: &Endpoint, message: &[u8]) {
        let Some(mut message) = Message::new(*from, message) else {
            self.nic.count(Discard::Malformed, 1);
            return;
        };
        message.peer = Some(peer);
        if !self.control.push(AddressValidation::Validated, message) {
            self.nic.count(Discard::QueueFull, 1);
        }
    }
}
