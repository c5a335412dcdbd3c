//! The NT kernel, NDIS and WSK for Linux.
//!
//! A driver is linked with this crate, compiled for Linux, or loaded as an [`image`], the file that
//! Windows loads. A linked driver finds the functions that `nt-sys` declares by their symbols; an
//! image finds the same functions by its imports. The functions do what Microsoft's documentation
//! says. A call that breaks a rule stops the process (see [`violation`]).
//!
//! * [`Machine`] boots, loads a driver and opens its devices, as a process on Windows would.
//! * [`ke`], [`ex`], [`io`], [`mm`], [`ps`], [`ob`], [`rtl`], [`se`], [`cng`] hold the kernel's
//!   functions by their prefix; [`ndis`], [`netio`] and [`wsk`] those of the network. [`edge`] is
//!   the network stack above an adapter.
//! * [`setup`] is what user mode finds of the devices.
//! * [`callback`], [`irql`], [`stack`], [`pool`], [`clock`], [`violation`] are shared by all of
//!   these.
//!
//! # Differences from Windows
//!
//! * Linux can preempt a thread at DISPATCH_LEVEL, and DPCs run on threads of their own, one for
//!   each processor. Code at DISPATCH_LEVEL can thus run beside a DPC of the same processor. A
//!   driver that depends on more than its locks is wrong on Windows with two processors as well.
//! * Timers expire when they are due, not at the next clock interrupt.
//! * No memory is ever paged out: access to paged memory at DISPATCH_LEVEL is not found.

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
pub mod se;
pub mod setup;
pub mod stack;
pub mod violation;
pub mod wsk;

pub use driver::{Driver, UnloadReport};
pub use handle::{Handle, Operation, PendingRequest};
pub use image::LoadError;
pub use io::devnode::DevnodeOptions;
pub use machine::{DriverSource, Machine, MachineOptions};
pub use port::{Completed, CompletionPort};
pub use se::Token;
