//! Fallible allocation: boxes, objects with several owners, slices, queues, and additions to a
//! `Vec`; sorting without it.
//!
//! `cargo xtask check-alloc` builds `alloc` with `--cfg no_global_oom_handling`, which removes its
//! infallible allocations. The rest lacks a fallible `Box::new` and `Vec::push`, which are `unsafe`
//! code here, as is [`OnceBox`].
#![no_std]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod boxed;
mod min_heap;
mod once;
mod queue;
mod shared;
mod sort;
mod vec;

pub use boxed::{boxed, slice};
pub use min_heap::MinHeap;
pub use once::OnceBox;
pub use queue::Queue;
pub use shared::{Heap, Memory, Shared};
pub use sort::sort_by_key;
pub use vec::Push;

/// Out of memory. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoMemory;
