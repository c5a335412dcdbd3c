//! The SDK's socket: `/var/run/tunic/IFACE.sock` carries IOCTLs, framed as [`tunic_ioctl::frame`] says.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tunic::Transport;
use tunic_ioctl::frame::{ReplyHeader, RequestHeader};
use zeroize::Zeroizing;

use crate::server::Server;

/// The socket of an interface.
pub fn path(interface: &str) -> PathBuf {
    Path::new(tunic::SOCKET_DIRECTORY).join(format!("{interface}.sock"))
}

/// Serves IOCTLs at `path`.
pub fn serve(path: &Path, driver: Arc<dyn Transport + Send + Sync>) -> io::Result<Server> {
    Server::bind(
        path,
        Arc::new(move |stream: &UnixStream| {
            // However the connection ends, there is nobody left to tell.
            let _ = converse(&*driver, stream);
        }),
    )
}

/// Passes IOCTLs on until the client ends the connection.
fn converse(driver: &dyn Transport, mut stream: &UnixStream) -> io::Result<()> {
    loop {
        let mut header = [0; RequestHeader::SIZE];
        stream.read_exact(&mut header)?;
        let request = RequestHeader::decode(&header).ok_or(io::ErrorKind::InvalidData)?;
        let input = read(stream, request.input_bytes)?;
        let mut output = if request.sends_output() {
            read(stream, request.output_bytes)?
        } else {
            buffer(request.output_bytes)?
        };
        let reply = driver.ioctl(request.code, &input, &mut output)?;
        let returned = usize::try_from(reply.information).unwrap_or(usize::MAX).min(output.len());
        let data = if request.sends_output() { &[][..] } else { &output[..returned] };
        let header = ReplyHeader {
            status: reply.status,
            data_bytes: u32::try_from(data.len()).map_err(io::Error::other)?,
            information: reply.information,
        };
        stream.write_all(&header.encode())?;
        stream.write_all(data)?;
    }
}

/// Reads so many bytes, allocating only as they come: a header alone costs nothing.
fn read(stream: &UnixStream, length: u32) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::new());
    let read = stream.take(length.into()).read_to_end(&mut bytes)?;
    if u32::try_from(read) != Ok(length) {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(bytes)
}

fn buffer(length: u32) -> io::Result<Zeroizing<Vec<u8>>> {
    let length = usize::try_from(length).map_err(io::Error::other)?;
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(length).map_err(io::Error::other)?;
    bytes.resize(length, 0);
    Ok(Zeroizing::new(bytes))
}
