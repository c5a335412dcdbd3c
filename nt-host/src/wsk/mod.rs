//! WSK datagram sockets over Linux UDP sockets.
//!
//! Each `WSK_SOCKET` is one Linux socket in the network namespace of the process. Sends run on the
//! caller's thread and do not wait. If the socket buffer is full, a thread of the socket continues.
//! Each socket has a thread that receives: it waits in `recvmmsg` itself, because an epoll thread
//! would cost one more system call for each batch, and could not read two sockets at once.
//!
//! Lock order: `SendQueue::waiting`, `Socket::life`. `Socket::buffers` and `Client::state` are
//! leaves. No lock is held during a call of the driver.

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
