//! The used data space of a NET_BUFFER (nblapi.h).

use std::ptr;

use nt_sys::mm::MDL;
use nt_sys::ndis::{
    NDIS_STATUS, NDIS_STATUS_FAILURE, NDIS_STATUS_RESOURCES, NDIS_STATUS_SUCCESS, NET_BUFFER,
    NET_BUFFER_ALLOCATE_MDL_HANDLER, NET_BUFFER_FREE_MDL_HANDLER,
};
use nt_sys::ntdef::{BOOLEAN, DISPATCH_LEVEL, PVOID, ULONG};

use crate::irql;
use crate::violation::{Rule, stop};

/// The used data space, as one piece for each MDL.
///
/// The iterator stops the process if the chain is shorter than the NET_BUFFER says.
pub(super) struct Pieces {
    mdl: *mut MDL,
    offset: usize,
    left: usize,
    function: &'static str,
}

impl Pieces {
    /// # Safety
    /// The NET_BUFFER and its MDL chain stay valid and unchanged while the pieces are used.
    pub(super) unsafe fn of(function: &'static str, net_buffer: *const NET_BUFFER) -> Self {
        // SAFETY: as the caller promises.
        let net_buffer = unsafe { &*net_buffer };
        Self {
            mdl: net_buffer.CurrentMdl,
            offset: net_buffer.CurrentMdlOffset as usize,
            left: net_buffer.DataLength as usize,
            function,
        }
    }
}

impl Iterator for Pieces {
    type Item = (*mut u8, usize);

    fn next(&mut self) -> Option<Self::Item> {
        while self.left > 0 {
            if self.mdl.is_null() {
                stop(
                    Rule::NBL_BAD_CHAIN,
                    self.function,
                    format_args!("the MDL chain ends {} bytes before the data", self.left),
                );
            }
            // SAFETY: an MDL of the chain, by the promise of `of`.
            let mdl = unsafe { &*self.mdl };
            let count = mdl.ByteCount as usize;
            let here = count.saturating_sub(self.offset).min(self.left);
            let start = address(mdl).wrapping_add(self.offset);
            self.offset = self.offset.saturating_sub(count);
            self.left -= here;
            self.mdl = mdl.Next;
            if here > 0 {
                return Some((start, here));
            }
        }
        None
    }
}

/// The address of the bytes of an MDL.
fn address(mdl: &MDL) -> *mut u8 {
    if mdl.MappedSystemVa.is_null() {
        mdl.StartVa.cast::<u8>().wrapping_add(mdl.ByteOffset as usize)
    } else {
        mdl.MappedSystemVa.cast()
    }
}

