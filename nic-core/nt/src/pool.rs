//! Memory from the non-paged pool.
//!
//! All memory of the driver may be accessed at DISPATCH_LEVEL, so all of it is non-paged. It is
//! never executable (`POOL_FLAG_NON_PAGED`, wdm.h). An allocation may fail; it never raises an
//! exception, waits or stops the system. All memory is wiped before it is freed, as it may hold
//! keys: neither Windows nor nt-host has to do that.
//!
//! # Safety conditions
//! 1. The block was allocated with the layout of `T`, and holds a `T` while the box exists.
//! 2. The block is not used afterwards.
//! 3. `PoolBytes::zeroed` allocated the block, which has `length` initialized bytes.

use core::alloc::{GlobalAlloc, Layout};
use core::mem::MaybeUninit;
use core::ops::{Deref, DerefMut};
use core::ptr::{self, NonNull};

use nt_sys::ex::{
    ExAllocatePool2, ExFreePoolWithTag, POOL_FLAG_NON_PAGED, POOL_FLAG_UNINITIALIZED, POOL_FLAGS,
};

use crate::status::{Result, Status};

/// The tag of every allocation: `Tunc` in a debugger's pool listing.
pub const TAG: u32 = u32::from_le_bytes(*b"Tunc");

/// The alignment of a pool block on 64-bit systems (wdm.h, `MEMORY_ALLOCATION_ALIGNMENT`).
const POOL_ALIGNMENT: usize = 16;

/// An object in the non-paged pool: a `Box` that is allocated fallibly. Its address does not
/// change.
///
/// # IRQL
/// `<= DISPATCH_LEVEL`, for dropping as well, if the object allows it.
pub struct PoolBox<T: ?Sized> {
    object: NonNull<T>,
}

impl<T> PoolBox<T> {
    /// Moves `object` into the pool. Without memory, it is dropped and the result is
    /// [`Status::INSUFFICIENT_RESOURCES`].
    pub fn new(object: T) -> Result<Self> {
        let block = allocate(Layout::new::<T>(), POOL_FLAG_UNINITIALIZED)
            .ok_or(Status::INSUFFICIENT_RESOURCES)?
            .cast::<T>();
        // SAFETY: the block is new, and has the size and alignment of `T`.
        unsafe { block.write(object) };
        Ok(Self { object: block })
    }

    /// Moves the object out of the pool.
    pub(crate) fn into_inner(boxed: Self) -> T {
        let block = Self::into_raw(boxed);
        // SAFETY: 1. The object is moved out once: `boxed` is gone.
        let object = unsafe { block.read() };
        // SAFETY: 1, 2.
        unsafe { free(block.cast(), Layout::new::<T>()) };
        object
    }
}

impl<T: ?Sized> PoolBox<T> {
    /// Releases the object as a raw pointer.
    pub(crate) fn into_raw(boxed: Self) -> NonNull<T> {
        let object = boxed.object;
        core::mem::forget(boxed);
        object
    }

    /// Takes an object back from a raw pointer.
    ///
    /// # Safety
    /// The pointer must come from [`PoolBox::into_raw`], possibly unsized since, and must not be
    /// used otherwise any more.
    pub(crate) unsafe fn from_raw(object: NonNull<T>) -> Self {
        Self { object }
    }
}

impl<T> PoolBox<MaybeUninit<T>> {
    /// Moves an object into memory that was allocated before, which can't fail.
    pub(crate) fn fill(mut boxed: Self, object: T) -> PoolBox<T> {
        boxed.write(object);
        let block = PoolBox::into_raw(boxed);
        // SAFETY: the block comes from `into_raw`, and holds an object now.
        unsafe { PoolBox::from_raw(block.cast()) }
    }
}

impl<T: ?Sized> Deref for PoolBox<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: 1.
        unsafe { self.object.as_ref() }
    }
}

impl<T: ?Sized> DerefMut for PoolBox<T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: 1. The box is borrowed exclusively.
        unsafe { self.object.as_mut() }
    }
}

impl<T: ?Sized> Drop for PoolBox<T> {
    fn drop(&mut self) {
        let layout = Layout::for_value::<T>(self);
        // SAFETY: 1. The object is dropped once.
        unsafe { ptr::drop_in_place(self.object.as_ptr()) };
        // SAFETY: 1, 2.
        unsafe { free(self.object.cast(), layout) };
    }
}

