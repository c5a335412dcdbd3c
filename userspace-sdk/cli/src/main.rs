//! The tunic command.
fn main() {}
