//! The receiving side of a socket.

use std::net::SocketAddr;
use std::ptr;
use std::sync::{Condvar, Mutex};

use nt_host as _;
use nt_sys::mm::MDL_SOURCE_IS_NONPAGED_POOL;
use nt_sys::ntdef::{DISPATCH_LEVEL, NTSTATUS, PVOID, ULONG};
use nt_sys::status::{STATUS_DATA_NOT_ACCEPTED, STATUS_PENDING, STATUS_SUCCESS};
use nt_sys::wsk::*;

use super::{lock, socket_address, wait};

pub(crate) static RECEIVE_DISPATCH: WSK_CLIENT_DATAGRAM_DISPATCH =
    WSK_CLIENT_DATAGRAM_DISPATCH { WskReceiveFromEvent: Some(received) };

/// The reaction of a receiver to indications.
#[derive(Clone, Copy, Default, PartialEq)]
pub(crate) enum Behavior {
    #[default]
    Copy,
    Retain,
    RefuseOnce,
}

/// A datagram that was received.
#[derive(Debug, PartialEq)]
pub(crate) struct Datagram {
    pub(crate) bytes: Vec<u8>,
    pub(crate) from: SocketAddr,
    pub(crate) control: Vec<u8>,
}

/// The receiver of a socket's datagrams.
#[derive(Default)]
pub(crate) struct Receiver {
    pub(crate) behavior: Mutex<Behavior>,
    pub(crate) datagrams: Mutex<Vec<Datagram>>,
    /// Chains that are retained, as addresses.
    pub(crate) retained: Mutex<Vec<usize>>,
    pub(crate) refused: Mutex<Option<usize>>,
    pub(crate) changed: Condvar,
}

impl Receiver {
    pub(crate) fn new(behavior: Behavior) -> &'static Self {
        Box::leak(Box::new(Self { behavior: Mutex::new(behavior), ..Self::default() }))
    }

    /// Waits for this many datagrams.
    pub(crate) fn wait(&self, count: usize) -> Vec<Datagram> {
        wait(&self.datagrams, &self.changed, |datagrams| datagrams.len() >= count)
    }

    pub(crate) fn retained(&self) -> Vec<*mut WSK_DATAGRAM_INDICATION> {
        let chains = std::mem::take(&mut *lock(&self.retained));
        chains.into_iter().map(ptr::with_exposed_provenance_mut).collect()
    }
}

pub(crate) unsafe extern "efiapi" fn received(
    context: PVOID,
    flags: ULONG,
    first: *mut WSK_DATAGRAM_INDICATION,
) -> NTSTATUS {
    // SAFETY: the context of `Client::socket`, which lives forever.
    let receiver = unsafe { &*context.cast::<Receiver>() };
    assert_eq!(flags & WSK_FLAG_AT_DISPATCH_LEVEL, WSK_FLAG_AT_DISPATCH_LEVEL);
    assert_eq!(nt_host::irql::current(), DISPATCH_LEVEL);
    let mut behavior = lock(&receiver.behavior);
    if *behavior == Behavior::RefuseOnce {
        *behavior = Behavior::Copy;
        *lock(&receiver.refused) = Some(1);
        receiver.changed.notify_all();
        return STATUS_DATA_NOT_ACCEPTED;
    }
    let mut datagrams = lock(&receiver.datagrams);
    let mut next = first;
    while !next.is_null() {
        // SAFETY: the indication is the callback's.
        datagrams.push(unsafe { copy(next) });
        // SAFETY: the indication is the callback's until it returns.
        next = unsafe { (*next).Next };
    }
    let status = if *behavior == Behavior::Retain {
        lock(&receiver.retained).push(first.expose_provenance());
        STATUS_PENDING
    } else {
        STATUS_SUCCESS
    };
    receiver.changed.notify_all();
    status
}

/// # Safety
/// The caller owns the indication.
pub(crate) unsafe fn copy(indication: *const WSK_DATAGRAM_INDICATION) -> Datagram {
    // SAFETY: the caller's word.
    let indication = unsafe { &*indication };
    // SAFETY: the MDL belongs to the indication, which the caller owns.
    let mdl = unsafe { &*indication.Buffer.Mdl };
    assert!(mdl.MdlFlags & MDL_SOURCE_IS_NONPAGED_POOL != 0);
    let start = mdl.MappedSystemVa.cast::<u8>().wrapping_add(indication.Buffer.Offset as usize);
    let length = indication.Buffer.Length;
    assert!(indication.Buffer.Offset as usize + length <= mdl.ByteCount as usize);
    // SAFETY: the MDL maps `Offset + Length` bytes, as asserted above.
    let bytes = unsafe { std::slice::from_raw_parts(start, length) }.to_vec();
    let control = if indication.ControlInfo.is_null() {
        Vec::new()
    } else {
        let length = indication.ControlInfoLength as usize;
        // SAFETY: the control data belongs to the indication, which the caller owns.
        unsafe { std::slice::from_raw_parts(indication.ControlInfo.cast(), length) }.to_vec()
    };
    // SAFETY: the address belongs to the indication, which the caller owns.
    let from = unsafe { socket_address(indication.RemoteAddress) };
    Datagram { bytes, from, control }
}
