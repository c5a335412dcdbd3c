//! Memory that is wiped before it is freed.

use alloc::alloc::{GlobalAlloc, Layout};
use core::arch::asm;

/// An allocator that fills each block with zeros before it gives it back.
///
/// A program that declares it as its global allocator leaves no copy of a secret in freed memory:
/// neither in a block that was too small and has been replaced by a larger one, nor in bytes that a
/// type doesn't wipe itself, such as those of an `Option` that has become `None`.
///
/// ```
/// use std::alloc::System;
///
/// #[global_allocator]
/// static HEAP: nic_memory::Wiping<System> = nic_memory::Wiping(System);
/// ```
#[derive(Debug)]
pub struct Wiping<A>(
    /// The allocator whose blocks they are.
    pub A,
);

// SAFETY: blocks are those of `A`, which has to keep to the contract. `realloc` is the trait's own:
// it makes a new block, and frees the old one by `dealloc`.
unsafe impl<A: GlobalAlloc> GlobalAlloc for Wiping<A> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: by the caller's promise.
        unsafe { self.0.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: by the caller's promise.
        unsafe { self.0.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: by the caller's promise, the block has this size, and nothing uses it.
        unsafe { wipe(block, layout.size()) };
        // SAFETY: by the caller's promise.
        unsafe { self.0.dealloc(block, layout) };
    }
}

/// Fills memory with zeros, also where nothing reads it any more: the compiler must not leave that
/// out.
///
/// # Safety
/// The memory is writable, and holds no value that is used afterwards.
#[inline]
pub unsafe fn wipe(start: *mut u8, bytes: usize) {
    // SAFETY: by the caller's promise.
    unsafe { start.write_bytes(0, bytes) };
    // SAFETY: no instruction. As it may read memory by this address, the zeros are written.
    unsafe { asm!("/* {} */", in(reg) start, options(nostack, preserves_flags, readonly)) };
}

#[cfg(test)]
mod tests {
    use core::cell::RefCell;
    use core::ptr;
    use std::alloc::System;
    use std::vec::Vec;

    use super::*;

    /// Copies each block as it is freed.
    struct Witness(RefCell<Vec<Vec<u8>>>);

    // SAFETY: blocks are the system's.
    unsafe impl GlobalAlloc for Witness {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            // SAFETY: by the caller's promise.
            unsafe { System.alloc(layout) }
        }

        unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
            let mut freed = std::vec![0xff; layout.size()];
            // SAFETY: the block has this size.
            unsafe { ptr::copy_nonoverlapping(block, freed.as_mut_ptr(), layout.size()) };
            self.0.borrow_mut().push(freed);
            // SAFETY: by the caller's promise.
            unsafe { System.dealloc(block, layout) };
        }
    }

    #[test]
    fn blocks_are_empty_when_they_are_freed() {
        let heap = Wiping(Witness(RefCell::default()));
        let layout = Layout::from_size_align(100, 8).unwrap();
        // SAFETY: the layout has a size.
        let block = unsafe { heap.alloc(layout) };
        // SAFETY: the block has this size.
        unsafe { block.write_bytes(0x55, 100) };
        // SAFETY: the block is this allocator's, with this layout.
        let larger = unsafe { heap.realloc(block, layout, 200) };
        // SAFETY: the block has this size.
        let copied = unsafe { core::slice::from_raw_parts(larger, 100) };
        assert_eq!(copied, [0x55; 100]);
        let layout = Layout::from_size_align(200, 8).unwrap();
        // SAFETY: the block is this allocator's, with this layout.
        unsafe { heap.dealloc(larger, layout) };
        assert_eq!(*heap.0.0.borrow(), [std::vec![0; 100], std::vec![0; 200]]);
    }
}
