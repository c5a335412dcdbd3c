//! Received datagrams, in the memory of the network stack.
//!
//! # Safety conditions
//! 1. Indications, and what they point to, are valid and unmodified until they are released to WSK,
//!    which is when [`Datagrams`] are dropped.

use core::net::SocketAddr;
use core::{ptr, slice};

use nt_sys::wsk::WSK_DATAGRAM_INDICATION;

use super::address::{PacketInfo, from_sockaddr};
use super::control;
use super::socket::Core;
use crate::mdl::{self, Pieces, PiecesError};
use crate::shared::Shared;

/// Received datagrams, which are retained from WSK until this is dropped. They occupy buffers of a
/// network card, and should be dropped soon.
///
/// # IRQL
/// `<= DISPATCH_LEVEL`
pub struct Datagrams {
    /// Null if there are none.
    first: *mut WSK_DATAGRAM_INDICATION,
    count: usize,
    /// The socket, with one use for each datagram.
    core: Shared<Core>,
}

impl Datagrams {
    /// Retains a chain. `None` if the socket is being closed: WSK must keep the chain.
    ///
    /// # Safety
    /// WSK must be indicating the chain to the socket of `core`. If the result is `Some`, WSK must
    /// be told that the chain is retained.
    pub(super) unsafe fn retain(
        core: &Shared<Core>,
        first: *mut WSK_DATAGRAM_INDICATION,
    ) -> Option<Self> {
        let (mut next, mut count) = (first, 0);
        // SAFETY: by the caller's promise.
        while let Some(indication) = unsafe { next.as_ref() } {
            next = indication.Next;
            count += 1;
        }
        core.rundown.enter(count).then(|| Self { first, count, core: core.clone() })
    }

    /// The number of datagrams.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there are no datagrams.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The datagrams, in order of arrival.
    pub fn iter(&self) -> impl Iterator<Item = Datagram<'_>> {
        let mut next = self.first;
        core::iter::from_fn(move || {
            // SAFETY: 1.
            let indication = unsafe { next.as_ref() }?;
            next = indication.Next;
            Some(Datagram { indication })
        })
    }

    /// Removes the first `count` datagrams, or all if there are fewer.
    pub fn split_front(&mut self, count: usize) -> Self {
        let mut front = Self { first: ptr::null_mut(), count: 0, core: self.core.clone() };
        if count >= self.count {
            core::mem::swap(self, &mut front);
            return front;
        }
        let (mut last, mut rest) = (ptr::null_mut::<WSK_DATAGRAM_INDICATION>(), self.first);
        for _ in 0..count {
            last = rest;
            // SAFETY: 1. There are more than `count`.
            rest = unsafe { (*rest).Next };
        }
        // SAFETY: 1. It is null if `count` is 0.
        if let Some(last) = unsafe { last.as_mut() } {
            last.Next = ptr::null_mut();
            front.first = self.first;
            front.count = count;
            self.first = rest;
            self.count -= count;
        }
        front
    }

    /// Releases the datagrams to WSK, as dropping does.
    pub fn release(self) {
        drop(self);
    }
}

impl Drop for Datagrams {
    fn drop(&mut self) {
        if self.first.is_null() {
            return;
        }
        self.core.release(self.first);
        // Afterwards, as the socket must not be closed during the call.
        self.core.rundown.leave(self.count);
    }
}

// SAFETY: WSK takes datagrams back on any thread.
unsafe impl Send for Datagrams {}
// SAFETY: a shared chain is only read.
unsafe impl Sync for Datagrams {}

/// One received datagram.
#[derive(Clone, Copy)]
pub struct Datagram<'a> {
    indication: &'a WSK_DATAGRAM_INDICATION,
}

impl<'a> Datagram<'a> {
    /// Its length, in bytes.
    pub fn len(&self) -> usize {
        self.indication.Buffer.Length
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Its bytes, in place.
    pub fn pieces<const N: usize>(&self) -> Result<Pieces<'a, N>, PiecesError> {
        let buffer = &self.indication.Buffer;
        // SAFETY: 1.
        unsafe { Pieces::of_chain(buffer.Mdl, buffer.Offset as usize, buffer.Length) }
    }

    /// Copies its first bytes, as many as fit into `output`.
    pub fn copy_to<'b>(&self, output: &'b mut [u8]) -> Result<&'b mut [u8], PiecesError> {
        let buffer = &self.indication.Buffer;
        let length = buffer.Length.min(output.len());
        let output = output.get_mut(..length).unwrap_or_default();
        // SAFETY: 1.
        unsafe { mdl::copy_from_chain(buffer.Mdl, buffer.Offset as usize, output) }?;
        Ok(output)
    }

    /// The source address.
    pub fn remote(&self) -> Option<SocketAddr> {
        // SAFETY: 1.
        unsafe { from_sockaddr(self.indication.RemoteAddress) }
    }

    /// The local address that it arrived at.
    pub fn local(&self) -> Option<PacketInfo> {
        control::packet_info(self.control())
    }

    /// The ECN codepoint of its IP header, if the system provides it.
    pub fn ecn(&self) -> Option<u8> {
        control::ecn(self.control())
    }

    fn control(&self) -> &'a [u8] {
        let control = self.indication.ControlInfo;
        if control.is_null() {
            return &[];
        }
        let length = self.indication.ControlInfoLength as usize;
        // SAFETY: 1.
        unsafe { slice::from_raw_parts(control.cast(), length) }
    }
}
