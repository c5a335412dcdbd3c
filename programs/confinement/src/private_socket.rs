//! A listening Unix socket that only its owner can connect to.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use nix::sys::socket::{AddressFamily, Backlog, SockFlag, SockType, UnixAddr};
use nix::sys::socket::{bind, listen, socket};
use nix::sys::stat::{Mode, fchmod};

/// The number of connections that wait to be accepted, as in Rust's library.
const BACKLOG: i32 = 128;

/// Listens at `path`, where nothing may be. The socket has mode 0600 when it appears, and no link
/// is followed.
pub fn create(path: &Path) -> io::Result<UnixListener> {
    let socket = socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    // bind(2) gives the file the mode of the socket.
    fchmod(&socket, Mode::S_IRUSR | Mode::S_IWUSR)?;
    bind(socket.as_raw_fd(), &UnixAddr::new(path)?)?;
    listen(&socket, Backlog::new(BACKLOG)?)?;
    Ok(socket.into())
}

/// Like [`create`], and replaces a socket that no process serves. A file of another kind stays, and
/// is an error.
pub fn replace(path: &Path) -> io::Result<UnixListener> {
    let is_socket =
        fs::symlink_metadata(path).is_ok_and(|metadata| metadata.file_type().is_socket());
    if is_socket {
        if UnixStream::connect(path).is_ok() {
            return Err(io::Error::new(ErrorKind::AddrInUse, "another process serves the socket"));
        }
        fs::remove_file(path)?;
    }
    create(path)
}
