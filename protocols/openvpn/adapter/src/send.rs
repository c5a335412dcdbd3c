//! Sends control datagrams for requests.

use core::sync::atomic::Ordering;

use nic_engine::{Endpoint, canonical};
use nt::irp::{Dispatched, Irp, RequestKind};
use nt::wsk::OneSent;
use nt::{Shared, Status};
use tunic_ioctl::data_channel::{Command, ControlDatagram, Mode};
use tunic_ioctl::{Abi, native, ovpn_dco};

use crate::channel::Adapter;
use crate::inbox::Sources;
use crate::owner;
use crate::status::{ChannelRefusal, ChannelResult};

/// A send in flight.
struct InFlight {
    adapter: Shared<Adapter>,
}

impl OneSent for InFlight {
    fn sent(self, status: Status) {
        let outbox = &self.adapter.extension.outbox;
        let counter = if status.is_success() { &outbox.sent } else { &outbox.lost };
        counter.fetch_add(1, Ordering::Relaxed);
        if outbox.release() {
            // On the control thread: this completion may be nested in a send, with little stack
            // left.
            self.adapter.control.wake();
        }
    }
}

/// Sends the datagram of a request, or pends the request until there is room.
///
/// # IRQL
/// `PASSIVE_LEVEL`
///
/// # Locks
/// Takes the adapter's state lock, and releases it before it sends: a send to the adapter's own
/// address calls [`crate::receive::receive`] on the same thread.
pub(crate) fn write(adapter: &Shared<Adapter>, irp: Irp) -> Dispatched {
    let abi = abi_of(&irp);
    let admitted = owner::admit(adapter, &mut adapter.state.lock(), abi, irp.file());
    // Checked now, so that an invalid request fails without waiting for others.
    let checked = admitted.and_then(|()| {
        let input = irp.stable_input()?;
        destination(adapter, &irp, &input).map(|_| ())
    });
    if let Err(refusal) = checked {
        return irp.complete(refusal.status(abi), 0);
    }
    let outbox = &adapter.extension.outbox;
    let dispatched = outbox.waiting.push(irp);
    // Checked after the request is queued. A completed send checks for requests after it has made
    // room, so one of the two sees both.
    send_waiting(adapter);
    if outbox.is_closed.load(Ordering::SeqCst) {
        outbox.waiting.cancel_all();
    }
    dispatched
}

/// Sends for pending requests while there is room. One thread at a time does so, which keeps the
/// order; it also handles what other threads queue.
///
/// # IRQL
/// `PASSIVE_LEVEL`
///
/// # Locks
/// As [`write()`].
pub(crate) fn send_waiting(adapter: &Shared<Adapter>) {
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

/// Sends the datagram of a request with a reserved send, and completes the request.
fn send(adapter: &Shared<Adapter>, irp: Irp) {
    let flight = InFlight { adapter: adapter.clone() };
    let input = irp.stable_input().map_err(ChannelRefusal::from);
    let found = match &input {
        Ok(input) => destination(adapter, &irp, input),
        Err(refusal) => Err(*refusal),
    };
    let result = match found {
        Ok((to, data)) => match adapter.reach(to) {
            Some(to) => adapter.sockets.send_one(data, &to, flight).map_err(|(status, flight)| {
                flight.sent(status);
                ChannelRefusal::from(status)
            }),
            None => {
                flight.sent(Status::NETWORK_UNREACHABLE);
                Err(Status::NETWORK_UNREACHABLE.into())
            }
        },
        Err(refusal) => {
            flight.sent(Status::CANCELLED);
            Err(refusal)
        }
    };
    drop(input);
    let abi = abi_of(&irp);
    let _ = match (result, abi) {
        // All input counts as written, including the address.
        (Ok(()), Abi::OvpnDco) => {
            let written = irp.input_bytes();
            irp.complete(Status::SUCCESS, written)
        }
        (Ok(()), Abi::Native | Abi::WireGuardNt) => irp.complete(Status::SUCCESS, 0),
        (Err(refusal), abi) => irp.complete(refusal.status(abi), 0),
    };
}

/// The ABI of a request.
fn abi_of(irp: &Irp) -> Abi {
    if irp.kind() == RequestKind::Write { Abi::OvpnDco } else { Abi::Native }
}

/// The destination and the bytes of a request's datagram, which its input holds.
fn destination<'a>(
    adapter: &Shared<Adapter>,
    irp: &Irp,
    input: &'a [u8],
) -> ChannelResult<(Endpoint, &'a [u8])> {
    let sources = adapter.extension.inbox.sources();
    let mode = match sources {
        Sources::None => return Err(ChannelRefusal::WrongMode),
        Sources::OnlyPeer(_) => Mode::PointToPoint,
        Sources::Any(_) => Mode::MultiPeer,
    };
    let ControlDatagram { address, data } = match abi_of(irp) {
        Abi::OvpnDco => ovpn_dco::decode_write(mode, input)?,
        Abi::Native | Abi::WireGuardNt => {
            let request = native::decode(irp.control_code(), input)?;
            match request.map(|request| request.command) {
                Some(tunic_ioctl::Command::DataChannel(_, Command::SendControl(datagram))) => {
                    datagram
                }
                _ => return Err(Status::INVALID_DEVICE_REQUEST.into()),
            }
        }
    };
    let to = match (sources, address.map(canonical)) {
        (Sources::OnlyPeer(peer), None) => peer,
        (Sources::Any(_), Some(address)) => address,
        (Sources::Any(_), None) => return Err(Status::INVALID_ADDRESS.into()),
        _ => return Err(ChannelRefusal::WrongMode),
    };
    Ok((Endpoint::new(to), data))
}
