//! What Tunic's programs give up before they meet the network: core dumps, swap, capabilities, and
//! system calls that they do not use. SECURITY.md says what an administrator may rely on.
#![forbid(unsafe_code)]

mod calls;
pub mod capabilities;
pub mod filter;
pub mod memory;
pub mod output_file;
pub mod private_socket;
pub mod process;
