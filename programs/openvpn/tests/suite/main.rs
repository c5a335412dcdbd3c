//! The OpenVPN client and server: profiles, packets, sessions.

mod log_file;
mod pki;
mod profile;
mod server;
mod session;
mod verdicts;
mod wrap;
