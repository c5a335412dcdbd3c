//! AEAD suites, hashes and X25519 of Tunic, batched.
