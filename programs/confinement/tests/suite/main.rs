//! The tests of this crate.

mod output_file;
mod private_socket;
