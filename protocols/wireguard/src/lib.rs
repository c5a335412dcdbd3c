//! WireGuard as a protocol module of Tunic.
