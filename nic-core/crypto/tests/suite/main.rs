//! The suites, hashes and X25519 against published vectors, and what they leave in memory.

mod batch;
mod blake2s;
mod chacha20poly1305;
mod gcm;
mod heap;
mod hex;
mod levels;
mod mcgrew_viega;
mod tiers;
mod wipe;
mod wycheproof;
mod x25519;
