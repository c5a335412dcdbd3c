//! WSK datagram sockets over Linux UDP sockets.
//!
//! One Linux socket for each `WSK_SOCKET`, in the network namespace of the process. Sending happens
//! in the caller's thread without waiting; only when the socket's buffer is full does a thread of
//! the socket take over. Receiving happens in a thread of each socket that waits in `recvmmsg`
//! itself: an epoll thread would cost one more system call for each batch, and could not read two
//! sockets at once.
//!
//! Lock order: `SendQueue::waiting`, `Socket::life`. `Socket::buffers` and `Client::state` are
//! leaves. None is held while the driver is called.

pub mod registration;

mod address;
mod ancillary;
mod argument;
mod buffer;
mod client;
mod datagram;
mod dispatch;
mod error;
mod linux_socket;
mod mark;
mod option;
mod receive;
mod request;
mod send;
mod send_queue;
mod socket;

pub use mark::set_mark;