// SAFETY: the box owns its object.
unsafe impl<T: Send + ?Sized> Send for PoolBox<T> {}
// SAFETY: the box owns its object.
unsafe impl<T: Sync + ?Sized> Sync for PoolBox<T> {}

/// Bytes in the non-paged pool.
pub struct PoolBytes {
    block: NonNull<u8>,
    length: usize,
}

impl PoolBytes {
    /// Allocates zeroed bytes. [`Status::INSUFFICIENT_RESOURCES`] without memory.
    pub fn zeroed(length: usize) -> Result<Self> {
        let block = allocate(Self::layout(length)?, 0).ok_or(Status::INSUFFICIENT_RESOURCES)?;
        Ok(Self { block, length })
    }

    fn layout(length: usize) -> Result<Layout> {
        // ExAllocatePool2 (wdm.h) fails for size 0.
        Layout::from_size_align(length.max(1), POOL_ALIGNMENT)
            .map_err(|_| Status::INSUFFICIENT_RESOURCES)
    }
}

impl Deref for PoolBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: 3.
        unsafe { core::slice::from_raw_parts(self.block.as_ptr(), self.length) }
    }
}

impl DerefMut for PoolBytes {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: 3. They are borrowed exclusively.
        unsafe { core::slice::from_raw_parts_mut(self.block.as_ptr(), self.length) }
    }
}

impl Drop for PoolBytes {
    fn drop(&mut self) {
        if let Ok(layout) = Self::layout(self.length) {
            // SAFETY: 2, 3.
            unsafe { free(self.block, layout) };
        }
    }
}

// SAFETY: it owns its bytes.
unsafe impl Send for PoolBytes {}
// SAFETY: it owns its bytes.
unsafe impl Sync for PoolBytes {}

/// The global allocator of the driver image.
///
/// The binary of the image declares it. The form that is linked with nt-host keeps the allocator of
/// the process.
pub struct PoolAllocator;

// SAFETY: a block has the size and alignment of its layout, and stays until it is freed.
unsafe impl GlobalAlloc for PoolAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        allocate(layout, POOL_FLAG_UNINITIALIZED).map_or(ptr::null_mut(), NonNull::as_ptr)
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        allocate(layout, 0).map_or(ptr::null_mut(), NonNull::as_ptr)
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if let Some(block) = NonNull::new(block) {
            // SAFETY: by the caller's promise.
            unsafe { free(block, layout) };
        }
    }
}

/// Allocates a block; zeroed without `POOL_FLAG_UNINITIALIZED`.
pub(crate) fn allocate(layout: Layout, flags: POOL_FLAGS) -> Option<NonNull<u8>> {
    let size = layout.size().max(1);
    if layout.align() <= POOL_ALIGNMENT {
        // SAFETY: the size isn't 0.
        let block = unsafe { ExAllocatePool2(POOL_FLAG_NON_PAGED | flags, size, TAG) };
        return NonNull::new(block.cast());
    }

    // The pool's alignment is not enough: allocate a larger block, and store its address right
    // before the aligned part.
    let size = size.checked_add(layout.align())?;
    // SAFETY: the size isn't 0.
    let block = unsafe { ExAllocatePool2(POOL_FLAG_NON_PAGED | flags, size, TAG) };
    let block = NonNull::new(block.cast::<u8>())?;
    let start = block.as_ptr().wrapping_add(POOL_ALIGNMENT);
    let aligned = start.wrapping_add(start.align_offset(layout.align()));
    // SAFETY: the block is 16-aligned, so `aligned` lies 16 to `align` bytes into it.
    unsafe { kept_address(aligned).write(block.as_ptr()) };
    NonNull::new(aligned)
}

/// The place that holds the address of the whole block.
fn kept_address(aligned: *mut u8) -> *mut *mut u8 {
    aligned.cast::<*mut u8>().wrapping_sub(1)
}

/// Wipes a block, and frees it.
///
/// # Safety
/// It must come from [`allocate`] with this layout, and must not be used any more.
#[inline(never)] // Small where it is called, which is in the drop of every object.
pub(crate) unsafe fn free(block: NonNull<u8>, layout: Layout) {
    let mut block = block.as_ptr();
    // SAFETY: by the caller's promise.
    unsafe { nic_memory::wipe(block, layout.size()) };
    if layout.align() > POOL_ALIGNMENT {
        // SAFETY: `allocate` stored the address of the whole block here.
        block = unsafe { kept_address(block).read() };
    }
    // SAFETY: by the caller's promise.
    unsafe { ExFreePoolWithTag(block.cast(), TAG) };
}
