//! Prints what `cargo xtask bench` measures of this crate.
//!
//! `taskset -c 1 cargo run --release -p nic-crypto --example speed`

#[path = "../../../bench/src/crypto.rs"]
mod crypto;

fn main() {
    print!("{}", crypto::table(&crypto::run()));
}
