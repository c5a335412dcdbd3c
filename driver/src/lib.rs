//! The Tunic driver: the miniport of `nic-core`, and the protocols that its adapters speak.
#![no_std]
#![forbid(unsafe_code)]

pub use nic_miniport::{VERSION, driver_entry};
