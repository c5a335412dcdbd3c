//! Stock Windows programs on Debian's Wine drive the driver, in network namespaces. Needs root, and
//! `.ci/peers`.
//!
//! What stands in for Windows, and what is therefore not proven, is in docs/windows.md.
#![forbid(unsafe_code)]

mod openvpn_client;
mod openvpn_server;
mod wg;
