//! Ps: processes and threads.

mod escape;
pub mod object_type;
pub mod process;
pub mod thread;
