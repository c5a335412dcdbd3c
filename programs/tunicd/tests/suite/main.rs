//! The daemon, its parts and its sockets.

mod confined;
mod daemon;
mod directory;
mod ioctl_socket;
mod memory;
mod service;
mod socket;
mod uapi;
mod wg;
