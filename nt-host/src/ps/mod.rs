//! Ps: processes and threads.

mod escape;
pub mod process;
pub mod thread;
