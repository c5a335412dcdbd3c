//! Sends the control datagrams of requests.

use core::sync::atomic::Ordering;

use nic_engine::Endpoint;
use nt::irp::{Dispatched, Irp, RequestKind};
use nt::wsk::OneSent;
use nt::{Shared, Status};
use tunic_ioctl::data_channel::{Command, ControlDatagram, Mode};
use tunic_ioctl::{Abi, decode, ovpn_dco};

use crate::address::canonical;
use crate::channel::Adapter;
use crate::inbox::Sources;
use crate::owner;
use crate::status::{ChannelRefusal, ChannelResult};

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
/// adapter's own address gets into [`crate::receive::receive`] on the same thread.
pub(crate) fn write(adapter: &Shared<Adapter>, irp: Irp) -> Dispatched {
    let abi = abi_of(&irp);
    let admitted = owner::admit(adapter, &mut adapter.state.lock(), abi, irp.file());
    // Judged at once, so that who writes nonsense hears of it before others are done.
    if let Err(refusal) = admitted.and_then(|()| destination(adapter, &irp).map(|_| ())) {
        return irp.complete(refusal.status(abi), 0);
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
    let abi = abi_of(&irp);
    let _ = match (result, abi) {
        // All of it was written, the address, too.
        (Ok(()), Abi::OvpnDco) => {
            let written = irp.input_bytes();
            irp.complete(Status::SUCCESS, written)
        }
        (Ok(()), Abi::Native | Abi::WireGuardNt) => irp.complete(Status::SUCCESS, 0),
        (Err(refusal), abi) => irp.complete(refusal.status(abi), 0),
    };
}

/// In which ABI a request came.
fn abi_of(irp: &Irp) -> Abi {
    if irp.kind() == RequestKind::Write { Abi::OvpnDco } else { Abi::Native }
}

/// Where a request's datagram goes, and its bytes.
fn destination<'a>(adapter: &Shared<Adapter>, irp: &'a Irp) -> ChannelResult<(Endpoint, &'a [u8])> {
    let input = irp.buffered_input()?;
    let sources = adapter.extension.inbox.sources();
    let mode = match sources {
        Sources::None => return Err(ChannelRefusal::WrongMode),
        Sources::OnlyPeer(_) => Mode::PointToPoint,
        Sources::Any => Mode::MultiPeer,
    };
    let ControlDatagram { address, data } = match abi_of(irp) {
        Abi::OvpnDco => ovpn_dco::decode_write(mode, input)?,
        Abi::Native | Abi::WireGuardNt => match decode(irp.control_code(), input)?.command {
            tunic_ioctl::Command::DataChannel(_, Command::SendControl(datagram)) => datagram,
            _ => return Err(Status::INVALID_DEVICE_REQUEST.into()),
        },
    };
    let to = match (sources, address.map(canonical)) {
        (Sources::OnlyPeer(peer), None) => peer,
        (Sources::Any, Some(address)) => address,
        (Sources::Any, None) => return Err(Status::INVALID_ADDRESS.into()),
        _ => return Err(ChannelRefusal::WrongMode),
    };
    Ok((Endpoint::new(to), data))
}
