//! A small kernel client of WSK, on raw declarations.

mod client;
mod receiver;
mod request;
mod socket;
mod structures;

pub(crate) use client::*;
pub(crate) use receiver::*;
pub(crate) use request::*;
pub(crate) use socket::*;
pub(crate) use structures::*;
