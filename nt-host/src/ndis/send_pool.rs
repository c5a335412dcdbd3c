//! The host's NET_BUFFER_LISTs for sending: a bounded number for each adapter, which are reused.

use std::ptr;
use std::sync::{Mutex, PoisonError};

use nt_sys::ndis::{
    NDIS_NBL_FLAGS_IS_IPV4, NDIS_NBL_FLAGS_IS_IPV6, NDIS_PROTOCOL_ID_TCP_IP,
    NetBufferListProtocolId,
};

use super::attributes::General;
use super::object::{Object, ObjectShape, Owner};
use super::tuning::{MdlLayout, Tuning};
use super::verification::verification;
use crate::violation::{Rule, stop};

/// Unused bytes between two pieces of a packet's data.
const GAP: usize = 64;

/// The number of data bytes that are always filled with the pattern after completion.
const ALWAYS_POISONED: usize = 64;

/// The objects of one adapter.
pub(super) struct SendPool {
    free: Mutex<Free>,
    limit: usize,
}

#[derive(Default)]
struct Free {
    objects: Vec<Object>,
    allocated: usize,
}

/// The layout of a packet's data in an object.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct DataLayout {
    /// The backfill before the packet, as requested by the miniport.
    back_fill: usize,
    /// The longest packet.
    pub(super) packet_bytes: usize,
    /// The bytes of one MDL.
    piece: usize,
    shape: ObjectShape,
}

impl DataLayout {
    /// The layout for an adapter with these attributes, and the MTU of the stack above it.
    pub(super) fn new(general: Option<&General>, mtu: u32, tuning: &Tuning) -> Self {
        let (back_fill, context_bytes) = general.map_or((0, 0), |general| {
            (general.data_back_fill_bytes as usize, general.context_back_fill_bytes as usize)
        });
        let packet_bytes = packet_bytes(mtu);
        // The requested sizes are bounded.
        let back_fill = back_fill.min(4096);
        let context_bytes = context_bytes.min(4096).next_multiple_of(16);
        let all = back_fill + packet_bytes;
        let (piece, pieces) = match tuning.mdl_layout {
            MdlLayout::Single => (all, 1),
            MdlLayout::Pieces(bytes) => (bytes.max(1), all.div_ceil(bytes.max(1))),
        };
        let data_bytes = if pieces == 1 { all } else { pieces * (piece + GAP) };
        let shape = ObjectShape {
            context_bytes,
            net_buffer: true,
            mdls: pieces,
            data_bytes,
            guard: tuning.guard,
        };
        Self { back_fill, packet_bytes, piece, shape }
    }

    /// Whether this MTU needs another layout.
    pub(super) fn is_outdated(self, mtu: u32) -> bool {
        self.packet_bytes != packet_bytes(mtu)
    }

    /// Whether a packet is contiguous in an object.
    pub(super) fn is_contiguous(self) -> bool {
        self.shape.mdls == 1
    }

    /// The address of a contiguous packet.
    pub(super) fn packet(self, object: Object) -> *mut u8 {
        object.data().wrapping_add(self.back_fill)
    }

    /// Copies a packet into the pieces of an object.
    ///
    /// # Safety
    /// The caller owns the object, which has this layout. The packet is at most `packet_bytes`
    /// long.
    pub(super) unsafe fn scatter(self, object: Object, packet: &[u8]) {
        let mut at = self.back_fill;
        let mut left = packet;
        while !left.is_empty() {
            let room = self.piece - at % self.piece;
            let (now, later) = left.split_at(room.min(left.len()));
            let to = object.data().wrapping_add(self.place(at));
            // SAFETY: inside the object's data, which the caller owns.
            unsafe { ptr::copy_nonoverlapping(now.as_ptr(), to, now.len()) };
            at += now.len();
            left = later;
        }
    }

