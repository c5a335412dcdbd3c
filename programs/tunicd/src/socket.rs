//! The UAPI socket of wg(8), `/var/run/wireguard/IFACE.sock`.

use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nic_memory::wipe_stack;
use tunic::Transport;
use zeroize::Zeroizing;

use crate::request_reader::RequestReader;
use crate::server::{STACK_FRAMES, Server};
use crate::uapi::{Errno, Uapi};

/// The directory in which wg(8) looks for sockets.
pub const DIRECTORY: &str = "/var/run/wireguard";

/// The maximum size of a request in bytes: 2^20 peers with about a dozen allowed IPs each.
const MAX_REQUEST_BYTES: usize = 1 << 30;

/// The socket path of an interface.
pub fn path(interface: &str) -> PathBuf {
    Path::new(DIRECTORY).join(format!("{interface}.sock"))
}

/// Serves the UAPI at `path`.
pub fn serve<T: Transport + Send + Sync + 'static>(
    path: &Path,
    uapi: Arc<Uapi<T>>,
) -> io::Result<Server> {
    Server::bind(
        path,
        Arc::new(move |stream: &UnixStream| {
            // The client is gone: there is nobody to report an error to.
            let _ = converse(&uapi, stream);
        }),
    )
}

/// Answers requests until the client ends the connection.
fn converse<T: Transport>(uapi: &Uapi<T>, mut stream: &UnixStream) -> io::Result<()> {
    let mut reader = RequestReader::new(stream, MAX_REQUEST_BYTES);
    while let Some(request) = reader.next()? {
        let answer = match std::str::from_utf8(&request) {
            Ok(text) => uapi.answer(text),
            Err(_) => Zeroizing::new(format!("errno={}\n\n", Errno::EINVAL.0)),
        };
        stream.write_all(answer.as_bytes())?;
        drop((request, answer));
        wipe_stack(STACK_FRAMES);
    }
    Ok(())
}
