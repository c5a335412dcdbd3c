//! Kernels in x86-64 intrinsics.
//!
//! The entry points have `#[target_feature]`: they are unsafe, as the processor must have the
//! instructions. What they call is generic over [`Register`](register::Register) or
//! [`Lanes`](lanes::Lanes) and `#[inline(always)]`; it takes the features of the entry point that
//! it is inlined into.

#![allow(unsafe_code, reason = "intrinsics of a tier need a processor that has them")]
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    reason = "the operations of a block share one condition: the processor has the instructions"
)]

pub(super) mod chacha;
pub(super) mod gcm;
mod lanes;
mod partial;
mod processor;
mod register;

pub(crate) use processor::detect;
