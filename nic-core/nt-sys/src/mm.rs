//! `wdm.h`, Mm: memory descriptor lists.

use crate::ntdef::{CSHORT, EPROCESS, KPROCESSOR_MODE, PVOID, ULONG};

/// A memory descriptor list: a range of bytes, by its pages.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct MDL {
    pub Next: *mut MDL,
    pub Size: CSHORT,
    pub MdlFlags: CSHORT,
    pub Process: *mut EPROCESS,
    pub MappedSystemVa: PVOID,
    pub StartVa: PVOID,
    pub ByteCount: ULONG,
    pub ByteOffset: ULONG,
}

pub const PAGE_SIZE: usize = 4096;

pub const MDL_MAPPED_TO_SYSTEM_VA: CSHORT = 0x0001;
pub const MDL_PAGES_LOCKED: CSHORT = 0x0002;
pub const MDL_SOURCE_IS_NONPAGED_POOL: CSHORT = 0x0004;
pub const MDL_ALLOCATED_FIXED_SIZE: CSHORT = 0x0008;
pub const MDL_PARTIAL: CSHORT = 0x0010;
pub const MDL_PARTIAL_HAS_BEEN_MAPPED: CSHORT = 0x0020;
pub const MDL_WRITE_OPERATION: CSHORT = 0x0080;
pub const MDL_MAPPING_CAN_FAIL: CSHORT = 0x2000;

/// `MEMORY_CACHING_TYPE`.
pub type MEMORY_CACHING_TYPE = i32;
pub const MmNonCached: MEMORY_CACHING_TYPE = 0;
pub const MmCached: MEMORY_CACHING_TYPE = 1;

/// `MM_PAGE_PRIORITY` and its flags.
pub const LowPagePriority: ULONG = 0;
pub const NormalPagePriority: ULONG = 16;
pub const HighPagePriority: ULONG = 32;
pub const MdlMappingNoWrite: ULONG = 0x8000_0000;
pub const MdlMappingNoExecute: ULONG = 0x4000_0000;

import! { "ntoskrnl.exe";
    pub fn MmBuildMdlForNonPagedPool(mdl: *mut MDL);
    pub fn MmMapLockedPagesSpecifyCache(
        mdl: *mut MDL, access_mode: KPROCESSOR_MODE, cache_type: MEMORY_CACHING_TYPE,
        requested_address: PVOID, bug_check_on_failure: ULONG, priority: ULONG) -> PVOID;
    pub fn MmUnmapLockedPages(base_address: PVOID, mdl: *mut MDL);
}
