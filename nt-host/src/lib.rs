//! The NT kernel, NDIS and WSK for Linux.
//!
//! A driver that is compiled for Linux and linked with this crate finds here the functions that
//! `nt-sys` declares, under their own names; one that is an [`image`], the file that Windows loads,
//! finds the same functions by its imports. They do what Microsoft's documentation says, and
//! enforce what it asks of a driver: a call that breaks a rule stops the process (see
//! [`violation`]).
//!
//! * [`Machine`] boots, loads a driver and opens its devices, as a process on Windows would.
//! * [`ke`], [`ex`], [`io`], [`mm`], [`ps`], [`rtl`], [`cng`] hold the kernel's functions by their
//!   prefix; [`ndis`] and [`wsk`] the network's. [`edge`] is what lies above a network adapter.
//! * [`irql`], [`stack`], [`pool`], [`clock`], [`violation`] are the services that these share.
//!
//! # Where this differs from Windows
//!
//! * A thread at DISPATCH_LEVEL is still preempted by Linux, and DPCs run on threads of their own,
//!   one for each processor. So what runs at DISPATCH_LEVEL on one processor can run beside a DPC
//!   of the same processor. A driver that needs more than its locks to be right is wrong on Windows
//!   with two processors, too.
//! * Timers expire when they are due, not at the next clock interrupt.
//! * Nothing is ever paged out: access to paged memory at DISPATCH_LEVEL is not caught.

#[macro_use]
mod export;

pub mod callback;
pub mod clock;
pub mod cng;
pub mod driver;
pub mod edge;
pub mod ex;
mod fault;
pub mod handle;
pub mod heap;
pub mod image;
pub mod io;
pub mod irql;
pub mod ke;
mod loaded;
pub mod machine;
pub mod mm;
pub mod ndis;
pub mod netio;
pub mod ob;
mod pages;
pub mod pool;
pub mod port;
pub mod ps;
mod retained;
pub mod rtl;
pub mod stack;
pub mod violation;
pub mod wsk;

pub use driver::{Driver, UnloadReport};
pub use handle::{Handle, Operation, PendingRequest};
pub use image::LoadError;
pub use machine::{DriverSource, Machine, MachineOptions};
pub use port::{Completed, CompletionPort};
