//! Allocation that may fail, in the shapes that the driver needs.
//!
//! `alloc` fails on behalf of its caller: what can't is not there where it is built with `--cfg
//! no_global_oom_handling`, as `cargo xtask check-alloc` does. Of what is left, stable Rust can't
//! fill a `Vec`; that, and what is set once while others look, is `unsafe` here.
#![no_std]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod boxed;
mod min_heap;
mod once;
mod queue;
mod vec;

pub use boxed::{boxed, slice};
pub use min_heap::MinHeap;
pub use once::OnceBox;
pub use queue::Queue;
pub use vec::Push;

/// Memory ran out; nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoMemory;
