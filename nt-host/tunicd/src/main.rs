//! Runs the Tunic driver on Linux as a WireGuard daemon.
fn main() {}
