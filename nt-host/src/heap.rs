//! The heap of a linked driver's Rust code: what `alloc` gives to its vectors and boxes.
//!
//! In the image that ships that is the pool. A linked driver shares the process's allocator with
//! the host and the test, and so its vectors never lack memory and are not looked for at unload,
//! unless the process names [`DriverHeap`] as its global allocator:
//!
//! ```
//! #[global_allocator]
//! static HEAP: nt_host::heap::DriverHeap = nt_host::heap::DriverHeap;
//! ```
//!
//! Then each allocation that driver code makes by itself counts as one of the pool:
//! [`crate::pool::fail_allocation`] can make it fail, [`crate::pool::usage`] has it, and
//! [`crate::pool::leaks`] tells of it at unload.

use core::alloc::{GlobalAlloc, Layout};
use core::ptr;
use core::sync::atomic::{AtomicUsize, Ordering};
use std::alloc::System;

use crate::ke::lock_order;
use crate::{pool, stack};

/// The process's allocator, which tells driver code from the rest.
pub struct DriverHeap;

/// Before each block: whose it is. As long as the alignment that all blocks have.
const HEAD_BYTES: usize = 16;

const DRIVER: usize = 0xd21_4e5;
const HOST: usize = 0x057;

static BLOCKS: AtomicUsize = AtomicUsize::new(0);
static BYTES: AtomicUsize = AtomicUsize::new(0);

static ALL_BLOCKS: AtomicUsize = AtomicUsize::new(0);
static ALL_BYTES: AtomicUsize = AtomicUsize::new(0);

/// Blocks and bytes that the process has on this heap: what was not given back, whatever the
/// system's allocator makes of it.
#[must_use]
pub fn live() -> (usize, usize) {
    (ALL_BLOCKS.load(Ordering::Relaxed), ALL_BYTES.load(Ordering::Relaxed))
}

/// Whether the process has named it as its allocator.
pub(crate) fn is_named() -> bool {
    live().0 > 0
}

/// Blocks and bytes that the driver has.
pub(crate) fn usage() -> (usize, usize) {
    (BLOCKS.load(Ordering::Relaxed), BYTES.load(Ordering::Relaxed))
}

// SAFETY: blocks are the system's, from behind a head on, which keeps their alignment.
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
        // SAFETY: `allocate` put an owner there, aligned as all blocks are.
        if unsafe { owner(block).read() } == DRIVER {
            BLOCKS.fetch_sub(1, Ordering::Relaxed);
            BYTES.fetch_sub(layout.size(), Ordering::Relaxed);
            lock_order::forget(block.addr()..block.addr() + layout.size());
        }
        ALL_BLOCKS.fetch_sub(1, Ordering::Relaxed);
        ALL_BYTES.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the system's block begins so many bytes before.
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
    // SAFETY: the block has a head of this length.
    let block = unsafe { start.add(head) };
    // SAFETY: the head is at least as long as this, and aligned as all blocks are.
    unsafe { owner(block).write(if is_drivers { DRIVER } else { HOST }) };
    block
}

/// Where a block's owner is written.
fn owner(block: *mut u8) -> *mut usize {
    block.wrapping_sub(HEAD_BYTES).cast()
}

/// The layout of a block with its head, and how long that is.
fn with_head(layout: Layout) -> Option<(Layout, usize)> {
    let head = layout.align().max(HEAD_BYTES);
    let whole = Layout::from_size_align(layout.size().checked_add(head)?, head).ok()?;
    Some((whole, head))
}
