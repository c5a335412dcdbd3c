//! Implementations of the suites.
//!
//! A backend has a `Cipher` with `new(suite, key)`, `suite()`, `seal(&mut [Seal])` and `open(&mut
//! [Open])`. It gets whole batches, so that it can process several packets at once, and encrypt
//! while it copies the fragments. [`rustcrypto`] is portable, and the reference for tests of
//! others.

pub(crate) mod rustcrypto;
