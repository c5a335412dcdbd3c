//! Objects with several owners.

use core::alloc::Layout;
use core::ptr::NonNull;

use nic_memory::Memory;
use nt_sys::ex::POOL_FLAG_UNINITIALIZED;

use crate::pool;
use crate::status::{Result, Status};

/// An object in the non-paged pool that lives until its last owner is dropped.
///
/// # IRQL
/// `<= DISPATCH_LEVEL`; for dropping the last owner, the IRQL that the object's own drop allows.
pub type Shared<T> = nic_memory::Shared<T, Pool>;

/// The non-paged pool.
pub enum Pool {}

// SAFETY: the pool's blocks are so.
unsafe impl Memory for Pool {
    type Error = Status;

    fn allocate(layout: Layout) -> Result<NonNull<u8>> {
        pool::allocate(layout, POOL_FLAG_UNINITIALIZED).ok_or(Status::INSUFFICIENT_RESOURCES)
    }

    unsafe fn free(block: NonNull<u8>, layout: Layout) {
        // SAFETY: as this function.
        unsafe { pool::free(block, layout) };
    }
}
