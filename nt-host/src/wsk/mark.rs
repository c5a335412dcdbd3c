//! The firewall mark of the machine's sockets (socket(7), `SO_MARK`), by which Linux's rules
//! recognize their packets.

use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::address::Family;
use super::linux_socket::{open_udp, set_option};
use crate::netio::firewall_mark;

/// A leaf of the lock order.
static MARKED: Mutex<Marked> = Mutex::new(Marked { mark: 0, sockets: Vec::new() });

struct Marked {
    mark: u32,
    /// Every open socket of the machine.
    sockets: Vec<RawFd>,
}

/// Sets the mark of all sockets of the machine, existing and future ones. 0 stands for no mark.
/// With a mark, Linux's rules choose the interface of each datagram, and not the driver.
///
/// # Errors
/// The error of Linux, as a rule EPERM: the call needs CAP_NET_ADMIN. Then no mark changes.
pub fn set_mark(mark: u32) -> io::Result<()> {
    let mut marked = marked();
    if mark == marked.mark {
        return Ok(());
    }
    let result = marked.apply(mark);
    if result.is_err() {
        // Sockets with the new mark had the old one, so that restoring it is permitted.
        let old = marked.mark;
        for socket in &marked.sockets {
            let _ = apply(*socket, old);
        }
    } else {
        marked.mark = mark;
        firewall_mark::set(mark);
    }
    result.map_err(io::Error::from_raw_os_error)
}

impl Marked {
    fn apply(&self, mark: u32) -> Result<(), i32> {
        if self.sockets.is_empty() {
            // A lack of permission must be reported now, not when the first socket is created.
            let probe = open_udp(Family::V4).or_else(|_| open_udp(Family::V6))?;
            return apply(probe.as_raw_fd(), mark);
        }
        self.sockets.iter().try_for_each(|socket| apply(*socket, mark))
    }
}

/// Sets the machine's mark on a new socket, and keeps track of the socket.
pub(super) fn add(socket: RawFd) -> Result<(), i32> {
    let mut marked = marked();
    if marked.mark != 0 {
        apply(socket, marked.mark)?;
    }
    marked.sockets.push(socket);
    Ok(())
}

/// Forgets a socket that is about to be closed.
pub(super) fn remove(socket: RawFd) {
    marked().sockets.retain(|known| *known != socket);
}

fn apply(socket: RawFd, mark: u32) -> Result<(), i32> {
    set_option(socket, libc::SOL_SOCKET, libc::SO_MARK, mark.cast_signed())
}

fn marked() -> MutexGuard<'static, Marked> {
    MARKED.lock().unwrap_or_else(PoisonError::into_inner)
}