    /// Makes an object a packet of `length` bytes, whose data is in place.
    ///
    /// # Safety
    /// As for [`scatter`](Self::scatter).
    pub(super) unsafe fn finish(self, object: Object, length: usize, version: u8) {
        // SAFETY: as the caller promises.
        unsafe { object.initialize() };
        let end = self.back_fill + length;
        let pieces = end.div_ceil(self.piece).max(1);
        for index in (0..pieces).rev() {
            let start = index * self.piece;
            let bytes = self.piece.min(end - start);
            let next = if index + 1 < pieces { object.mdl(index + 1) } else { ptr::null_mut() };
            // SAFETY: inside the object's data, which the caller owns.
            unsafe { object.describe(index, self.place(start), bytes, next) };
        }
        let current = self.back_fill / self.piece;
        // SAFETY: part of the object, which the caller owns.
        let net_buffer = unsafe { &mut *object.net_buffer() };
        net_buffer.MdlChain = object.mdl(0);
        net_buffer.CurrentMdl = object.mdl(current);
        net_buffer.CurrentMdlOffset = (self.back_fill - current * self.piece) as u32;
        net_buffer.DataOffset = self.back_fill as u32;
        net_buffer.DataLength = length as u32;
        // SAFETY: the caller owns the object.
        let nbl = unsafe { &mut *object.nbl() };
        nbl.NblFlags = if version == 6 { NDIS_NBL_FLAGS_IS_IPV6 } else { NDIS_NBL_FLAGS_IS_IPV4 };
        if let Some(slot) = nbl.NetBufferListInfo.get_mut(NetBufferListProtocolId) {
            *slot = ptr::without_provenance_mut(usize::from(NDIS_PROTOCOL_ID_TCP_IP));
        }
    }

    /// Whether a completed object still describes the packet that was sent.
    ///
    /// # Safety
    /// The caller owns the object.
    pub(super) unsafe fn is_unchanged(object: Object) -> bool {
        // SAFETY: the caller owns the object.
        let nbl = unsafe { &*object.nbl() };
        if nbl.FirstNetBuffer != object.net_buffer() {
            return false;
        }
        // SAFETY: part of the object.
        let net_buffer = unsafe { &*object.net_buffer() };
        net_buffer.Next.is_null() && net_buffer.MdlChain == object.mdl(0)
    }

    fn place(self, at: usize) -> usize {
        if self.is_contiguous() {
            at
        } else {
            at / self.piece * (self.piece + GAP) + at % self.piece
        }
    }
}

impl SendPool {
    pub(super) fn new(limit: usize) -> Self {
        Self { free: Mutex::new(Free::default()), limit }
    }

    /// Moves up to `count` objects of `layout` to `to`. The caller owns them.
    pub(super) fn take(&self, layout: DataLayout, count: usize, to: &mut Vec<Object>) {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        for _ in 0..count {
            if let Some(object) = free.objects.pop() {
                require_untouched(object);
                if object.shape() == layout.shape {
                    to.push(object);
                    continue;
                }
                // The object has the layout of another MTU.
                free.allocated -= 1;
                // SAFETY: the object was free.
                unsafe { object.release() };
            }
            if free.allocated >= self.limit {
                break;
            }
            let Some(object) = Object::allocate(0, layout.shape) else { break };
            let _ = object.pass(Owner::Pool, Owner::Allocator);
            free.allocated += 1;
            to.push(object);
        }
    }

    /// Takes objects back, which the caller owns.
    pub(super) fn give(&self, from: &mut Vec<Object>) {
        for object in from.iter() {
            let all = object.shape().data_bytes;
            let bytes = if verification() { all } else { ALWAYS_POISONED };
            // SAFETY: the caller owns the objects.
            unsafe { object.poison(bytes) };
            object.protect();
        }
        self.free.lock().unwrap_or_else(PoisonError::into_inner).objects.append(from);
    }

    /// Stops if a free object was accessed.
    pub(super) fn check(&self) {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        for object in &free.objects {
            require_untouched(*object);
            object.protect();
        }
    }

    /// Releases the memory of the free objects.
    pub(super) fn release(&self) {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        for object in std::mem::take(&mut free.objects) {
            require_untouched(object);
            free.allocated -= 1;
            // SAFETY: the object was free.
            unsafe { object.release() };
        }
    }
}

/// The longest packet of the stack above. An IP packet has at most 65,535 bytes; jumbograms are not
/// sent.
fn packet_bytes(mtu: u32) -> usize {
    (mtu as usize).clamp(68, 65_535)
}

/// Makes a free object accessible. Stops if it was written to after its completion.
fn require_untouched(object: Object) {
    object.unprotect();
    // SAFETY: the object is free, and was filled with the pattern at its completion.
    if let Some((part, at)) = unsafe { object.touched() } {
        stop(
            Rule::NBL_TOUCHED_AFTER_COMPLETION,
            "NdisMSendNetBufferListsComplete",
            format_args!(
                "the {part} of {:p} (use {}) was written at byte {at} after it was completed",
                object.nbl(),
                object.generation()
            ),
        );
    }
}
