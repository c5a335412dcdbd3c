//! Build, check and measure Tunic.
fn main() {}
