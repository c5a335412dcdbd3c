//! Memory descriptor lists: the driver's own, and the contents of MDL chains of others.

use core::ptr::{self, NonNull};

use nt_sys::io::{IoAllocateMdl, IoFreeMdl};
use nt_sys::mm::{
    MDL, MDL_MAPPED_TO_SYSTEM_VA, MDL_SOURCE_IS_NONPAGED_POOL, MdlMappingNoExecute,
    MmBuildMdlForNonPagedPool, MmCached, MmMapLockedPagesSpecifyCache, NormalPagePriority,
};
use nt_sys::ntdef::{FALSE, KernelMode, ULONG};

use crate::status::{Result, Status};

/// An MDL over a part of the non-paged pool that its owner keeps allocated.
pub(crate) struct Mdl {
    mdl: NonNull<MDL>,
}

impl Mdl {
    /// Allocates an MDL for bytes of the non-paged pool.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    ///
    /// # Safety
    /// The bytes must be in the non-paged pool, and stay allocated as long as the MDL exists.
    pub(crate) unsafe fn new(start: *mut u8, length: u32) -> Result<Self> {
        // SAFETY: the function only computes with the address.
        let mdl = unsafe { IoAllocateMdl(start.cast(), length, FALSE, FALSE, ptr::null_mut()) };
        let mdl = NonNull::new(mdl).ok_or(Status::INSUFFICIENT_RESOURCES)?;
        // SAFETY: by the caller's promise.
        unsafe { MmBuildMdlForNonPagedPool(mdl.as_ptr()) };
        Ok(Self { mdl })
    }

    pub(crate) fn as_ptr(&self) -> *mut MDL {
        self.mdl.as_ptr()
    }
}

impl Drop for Mdl {
    fn drop(&mut self) {
        // SAFETY: `new` allocated it, and it is not used any more. It has no mapping of its own to
        // undo: its pages are those of the non-paged pool.
        unsafe { IoFreeMdl(self.mdl.as_ptr()) };
    }
}

// SAFETY: an MDL is plain memory; its owner decides who uses it when.
unsafe impl Send for Mdl {}
// SAFETY: an MDL is plain memory; its owner decides who uses it when.
unsafe impl Sync for Mdl {}

/// Why a chain can't be accessed in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PiecesError {
    /// It has more pieces than the caller has room for, which can copy them instead.
    TooMany,
    /// The chain is too short, or the system can't map it.
    Unreadable,
}

/// Up to `N` contiguous pieces of a chain, in order.
pub struct Pieces<'a, const N: usize> {
    pieces: [&'a [u8]; N],
    count: usize,
}

impl<const N: usize> Pieces<'_, N> {
    /// No pieces.
    pub const EMPTY: Self = Self { pieces: [&[]; N], count: 0 };
}

impl<'a, const N: usize> Pieces<'a, N> {
    /// One contiguous piece.
    pub fn one(bytes: &'a [u8]) -> Self {
        let mut pieces = Self { pieces: [&[]; N], count: 0 };
        if let Some(first) = pieces.pieces.first_mut() {
            *first = bytes;
            pieces.count = 1;
        }
        pieces
    }

    /// The pieces.
    pub fn as_slice(&self) -> &[&'a [u8]] {
        self.pieces.get(..self.count).unwrap_or_default()
    }

    /// The pieces of a chain for `length` bytes from `offset` on.
    ///
    /// # Safety
    /// The chain must be valid, locked, and not written to, during `'a`.
    pub(crate) unsafe fn of_chain(
        chain: *const MDL,
        offset: usize,
        length: usize,
    ) -> core::result::Result<Self, PiecesError> {
        let mut pieces = Self { pieces: [&[]; N], count: 0 };
        let mut has_room = true;
        // SAFETY: by the caller's promise.
        unsafe {
            walk(chain, offset, length, &mut |piece| match pieces.pieces.get_mut(pieces.count) {
                Some(slot) => {
                    *slot = piece;
                    pieces.count = pieces.count.wrapping_add(1);
                }
                None => has_room = false,
            })
        }?;
        if has_room { Ok(pieces) } else { Err(PiecesError::TooMany) }
    }
}

/// Copies `output.len()` bytes of a chain from `offset` on.
///
/// # Safety
/// The chain must be valid and locked.
pub(crate) unsafe fn copy_from_chain(
    chain: *const MDL,
    offset: usize,
    output: &mut [u8],
) -> core::result::Result<(), PiecesError> {
    let length = output.len();
    let mut done = 0_usize;
    // SAFETY: by the caller's promise.
    unsafe {
        walk(chain, offset, length, &mut |piece| {
            let end = done.wrapping_add(piece.len());
            if let Some(room) = output.get_mut(done..end) {
                room.copy_from_slice(piece);
            }
            done = end;
        })
    }
}

/// Calls `take` with each piece of a chain for `length` bytes from `offset` on.
///
/// # Safety
/// The chain must be valid, locked, and not written to, during `'a`.
unsafe fn walk<'a>(
    chain: *const MDL,
    mut offset: usize,
    mut length: usize,
    take: &mut dyn FnMut(&'a [u8]),
) -> core::result::Result<(), PiecesError> {
    let mut next = chain.cast_mut();
    while length > 0 {
        let Some(mdl) = NonNull::new(next) else { return Err(PiecesError::Unreadable) };
        // SAFETY: by the caller's promise.
        let fields: MDL = unsafe { mdl.read() };
        next = fields.Next;
        let in_mdl = fields.ByteCount as usize;
        if offset >= in_mdl {
            offset = offset.wrapping_sub(in_mdl);
            continue;
        }
        let piece_bytes = length.min(in_mdl.wrapping_sub(offset));
        // SAFETY: the chain's pages are locked.
        let start = unsafe { system_address(mdl) }.ok_or(PiecesError::Unreadable)?;
        let start = start.as_ptr().wrapping_add(offset);
        // SAFETY: the MDL maps that many bytes from there, and nobody writes to them.
        take(unsafe { core::slice::from_raw_parts(start, piece_bytes) });
        length = length.wrapping_sub(piece_bytes);
        offset = 0;
    }
    Ok(())
}

/// The system address of an MDL's bytes: `MmGetSystemAddressForMdlSafe`, which wdm.h inlines.
/// `None` if the system can't map them.
///
/// # Safety
/// The MDL must be valid and its pages locked.
pub(crate) unsafe fn system_address(mdl: NonNull<MDL>) -> Option<NonNull<u8>> {
    // SAFETY: by the caller's promise.
    let fields: MDL = unsafe { mdl.read() };
    if fields.MdlFlags & (MDL_MAPPED_TO_SYSTEM_VA | MDL_SOURCE_IS_NONPAGED_POOL) != 0 {
        return NonNull::new(fields.MappedSystemVa.cast());
    }
    let do_not_bugcheck = ULONG::from(FALSE);
    // SAFETY: the pages are locked, and unlocking them removes the mapping.
    let address = unsafe {
        MmMapLockedPagesSpecifyCache(
            mdl.as_ptr(),
            KernelMode,
            MmCached,
            ptr::null_mut(),
            do_not_bugcheck,
            NormalPagePriority | MdlMappingNoExecute,
        )
    };
    NonNull::new(address.cast())
}
