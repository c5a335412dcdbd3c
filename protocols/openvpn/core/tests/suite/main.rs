//! OpenVPN's data channel against its specification.

mod channel;
mod conformance;
mod keys;
mod peers;
mod sketches;
mod timers;
mod vectors;
