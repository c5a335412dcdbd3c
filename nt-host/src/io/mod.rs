//! Io: devices, IRPs, cancellation, cancel-safe queues.

pub mod cancel;
pub mod complete;
pub mod csq;
pub mod device;
pub mod dispatch;
pub mod irp;
pub mod request;
