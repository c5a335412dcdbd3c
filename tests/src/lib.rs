//! What Tunic's tests of real networks stand on: namespaces, real peers, bounded commands.
//!
//! A test needs things that not every machine has: root, a Debian package, a crate's program.
//! [`require`] says what was skipped and why, and fails instead when `TUNIC_REQUIRE_ALL=1`.
#![forbid(unsafe_code)]

pub use require;

pub mod binary;
pub mod bulk;
pub mod cases;
pub mod command;
pub mod guest;
pub mod image;
pub mod iperf;
pub mod link;
pub mod machine;
pub mod namespace;
pub mod openvpn;
pub mod peer;
pub mod ping;
pub mod plaintext;
pub mod random;
pub mod relay;
pub mod router;
pub mod secrets;
pub mod tunicd;
pub mod tunnel;
pub mod uapi;
pub mod wait;
pub mod wg;
pub mod windows;
pub mod wire;
