//! AEAD suites, hashes and X25519 of Tunic, batched.
//!
//! The data path is [`AeadKey`]: it processes a batch of packets with one key, reads each packet in
//! place ([`Source`]), and writes the result to its destination. Handshakes use
//! [`xchacha20poly1305`],
//! [`blake2s`] and [`x25519`]. Nothing here allocates, blocks or draws random numbers, and no input
//! makes it panic, so all of it may be called at DISPATCH_LEVEL.

#![no_std]
#![deny(unsafe_code)]

pub mod blake2s;
pub mod chacha20poly1305;
pub mod x25519;
pub mod xchacha20poly1305;

mod backend;
mod key;
mod packet;
mod suite;
mod tier;

pub use key::{AeadError, AeadKey, KeyError};
pub use packet::{Open, Seal, Sealing, Source, Verdict};
pub use suite::{NONCE_LEN, Suite, TAG_LEN};
pub use tier::{ExtendedState, Level, Processor, Tier};
