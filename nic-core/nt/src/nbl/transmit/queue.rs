//! A queue of packets.
//!
//! # Safety conditions
//! 1. The packet, or the queue that it is in, owns the NET_BUFFER. No other thread accesses it.
//! 2. All packets of the NET_BUFFER_LIST are finished, so that no other thread uses it.

use core::ptr::{self, NonNull};

use nt_sys::ndis::{NET_BUFFER, NET_BUFFER_LIST};

use super::list::give_back;
use super::packet::TransmitPacket;

/// A FIFO queue of packets, linked through their reserved fields. Dropping it drops the packets.
#[derive(Default)]
pub struct TransmitQueue {
    first: Option<TransmitPacket>,
    last: Option<NonNull<NET_BUFFER>>,
    length: usize,
}

impl TransmitQueue {
    /// Adds a packet at the end.
    pub fn push_back(&mut self, packet: TransmitPacket) {
        let buffer = packet.buffer;
        // SAFETY: 1.
        unsafe { (*buffer.as_ptr()).MiniportReserved[0] = ptr::null_mut() };
        if let Some(last) = self.last.replace(buffer) {
            // SAFETY: 1.
            unsafe { (*last.as_ptr()).MiniportReserved[0] = buffer.as_ptr().cast() };
        }
        if self.first.is_none() {
            self.first = Some(packet);
        } else {
            // The packet before it owns it from here on.
            core::mem::forget(packet);
        }
        self.length = self.length.wrapping_add(1);
    }

    /// Removes the oldest packet.
    pub fn pop_front(&mut self) -> Option<TransmitPacket> {
        let packet = self.first.take()?;
        // SAFETY: 1.
        let next = unsafe { (*packet.buffer.as_ptr()).MiniportReserved[0] };
        self.first = NonNull::new(next.cast()).map(|buffer| TransmitPacket { buffer });
        if self.first.is_none() {
            self.last = None;
        }
        self.length = self.length.wrapping_sub(1);
        Some(packet)
    }

    /// The oldest packet.
    pub fn front(&self) -> Option<&TransmitPacket> {
        self.first.as_ref()
    }

    /// The packets, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &TransmitPacket> {
        let mut next = self.first.as_ref();
        core::iter::from_fn(move || {
            let packet = next?;
            // SAFETY: 1.
            let link = unsafe { (*packet.buffer.as_ptr()).MiniportReserved.as_ptr() };
            // SAFETY: the link holds a pointer to the next packet's NET_BUFFER, or null, which is
            // the representation of `Option<TransmitPacket>`. The borrowed queue keeps it
            // unchanged.
            next =
                unsafe { link.cast::<Option<TransmitPacket>>().as_ref() }.and_then(Option::as_ref);
            Some(packet)
        })
    }

    /// The number of packets.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether the queue is empty.
    pub fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    /// Finishes all packets as sent. [`super::TransmitPath::flush`] returns their lists to NDIS.
    pub fn complete(mut self) {
        self.finish(true);
    }

    fn finish(&mut self, is_sent: bool) {
        let mut newest: Option<NonNull<NET_BUFFER_LIST>> = None;
        let mut oldest: Option<NonNull<NET_BUFFER_LIST>> = None;
        while let Some(packet) = self.pop_front() {
            let Some(list) = packet.finish(is_sent) else { continue };
            let next = newest.map_or(ptr::null_mut(), NonNull::as_ptr);
            // SAFETY: 2.
            unsafe { (*list.as_ptr()).Next = next };
            newest = Some(list);
            oldest = oldest.or(Some(list));
        }
        if let (Some(newest), Some(oldest)) = (newest, oldest) {
            // SAFETY: 2.
            unsafe { give_back(newest, oldest) };
        }
    }
}

// SAFETY: 1, on any thread.
unsafe impl Send for TransmitQueue {}

impl Drop for TransmitQueue {
    fn drop(&mut self) {
        self.finish(false);
    }
}
