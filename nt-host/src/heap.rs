//! The heap of a linked driver's Rust code: the memory of its vectors and boxes.
//!
//! In an image, this memory comes from the pool. A linked driver shares the allocator of the
//! process with the host and the test. Its allocations then never fail, and leaks are not found,
//! unless the process declares [`DriverHeap`] as its global allocator:
//!
//! ```
//! #[global_allocator]
//! static HEAP: nt_host::heap::DriverHeap = nt_host::heap::DriverHeap;
//! ```
//!
//! Each allocation by driver code then counts as a pool allocation:
//! [`crate::pool::fail_allocation`] can make it fail, [`crate::pool::usage`] counts it, and
//! [`crate::pool::leaks`] reports it at unload.

use core::alloc::{GlobalAlloc, Layout};
use core::ptr;
use core::sync::atomic::{AtomicUsize, Ordering};
use std::alloc::System;

use crate::ke::lock_order;
use crate::{pool, stack};

/// A global allocator that tells driver code from host code.
pub struct DriverHeap;

/// The size of the header before each block, which holds the block's owner. It preserves the
/// alignment of blocks.
const HEAD_BYTES: usize = 16;

const DRIVER: usize = 0xd21_4e5;
const HOST: usize = 0x057;

static BLOCKS: AtomicUsize = AtomicUsize::new(0);
static BYTES: AtomicUsize = AtomicUsize::new(0);

static ALL_BLOCKS: AtomicUsize = AtomicUsize::new(0);
static ALL_BYTES: AtomicUsize = AtomicUsize::new(0);

/// Blocks and bytes that are allocated from this heap by the whole process.
#[must_use]
pub fn live() -> (usize, usize) {
    (ALL_BLOCKS.load(Ordering::Relaxed), ALL_BYTES.load(Ordering::Relaxed))
}

/// Whether the process declares it as its global allocator.
pub(crate) fn is_named() -> bool {
    live().0 > 0
}

/// Blocks and bytes that the driver has allocated.
pub(crate) fn usage() -> (usize, usize) {
    (BLOCKS.load(Ordering::Relaxed), BYTES.load(Ordering::Relaxed))
}

// SAFETY: a block is a part of a block of the system allocator, behind a header that preserves the
// alignment.
unsafe impl GlobalAlloc for DriverHeap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        allocate(layout, |whole| {
            // SAFETY: its size is not 0.
            unsafe { System.alloc(whole) }
        })
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        allocate(layout, |whole| {
            // SAFETY: its size is not 0.
            unsafe { System.alloc_zeroed(whole) }
        })
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let Some((whole, head)) = with_head(layout) else { return };
        // SAFETY: `allocate` wrote the owner there, aligned as all blocks are.
        if unsafe { owner(block).read() } == DRIVER {
            BLOCKS.fetch_sub(1, Ordering::Relaxed);
            BYTES.fetch_sub(layout.size(), Ordering::Relaxed);
            lock_order::forget(block.addr()..block.addr() + layout.size());
        }
        ALL_BLOCKS.fetch_sub(1, Ordering::Relaxed);
        ALL_BYTES.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the system's block begins this many bytes before.
        let start = unsafe { block.sub(head) };
        // SAFETY: it was allocated with this layout.
        unsafe { System.dealloc(start, whole) };
    }
}

fn allocate(layout: Layout, allocate: impl FnOnce(Layout) -> *mut u8) -> *mut u8 {
    let is_drivers = stack::in_driver_code();
    if is_drivers && !pool::admit() {
        return ptr::null_mut();
    }
    let Some((whole, head)) = with_head(layout) else { return ptr::null_mut() };
    let start = allocate(whole);
    if start.is_null() {
        return start;
    }
    ALL_BLOCKS.fetch_add(1, Ordering::Relaxed);
    ALL_BYTES.fetch_add(layout.size(), Ordering::Relaxed);
    if is_drivers {
        BLOCKS.fetch_add(1, Ordering::Relaxed);
        BYTES.fetch_add(layout.size(), Ordering::Relaxed);
    }
    // SAFETY: the block has a header of this length.
    let block = unsafe { start.add(head) };
    // SAFETY: the header is at least this long, and aligned as all blocks are.
    unsafe { owner(block).write(if is_drivers { DRIVER } else { HOST }) };
    block
}

/// The address of a block's owner.
fn owner(block: *mut u8) -> *mut usize {
    block.wrapping_sub(HEAD_BYTES).cast()
}

/// The layout of a block with its header, and the length of the header.
fn with_head(layout: Layout) -> Option<(Layout, usize)> {
    let head = layout.align().max(HEAD_BYTES);
    let whole = Layout::from_size_align(layout.size().checked_add(head)?, head).ok()?;
    Some((whole, head))
}
