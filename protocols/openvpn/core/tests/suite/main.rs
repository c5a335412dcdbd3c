//! OpenVPN's data channel against its specification.

mod channel;
mod conformance;
#[path = "../../src/hex.rs"]
mod hex;
mod keys;
mod peers;
mod sketches;
mod timers;
mod vectors;
