//! Io: devices and their stacks, IRPs, cancellation, cancel-safe queues.

pub mod cancel;
pub mod complete;
pub mod csq;
pub mod device;
pub mod devnode;
pub mod dispatch;
pub mod interface;
pub mod irp;
pub mod request;
