//! Implementations of the suites.
//!
//! A backend has a `Cipher` with `new(suite, key)`, `suite()`, `seal(&mut [Seal])` and `open(&mut
//! [Open])`, and gets whole batches, so that it can work on several packets at once and fuse the
//! copy out of the fragments with the encryption. [`rustcrypto`] is portable and the reference the
//! others are tested against.

pub(crate) mod rustcrypto;
