//! Fallible allocation: boxes, objects with several owners, slices, queues, and additions to a
//! `Vec`; sorting without it. Memory that is wiped before it is freed.
//!
//! `cargo xtask check-alloc` builds `alloc` with `--cfg no_global_oom_handling`, which removes its
//! infallible allocations. The rest lacks a fallible `Box::new` and `Vec::push`, which are `unsafe`
//! code here, as are [`OnceBox`] and what wipes memory: [`Wiping`], [`wipe_stack`].
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
mod stack;
mod vec;
mod wipe;

pub use boxed::{boxed, slice};
pub use min_heap::MinHeap;
pub use once::OnceBox;
pub use queue::Queue;
pub use shared::{Heap, Memory, Shared};
pub use sort::sort_by_key;
pub use stack::wipe_stack;
pub use vec::Push;
pub use wipe::{Wiping, wipe};

/// Out of memory. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoMemory;
