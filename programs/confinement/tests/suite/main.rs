//! The tests of this crate.

mod filter;
mod output_file;
mod private_socket;
