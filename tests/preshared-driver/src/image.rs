//! `preshared.sys`: the entry point of `tunic.sys` with this driver.
#![no_std]
#![no_main]

extern crate preshared_driver as tunic_driver;

// It is the root of a crate there.
#[allow(unused_attributes)]
#[path = "../../../driver/src/image.rs"]
mod image;
