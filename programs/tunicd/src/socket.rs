//! The UAPI socket of wg(8), `/var/run/wireguard/IFACE.sock`.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tunic::Transport;
use zeroize::Zeroizing;

use crate::server::Server;
use crate::uapi::{Errno, Uapi};

/// The directory in which wg(8) looks for sockets.
pub const DIRECTORY: &str = "/var/run/wireguard";

/// The maximum size of a request in bytes: 2^20 peers with about a dozen allowed IPs each.
const MAX_REQUEST_BYTES: u64 = 1 << 30;

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
    let mut reader = BufReader::new(stream);
    while let Some(request) = read_request(&mut reader)? {
        let answer = match std::str::from_utf8(&request) {
            Ok(text) => uapi.answer(text),
            Err(_) => Zeroizing::new(format!("errno={}\n\n", Errno::EINVAL.0)),
        };
        stream.write_all(answer.as_bytes())?;
    }
    Ok(())
}

/// Reads the lines of a request, without the empty line at its end; `None` at the end of the
/// connection.
fn read_request(reader: &mut impl BufRead) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    let mut request = Zeroizing::new(Vec::with_capacity(4096));
    let mut reader = reader.take(MAX_REQUEST_BYTES);
    loop {
        let start = request.len();
        if reader.read_until(b'\n', &mut request)? == 0 {
            // The request is cut short.
            return if request.is_empty() && reader.limit() > 0 {
                Ok(None)
            } else {
                Err(io::ErrorKind::UnexpectedEof.into())
            };
        }
        if request.get(start..) == Some(b"\n") {
            request.truncate(start);
            if request.last() == Some(&b'\n') {
                request.pop();
            }
            return Ok(Some(request));
        }
    }
}
