//! Control datagrams on their way down, in the order of their requests. A request is done as soon
//! as its datagram is copied; where too many are on their way already, it waits for its turn.

use core::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use nic_engine::Endpoint;
use nt::irp::{Dispatched, FileId, Irp, IrpQueue, RequestKind};
use nt::lock::SpinMutex;
use nt::wsk::OneSent;
use nt::{Result, Shared, Status};
use tunic_ioctl::data_channel::{Command, ControlDatagram, Mode};
use tunic_ioctl::{Abi, decode, ovpn_dco};

use super::inbox::Sources;
use super::link::canonical;
use super::{Adapter, owner};
use crate::status::{ChannelRefusal, ChannelResult};

/// The most datagrams that are on their way.
const MAX_IN_FLIGHT: usize = 64;

/// What is on its way, and the requests that wait.
pub(super) struct Outbox {
    in_flight: AtomicUsize,
    waiting: IrpQueue,
    /// Somebody sends what waits, and will look again.
    is_sending: SpinMutex<bool>,
    is_closed: AtomicBool,
    sent: AtomicU64,
    lost: AtomicU64,
}

impl Outbox {
    /// Nothing on its way.
    pub(super) fn new() -> Result<Self> {
        Ok(Self {
            in_flight: AtomicUsize::new(0),
            waiting: IrpQueue::new()?,
            is_sending: SpinMutex::new(false),
            is_closed: AtomicBool::new(false),
            sent: AtomicU64::new(0),
            lost: AtomicU64::new(0),
        })
    }

    /// Cancels the requests of a file that is closed.
    pub(super) fn cancel_of(&self, file: FileId) {
        self.waiting.cancel_of(file);
    }

    /// Cancels all requests that wait.
    pub(super) fn clear(&self) {
        self.waiting.cancel_all();
    }

    /// Cancels all requests, from now on, too.
    pub(super) fn close(&self) {
        self.is_closed.store(true, Ordering::SeqCst);
        self.waiting.cancel_all();
    }

    /// How many datagrams were sent.
    pub(super) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// How many datagrams could not be sent.
    pub(super) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Counts one more on its way. False where there are too many.
    fn reserve(&self) -> bool {
        let one_more = |in_flight: usize| (in_flight < MAX_IN_FLIGHT).then(|| in_flight + 1);
        self.in_flight.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_more).is_ok()
    }

    /// The oldest request that waits, where there is room for its datagram, which is counted.
    fn next(&self) -> Option<Irp> {
        if !self.reserve() {
            return None;
        }
        let irp = self.waiting.pop();
        if irp.is_none() {
            self.release();
        }
        irp
    }

    /// Counts one less. True where requests may wait for that.
    fn release(&self) -> bool {
        self.in_flight.fetch_sub(1, Ordering::SeqCst) >= MAX_IN_FLIGHT
    }
}

/// A datagram on its way.
struct InFlight {
    adapter: Shared<Adapter>,
}

impl OneSent for InFlight {
    fn sent(self, status: Status) {
        let outbox = &self.adapter.extension.outbox;
        let counter = if status.is_success() { &outbox.sent } else { &outbox.lost };
        counter.fetch_add(1, Ordering::Relaxed);
        if outbox.release() {
            // By the control thread: this may be inside of a send, deep in the stack.
            self.adapter.control.wake();
        }
    }
}

/// Sends what is in a request, now or when there is room.
///
/// # IRQL
/// `PASSIVE_LEVEL`
///
/// # Locks
/// Takes the adapter's state lock, and has given it back before it sends: who sends to the
/// adapter's own address gets into [`super::inbox::receive`] on the same thread.
pub(super) fn write(adapter: &Shared<Adapter>, irp: Irp) -> Dispatched {
    let form = form(&irp);
    let admitted = owner::admit(adapter, &mut adapter.state.lock(), form, irp.file());
    // Judged at once, so that who writes nonsense hears of it before others are done.
    if let Err(refusal) = admitted.and_then(|()| destination(adapter, &irp).map(|_| ())) {
        return irp.complete(refusal.status(form), 0);
    }
    let outbox = &adapter.extension.outbox;
    let dispatched = outbox.waiting.push(irp);
    // Looked at after the push: whoever makes room looks for requests after that, so one of the two
    // sees both.
    send_waiting(adapter);
    if outbox.is_closed.load(Ordering::SeqCst) {
        outbox.waiting.cancel_all();
    }
    dispatched
}

/// Sends what waits, while there is room. One thread at a time does, so that nothing is overtaken;
/// what others bring meanwhile, it finds.
///
/// # IRQL
/// `PASSIVE_LEVEL`
///
/// # Locks
/// As [`write()`].
pub(super) fn send_waiting(adapter: &Shared<Adapter>) {
    let outbox = &adapter.extension.outbox;
    let mut is_sending = outbox.is_sending.lock();
    if core::mem::replace(&mut *is_sending, true) {
        return;
    }
    while let Some(irp) = outbox.next() {
        drop(is_sending);
        send(adapter, irp);
        is_sending = outbox.is_sending.lock();
    }
    *is_sending = false;
}

/// Sends what is in a request, for which there is room, and ends it.
fn send(adapter: &Shared<Adapter>, irp: Irp) {
    let flight = InFlight { adapter: adapter.clone() };
    let result = match destination(adapter, &irp) {
        Ok((to, data)) => {
            adapter.sockets.send_one(data, &to, flight).map_err(|(status, flight)| {
                flight.sent(status);
                ChannelRefusal::from(status)
            })
        }
        Err(refusal) => {
            flight.sent(Status::CANCELLED);
            Err(refusal)
        }
    };
    let form = form(&irp);
    let _ = match (result, form) {
        // All of it was written, the address, too.
        (Ok(()), Abi::OvpnDco) => {
            let written = irp.input_bytes();
            irp.complete(Status::SUCCESS, written)
        }
        (Ok(()), Abi::Native | Abi::WireGuardNt) => irp.complete(Status::SUCCESS, 0),
        (Err(refusal), form) => irp.complete(refusal.status(form), 0),
    };
}

/// In which ABI a request came.
fn form(irp: &Irp) -> Abi {
    if irp.kind() == RequestKind::Write { Abi::OvpnDco } else { Abi::Native }
}

/// Where a request's datagram goes, and its bytes.
fn destination<'a>(adapter: &Shared<Adapter>, irp: &'a Irp) -> ChannelResult<(Endpoint, &'a [u8])> {
    let input = irp.buffered_input()?;
    let sources = adapter.extension.inbox.sources();
    let mode = match sources {
        Sources::Nobody => return Err(ChannelRefusal::WrongMode),
        Sources::Only(_) => Mode::PointToPoint,
        Sources::Anybody => Mode::MultiPeer,
    };
    let ControlDatagram { address, data } = match form(irp) {
        Abi::OvpnDco => ovpn_dco::decode_write(mode, input)?,
        Abi::Native | Abi::WireGuardNt => match decode(irp.control_code(), input)?.command {
            tunic_ioctl::Command::DataChannel(_, Command::SendControl(datagram)) => datagram,
            _ => return Err(Status::INVALID_DEVICE_REQUEST.into()),
        },
    };
    let to = match (sources, address.map(canonical)) {
        (Sources::Only(peer), None) => peer,
        (Sources::Anybody, Some(address)) => address,
        (Sources::Anybody, None) => return Err(Status::INVALID_ADDRESS.into()),
        _ => return Err(ChannelRefusal::WrongMode),
    };
    Ok((Endpoint::new(to), data))
}
