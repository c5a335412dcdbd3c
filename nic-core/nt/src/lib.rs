//! Safe wrappers over `nt-sys`: what a driver needs of NT, NDIS and WSK, without `unsafe`.
//!
//! This crate holds all `unsafe` code of the driver that calls NT. Where a safe function has
//! conditions that the compiler can't check, such as an IRQL, its documentation names them; a
//! violation stops the system (on nt-host, the process) rather than corrupting it.
#![no_std]

extern crate alloc;

pub mod bugcheck;
pub mod checksums;
pub mod clock;
pub mod configuration;
pub mod datagrams;
pub mod device;
pub mod device_interface;
pub mod event;
pub mod extended_state;
pub mod interface;
pub mod ip_changes;
pub mod ip_tables;
pub mod irp;
pub mod irql;
pub mod lock;
pub mod mdl;
pub mod miniport;
pub mod nbl;
pub mod offload;
pub mod oid;
pub mod pool;
pub mod processor;
pub mod random;
pub mod rundown;
pub mod security;
pub mod semaphore;
pub mod shared;
pub mod status;
pub mod thread;
pub mod wsk;

pub use irql::Passive;
pub use pool::PoolBox;
pub use shared::Shared;
pub use status::{Result, Status};
