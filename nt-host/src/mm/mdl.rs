//! Memory descriptor lists. All memory is mapped and locked here, so that a mapping is the memory
//! itself.

use core::ffi::c_void;
use core::ptr;

use nt_sys::io::IRP;
use nt_sys::mm::{
    MDL, MDL_ALLOCATED_FIXED_SIZE, MDL_MAPPED_TO_SYSTEM_VA, MDL_PAGES_LOCKED, MDL_PARTIAL,
    MDL_PARTIAL_HAS_BEEN_MAPPED, MDL_SOURCE_IS_NONPAGED_POOL, MEMORY_CACHING_TYPE, PAGE_SIZE,
};
use nt_sys::ntdef::{BOOLEAN, CSHORT, DISPATCH_LEVEL, KPROCESSOR_MODE, KernelMode, PVOID, ULONG};

use crate::irql;
use crate::pool::{self, Owner, Request};
use crate::violation::{Rule, stop};

/// 'Mdl ': the tag of MDLs.
pub const TAG: u32 = u32::from_le_bytes(*b"Mdl ");

/// The largest buffer that one MDL can describe: 4 GiB - PAGE_SIZE (wdm.h, IoAllocateMdl). The size
/// field allows less.
const BYTES_MAX: usize = (i16::MAX as usize - size_of::<MDL>()) / size_of::<usize>() * PAGE_SIZE;

/// The address of the bytes that an MDL describes.
#[must_use]
pub fn system_address(mdl: &MDL) -> *mut c_void {
    let mapped = MDL_MAPPED_TO_SYSTEM_VA | MDL_SOURCE_IS_NONPAGED_POOL;
    if mdl.MdlFlags & mapped == 0 { virtual_address(mdl) } else { mdl.MappedSystemVa }
}

/// `MmGetMdlVirtualAddress`.
#[must_use]
pub fn virtual_address(mdl: &MDL) -> *mut c_void {
    mdl.StartVa.wrapping_byte_add(mdl.ByteOffset as usize)
}

/// Allocates an MDL. Returns null if there is no memory, or if the buffer is too large.
#[must_use]
pub fn allocate(address: *mut c_void, bytes: u32, owner: Owner) -> *mut MDL {
    let offset = address.addr() & (PAGE_SIZE - 1);
    let pages = (offset + bytes as usize).div_ceil(PAGE_SIZE);
    if bytes as usize > BYTES_MAX {
        return ptr::null_mut();
    }
    let size = size_of::<MDL>() + pages * size_of::<usize>();
    let request = Request { owner, tag: TAG, zeroed: true, alignment: 16 };
    let mdl = pool::allocate(size, request).cast::<MDL>();
    if !mdl.is_null() {
        let value = MDL {
            Next: ptr::null_mut(),
            Size: size as CSHORT,
            MdlFlags: MDL_ALLOCATED_FIXED_SIZE,
            Process: ptr::null_mut(),
            MappedSystemVa: ptr::null_mut(),
            StartVa: address.wrapping_byte_sub(offset),
            ByteCount: bytes,
            ByteOffset: offset as u32,
        };
        // SAFETY: just allocated, with room for it.
        unsafe { mdl.write(value) };
    }
    mdl
}

/// Allocates an MDL of memory that the host has locked for an I/O request, in the state in which
/// MmProbeAndLockPages leaves it.
#[must_use]
pub(crate) fn allocate_locked(address: *mut c_void, bytes: u32) -> *mut MDL {
    let mdl = allocate(address, bytes, Owner::Host);
    // SAFETY: null or just allocated.
    if let Some(mdl) = unsafe { mdl.as_mut() } {
        mdl.MdlFlags |= MDL_PAGES_LOCKED;
    }
    mdl
}

