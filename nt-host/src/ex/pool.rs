//! The pool functions that drivers call. The memory itself is in [`crate::pool`].

use core::ptr;

use nt_sys::ex::{
    POOL_FLAG_CACHE_ALIGNED, POOL_FLAG_NON_PAGED, POOL_FLAG_PAGED, POOL_FLAG_RAISE_ON_FAILURE,
    POOL_FLAG_UNINITIALIZED, POOL_FLAG_USE_QUOTA, POOL_FLAGS,
};
use nt_sys::mm::PAGE_SIZE;
use nt_sys::ntdef::{APC_LEVEL, DISPATCH_LEVEL, PVOID, SIZE_T, ULONG};

use crate::irql;
use crate::pool::{self, Owner, Request};
use crate::violation::{Rule, stop};

const CACHE_LINE: usize = 64;

export! { "ntoskrnl.exe";
    /// wdm.h, ExAllocatePool2: zeroed unless the flags say otherwise. A block of a page or more is
    /// aligned to a page.
    ///
    /// # IRQL
    /// <= DISPATCH_LEVEL for non-paged pool, else <= APC_LEVEL.
    ///
    /// # Safety
    /// None.
    pub unsafe fn ExAllocatePool2(
        flags: POOL_FLAGS,
        number_of_bytes: SIZE_T,
        tag: ULONG,
    ) -> PVOID {
        let function = "ExAllocatePool2";
        let paged = flags & POOL_FLAG_PAGED != 0;
        irql::require_at_most(function, if paged { APC_LEVEL } else { DISPATCH_LEVEL });
        let non_paged = flags & POOL_FLAG_NON_PAGED != 0;
        if paged == non_paged {
            stop(
                Rule::BAD_ARGUMENT,
                function,
                format_args!("flags {flags:#x} do not name exactly one pool: paged or non-paged"),
            );
        }
        let known = POOL_FLAG_USE_QUOTA
            | POOL_FLAG_UNINITIALIZED
            | POOL_FLAG_CACHE_ALIGNED
            | POOL_FLAG_NON_PAGED
            | POOL_FLAG_PAGED;
        // The upper half holds optional flags, which an older system may ignore.
        if flags & 0xffff_ffff & !(known | POOL_FLAG_RAISE_ON_FAILURE) != 0 {
            return ptr::null_mut();
        }
        if flags & POOL_FLAG_RAISE_ON_FAILURE != 0 {
            stop(
                Rule::BAD_ARGUMENT,
                function,
                format_args!("an exception cannot be raised into this driver"),
            );
        }
        if tag == 0 || number_of_bytes == 0 {
            stop(
                Rule::BAD_ARGUMENT,
                function,
                format_args!("{number_of_bytes} bytes with tag {tag:#x}: neither may be 0"),
            );
        }
        if !pool::admit() {
            return ptr::null_mut();
        }
        let alignment = if number_of_bytes >= PAGE_SIZE {
            PAGE_SIZE
        } else if flags & POOL_FLAG_CACHE_ALIGNED != 0 {
            CACHE_LINE
        } else {
            16
        };
        let zeroed = flags & POOL_FLAG_UNINITIALIZED == 0;
        pool::allocate(number_of_bytes, Request { owner: Owner::Driver, tag, zeroed, alignment })
            .cast()
    }

    /// wdm.h, ExFreePoolWithTag: a tag of 0 matches any tag.
    ///
    /// # IRQL
    /// <= DISPATCH_LEVEL.
    ///
    /// # Safety
    /// Nothing uses the block any more.
    pub unsafe fn ExFreePoolWithTag(block: PVOID, tag: ULONG) {
        let function = "ExFreePoolWithTag";
        irql::require_at_most(function, DISPATCH_LEVEL);
        // SAFETY: as the caller promises.
        unsafe { pool::free(function, block.cast(), tag) };
    }
}
