//! `tunic.sys`, linked with a WDK: the same source as that of `cargo xtask driver`.
#![no_std]

// It is the root of a crate there.
#[allow(unused_attributes)]
#[path = "../../src/image.rs"]
mod image;
#[cfg(feature = "wdk")]
mod layouts;