export! { "ntoskrnl.exe";
    /// wdm.h, IoAllocateMdl.
    ///
    /// # IRQL
    /// <= DISPATCH_LEVEL.
    ///
    /// # Safety
    /// `irp` is null, or one whose MDLs may be changed.
    pub unsafe fn IoAllocateMdl(
        virtual_address: PVOID,
        length: ULONG,
        secondary_buffer: BOOLEAN,
        _charge_quota: BOOLEAN,
        irp: *mut IRP,
    ) -> *mut MDL {
        let function = "IoAllocateMdl";
        irql::require_at_most(function, DISPATCH_LEVEL);
        if !irp.is_null() && secondary_buffer != 0 {
            stop(
                Rule::BAD_ARGUMENT,
                function,
                format_args!("MDL chains of an IRP are not implemented"),
            );
        }
        if !pool::admit() {
            return ptr::null_mut();
        }
        let mdl = allocate(virtual_address, length, Owner::Driver);
        // SAFETY: as the caller promises.
        if let Some(irp) = unsafe { irp.as_mut() } {
            irp.MdlAddress = mdl;
        }
        mdl
    }

    /// wdm.h, IoFreeMdl.
    ///
    /// # IRQL
    /// <= DISPATCH_LEVEL.
    ///
    /// # Safety
    /// `mdl` is of [`IoAllocateMdl`] and not used any more.
    pub unsafe fn IoFreeMdl(mdl: *mut MDL) {
        let function = "IoFreeMdl";
        irql::require_at_most(function, DISPATCH_LEVEL);
        // SAFETY: as the caller promises.
        unsafe { pool::free(function, mdl.cast(), TAG) };
    }

    /// wdm.h, MmBuildMdlForNonPagedPool.
    ///
    /// # IRQL
    /// <= DISPATCH_LEVEL.
    ///
    /// # Safety
    /// `mdl` is valid, and describes non-paged memory.
    pub unsafe fn MmBuildMdlForNonPagedPool(mdl: *mut MDL) {
        let function = "MmBuildMdlForNonPagedPool";
        irql::require_at_most(function, DISPATCH_LEVEL);
        // SAFETY: as the caller promises.
        let mdl = unsafe { &mut *mdl };
        let built = MDL_PAGES_LOCKED | MDL_MAPPED_TO_SYSTEM_VA | MDL_SOURCE_IS_NONPAGED_POOL;
        if mdl.MdlFlags & (built | MDL_PARTIAL) != 0 {
            stop(
                Rule::BAD_ARGUMENT,
                function,
                format_args!("the MDL is built already: flags {:#x}", mdl.MdlFlags),
            );
        }
        mdl.MdlFlags |= MDL_SOURCE_IS_NONPAGED_POOL;
        mdl.MappedSystemVa = virtual_address(mdl);
    }

    /// wdm.h, MmMapLockedPagesSpecifyCache: into the system's address space only.
    ///
    /// # IRQL
    /// <= DISPATCH_LEVEL.
    ///
    /// # Safety
    /// `mdl` is valid, and describes locked pages.
    pub unsafe fn MmMapLockedPagesSpecifyCache(
        mdl: *mut MDL,
        access_mode: KPROCESSOR_MODE,
        _cache_type: MEMORY_CACHING_TYPE,
        requested_address: PVOID,
        _bug_check_on_failure: ULONG,
        _priority: ULONG,
    ) -> PVOID {
        let function = "MmMapLockedPagesSpecifyCache";
        irql::require_at_most(function, DISPATCH_LEVEL);
        // SAFETY: as the caller promises.
        let mdl = unsafe { &mut *mdl };
        if access_mode != KernelMode || !requested_address.is_null() {
            stop(
                Rule::BAD_ARGUMENT,
                function,
                format_args!(
                    "a mapping for user mode raises exceptions, which this driver can't catch"
                ),
            );
        }
        if mdl.MdlFlags & (MDL_PAGES_LOCKED | MDL_PARTIAL) == 0
            || mdl.MdlFlags & MDL_MAPPED_TO_SYSTEM_VA != 0
        {
            stop(
                Rule::BAD_ARGUMENT,
                function,
                format_args!(
                    "the pages are not locked, or mapped already: flags {:#x}",
                    mdl.MdlFlags
                ),
            );
        }
        if !pool::admit() {
            return ptr::null_mut();
        }
        mdl.MappedSystemVa = virtual_address(mdl);
        mdl.MdlFlags |= MDL_MAPPED_TO_SYSTEM_VA;
        if mdl.MdlFlags & MDL_PARTIAL != 0 {
            mdl.MdlFlags |= MDL_PARTIAL_HAS_BEEN_MAPPED;
        }
        mdl.MappedSystemVa
    }

    /// wdm.h, MmUnmapLockedPages.
    ///
    /// # IRQL
    /// <= DISPATCH_LEVEL; <= APC_LEVEL for user mode.
    ///
    /// # Safety
    /// `mdl` is mapped at `base_address`, which is not used any more.
    pub unsafe fn MmUnmapLockedPages(base_address: PVOID, mdl: *mut MDL) {
        let function = "MmUnmapLockedPages";
        irql::require_at_most(function, DISPATCH_LEVEL);
        // SAFETY: as the caller promises.
        let mdl = unsafe { &mut *mdl };
        if mdl.MdlFlags & MDL_MAPPED_TO_SYSTEM_VA == 0 || mdl.MappedSystemVa != base_address {
            stop(
                Rule::BAD_ARGUMENT,
                function,
                format_args!("the MDL is not mapped at {base_address:p}"),
            );
        }
        mdl.MdlFlags &= !(MDL_MAPPED_TO_SYSTEM_VA | MDL_PARTIAL_HAS_BEEN_MAPPED);
    }

    /// wdm.h, IoBuildPartialMdl: a `length` of 0 stands for all bytes from the address on.
    ///
    /// # IRQL
    /// <= DISPATCH_LEVEL.
    ///
    /// # Safety
    /// Both MDLs are valid.
    pub unsafe fn IoBuildPartialMdl(
        source: *mut MDL,
        target: *mut MDL,
        address: PVOID,
        length: ULONG,
    ) {
        let function = "IoBuildPartialMdl";
        irql::require_at_most(function, DISPATCH_LEVEL);
        // SAFETY: as the caller promises.
        let source = unsafe { &*source };
        // SAFETY: as the caller promises.
        let target = unsafe { &mut *target };
        let start = virtual_address(source);
        let offset = address.addr().wrapping_sub(start.addr());
        let rest = (source.ByteCount as usize).checked_sub(offset);
        let length = if length == 0 { rest } else { Some(length as usize) };
        let (Some(rest), Some(length)) = (rest, length) else {
            stop(
                Rule::BAD_ARGUMENT,
                function,
                format_args!("{address:p} is outside of the source MDL"),
            );
        };
        let page_offset = address.addr() & (PAGE_SIZE - 1);
        let room = (target.Size as usize).saturating_sub(size_of::<MDL>()) / size_of::<usize>();
        if length > rest || (page_offset + length).div_ceil(PAGE_SIZE) > room {
            stop(
                Rule::BAD_ARGUMENT,
                function,
                format_args!("{length} bytes exceed the source or the target MDL"),
            );
        }
        let inherited = MDL_MAPPED_TO_SYSTEM_VA | MDL_SOURCE_IS_NONPAGED_POOL;
        target.MdlFlags &= MDL_ALLOCATED_FIXED_SIZE;
        target.MdlFlags |= MDL_PARTIAL | (source.MdlFlags & inherited);
        target.Process = source.Process;
        target.StartVa = address.wrapping_byte_sub(page_offset);
        target.ByteOffset = page_offset as u32;
        target.ByteCount = length as u32;
        if source.MdlFlags & inherited != 0 {
            target.MappedSystemVa = source.MappedSystemVa.wrapping_byte_add(offset);
        }
    }
}