export! { "ndis.sys";
    /// nblapi.h, NdisGetDataBuffer.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    ///
    /// # Safety
    /// `net_buffer` is valid, and `storage` is null or has `bytes_needed` bytes.
    pub unsafe fn NdisGetDataBuffer(
        net_buffer: *mut NET_BUFFER,
        bytes_needed: ULONG,
        storage: PVOID,
        align_multiple: ULONG,
        align_offset: ULONG,
    ) -> PVOID {
        const FUNCTION: &str = "NdisGetDataBuffer";
        irql::require_at_most(FUNCTION, DISPATCH_LEVEL);
        if !align_multiple.is_power_of_two() {
            stop(Rule::BAD_ARGUMENT, FUNCTION, format_args!("AlignMultiple is {align_multiple}"));
        }
        let needed = bytes_needed as usize;
        // SAFETY: as the driver promises.
        if unsafe { (*net_buffer).DataLength } < bytes_needed || needed == 0 {
            return ptr::null_mut();
        }
        // SAFETY: as the driver promises.
        let mut pieces = unsafe { Pieces::of(FUNCTION, net_buffer) };
        let Some((first, bytes)) = pieces.next() else {
            return ptr::null_mut();
        };
        let is_aligned = first.addr() & (align_multiple as usize - 1) == align_offset as usize;
        if bytes >= needed && is_aligned {
            return first.cast();
        }
        if storage.is_null() {
            return ptr::null_mut();
        }
        let mut copied = 0;
        for (from, bytes) in std::iter::once((first, bytes)).chain(pieces) {
            let bytes = bytes.min(needed - copied);
            let to = storage.cast::<u8>().wrapping_add(copied);
            // SAFETY: `from` is data of the packet, and `to` has room for what is still needed.
            unsafe { ptr::copy_nonoverlapping(from, to, bytes) };
            copied += bytes;
            if copied == needed {
                break;
            }
        }
        storage
    }

    /// nblapi.h, NdisAdvanceNetBufferDataStart.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    ///
    /// # Safety
    /// `net_buffer` is valid and owned by the driver.
    pub unsafe fn NdisAdvanceNetBufferDataStart(
        net_buffer: *mut NET_BUFFER,
        data_offset_delta: ULONG,
        free_mdl: BOOLEAN,
        free_mdl_handler: NET_BUFFER_FREE_MDL_HANDLER,
    ) {
        const FUNCTION: &str = "NdisAdvanceNetBufferDataStart";
        irql::require_at_most(FUNCTION, DISPATCH_LEVEL);
        // SAFETY: as the driver promises.
        let net_buffer = unsafe { &mut *net_buffer };
        if data_offset_delta > net_buffer.DataLength {
            stop(
                Rule::BAD_ARGUMENT,
                FUNCTION,
                format_args!("advances by {data_offset_delta} bytes, of {}", net_buffer.DataLength),
            );
        }
        net_buffer.DataOffset += data_offset_delta;
        net_buffer.DataLength -= data_offset_delta;
        if free_mdl != 0 {
            // MDLs that a retreat prepended, and that now lie entirely before the data, are
            // removed.
            loop {
                let first = net_buffer.MdlChain;
                // SAFETY: the first MDL of the chain, or null.
                let Some(mdl) = (unsafe { first.as_ref() }) else { break };
                if mdl.Next.is_null() || net_buffer.DataOffset < mdl.ByteCount {
                    break;
                }
                net_buffer.MdlChain = mdl.Next;
                net_buffer.DataOffset -= mdl.ByteCount;
                let Some(free) = free_mdl_handler else {
                    // Without a handler, the driver tracks these MDLs itself.
                    continue;
                };
                // SAFETY: the driver's handler, with an MDL that its other handler made.
                unsafe { free(first) };
            }
        }
        relocate(net_buffer);
    }

    /// nblapi.h, NdisRetreatNetBufferDataStart.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    ///
    /// # Safety
    /// `net_buffer` is valid and owned by the driver.
    pub unsafe fn NdisRetreatNetBufferDataStart(
        net_buffer: *mut NET_BUFFER,
        data_offset_delta: ULONG,
        data_back_fill: ULONG,
        allocate_mdl_handler: NET_BUFFER_ALLOCATE_MDL_HANDLER,
    ) -> NDIS_STATUS {
        const FUNCTION: &str = "NdisRetreatNetBufferDataStart";
        irql::require_at_most(FUNCTION, DISPATCH_LEVEL);
        // SAFETY: as the driver promises.
        let net_buffer = unsafe { &mut *net_buffer };
        let Some(data_length) = net_buffer.DataLength.checked_add(data_offset_delta) else {
            return NDIS_STATUS_FAILURE;
        };
        if net_buffer.DataOffset < data_offset_delta {
            let missing = data_offset_delta - net_buffer.DataOffset;
            let Some(allocate) = allocate_mdl_handler else {
                // NDIS's default allocator is not implemented: its MDLs could be freed by NDIS's
                // other half only.
                return NDIS_STATUS_RESOURCES;
            };
            let Some(mut bytes) = missing.checked_add(data_back_fill) else {
                return NDIS_STATUS_FAILURE;
            };
            // SAFETY: the driver's handler, called as documented.
            let first = unsafe { allocate(&raw mut bytes) };
            // SAFETY: a new MDL of the driver, or null.
            let Some(mdl) = (unsafe { first.as_mut() }) else {
                return NDIS_STATUS_RESOURCES;
            };
            mdl.Next = net_buffer.MdlChain;
            net_buffer.MdlChain = first;
            net_buffer.DataOffset += mdl.ByteCount;
        }
        net_buffer.DataOffset -= data_offset_delta;
        net_buffer.DataLength = data_length;
        relocate(net_buffer);
        NDIS_STATUS_SUCCESS
    }
}

/// Sets `CurrentMdl` according to `DataOffset`.
fn relocate(net_buffer: &mut NET_BUFFER) {
    let mut offset = net_buffer.DataOffset;
    let mut current = net_buffer.MdlChain;
    // SAFETY: an MDL of the chain, or null.
    while let Some(mdl) = unsafe { current.as_ref() } {
        if offset < mdl.ByteCount || mdl.Next.is_null() {
            break;
        }
        offset -= mdl.ByteCount;
        current = mdl.Next;
    }
    net_buffer.CurrentMdl = current;
    net_buffer.CurrentMdlOffset = offset;
}
