//! `preshared.sys`: the entry of `tunic.sys`, with the other driver behind it.
#![no_std]
#![no_main]

extern crate preshared_driver as tunic_driver;

// It is the root of a crate there.
#[allow(unused_attributes)]
#[path = "../../../driver/src/image.rs"]
mod image;
