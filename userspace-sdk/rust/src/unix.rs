//! IOCTLs over the Unix socket of `tunicd`.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use tunic_ioctl::frame::{ReplyHeader, RequestHeader};

use crate::{IoctlReply, Transport};

/// Where the sockets are: `IFACE.sock` each.
pub const SOCKET_DIRECTORY: &str = "/var/run/tunic";

/// A connection to the daemon of one adapter. The frames are those of [`tunic_ioctl::frame`].
pub struct UnixTransport {
    stream: Mutex<UnixStream>,
}

impl UnixTransport {
    /// Connects to a socket.
    pub fn connect(path: impl AsRef<Path>) -> io::Result<Self> {
        Ok(Self { stream: Mutex::new(UnixStream::connect(path)?) })
    }
}

impl Transport for UnixTransport {
    fn ioctl(&self, code: u32, input: &[u8], output: &mut [u8]) -> io::Result<IoctlReply> {
        let too_large = |_| io::Error::new(io::ErrorKind::InvalidInput, "buffer too large");
        let request = RequestHeader {
            code,
            input_bytes: u32::try_from(input.len()).map_err(too_large)?,
            output_bytes: u32::try_from(output.len()).map_err(too_large)?,
        };
        let mut stream = self.stream.lock().unwrap_or_else(PoisonError::into_inner);
        stream.write_all(&request.encode())?;
        stream.write_all(input)?;
        if request.sends_output() {
            stream.write_all(output)?;
        }
        let mut header = [0; ReplyHeader::SIZE];
        stream.read_exact(&mut header)?;
        let malformed = || io::Error::new(io::ErrorKind::InvalidData, "malformed reply");
        let reply = ReplyHeader::decode(&header).ok_or_else(malformed)?;
        let data_bytes = usize::try_from(reply.data_bytes).unwrap_or(usize::MAX);
        stream.read_exact(output.get_mut(..data_bytes).ok_or_else(malformed)?)?;
        Ok(IoctlReply { status: reply.status, information: reply.information })
    }
}
