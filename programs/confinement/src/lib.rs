//! What Tunic's programs leave on the system is theirs alone: sockets that only their owner can
//! connect to, and files that are written through no link.
#![forbid(unsafe_code)]

pub mod output_file;
pub mod private_socket;
