//! Requests over the Unix socket of `tunicd`.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tunic_ioctl::frame::{MAX_BUFFER_BYTES, Operation, ReplyHeader, RequestHeader};
use zeroize::Zeroizing;

use crate::transport::{Completion, IoctlReply, OverlappedTransport, PendingRequest, Request};
use crate::{Error, Transport};

/// The directory of the adapters' sockets, each named `IFACE.sock`.
pub const SOCKET_DIRECTORY: &str = "/var/run/tunic";

/// The directory of the sockets of devices with a Win32 name `\\.\NAME`, each named `NAME.sock`.
pub const DEVICE_DIRECTORY: &str = "/var/run/tunic/devices";

/// A connection to the daemon of one adapter, which is an open file on its device. Frames are those
/// of [`tunic_ioctl::frame`]. It may be shared by any number of threads.
pub struct UnixTransport {
    connection: Arc<Connection>,
    receiving: Option<JoinHandle<()>>,
}

struct Connection {
    stream: UnixStream,
    /// Held while a request is written, so that requests do not interleave.
    sending: Mutex<()>,
    state: Mutex<State>,
    /// Signals changes of the state.
    changed: Condvar,
}

#[derive(Default)]
struct State {
    last_id: u64,
    requests: HashMap<u64, Waiting>,
    /// The error that ended the connection.
    ended: Option<io::ErrorKind>,
}

/// A request without an answer.
struct Waiting {
    /// The maximum size of the answer.
    output_bytes: u32,
    /// The answer, once received.
    answer: Option<Completion>,
    /// Nobody waits for the answer: it is dropped.
    is_abandoned: bool,
}

struct Pending {
    connection: Arc<Connection>,
    id: u64,
    is_answered: bool,
}

impl UnixTransport {
    /// Opens the adapter of this name.
    pub fn open(name: &str) -> Result<Self, Error> {
        Self::over(Self::dial(name)?)
    }

    /// Connects to the socket of the adapter of this name. A process that gives up its privileges
    /// before it starts threads passes the result to [`UnixTransport::over`] afterwards.
    pub fn dial(name: &str) -> Result<UnixStream, Error> {
        if name.is_empty() || name.contains(['/', '\0']) {
            return Err(Error::NoAdapter(name.to_owned()));
        }
        let path = Path::new(SOCKET_DIRECTORY).join(format!("{name}.sock"));
        UnixStream::connect(path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
                Error::NoAdapter(name.to_owned())
            }
            io::ErrorKind::PermissionDenied => {
                let message = format!("{error}: only root may use the adapter {name}");
                io::Error::new(io::ErrorKind::PermissionDenied, message).into()
            }
            _ => error.into(),
        })
    }

    /// Connects to a socket.
    pub fn connect(path: impl AsRef<Path>) -> Result<Self, Error> {
        Self::over(UnixStream::connect(path)?)
    }

    /// Opens the adapter that a connected socket leads to. A thread receives the answers.
    pub fn over(stream: UnixStream) -> Result<Self, Error> {
        let greeting = read_reply(&stream)?;
        if greeting.id != 0 || greeting.data_bytes != 0 {
            return Err(malformed().into());
        }
        if !reply_of(&greeting).is_success() {
            return Err(Error::Refused(greeting.status));
        }
        let connection = Arc::new(Connection {
            stream,
            sending: Mutex::new(()),
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        let receiving = thread::Builder::new().name("tunic".into()).spawn({
            let connection = Arc::clone(&connection);
            move || connection.receive()
        })?;
        Ok(Self { connection, receiving: Some(receiving) })
    }
}

impl Drop for UnixTransport {
    fn drop(&mut self) {
        let _ = self.connection.stream.shutdown(Shutdown::Both);
        if let Some(receiving) = self.receiving.take() {
            let _ = receiving.join();
        }
    }
}

impl Transport for UnixTransport {
    fn ioctl(&self, code: u32, input: &[u8], output: &mut [u8]) -> io::Result<IoctlReply> {
        let mut pending = self.connection.send(&Request::Ioctl { code, input, output })?;
        let completion = pending.wait(None)?.ok_or(io::ErrorKind::TimedOut)?;
        // The receiver has checked that it fits.
        if let Some(answer) = output.get_mut(..completion.data.len()) {
            answer.copy_from_slice(&completion.data);
        }
        Ok(completion.reply)
    }
}

impl OverlappedTransport for UnixTransport {
    fn start(&self, request: &Request<'_>) -> io::Result<Box<dyn PendingRequest>> {
        Ok(Box::new(self.connection.send(request)?))
    }
}

impl Connection {
    fn send(self: &Arc<Self>, request: &Request<'_>) -> io::Result<Pending> {
        let (operation, input, output_bytes, output) = match *request {
            Request::Ioctl { code, input, output } => {
                (Operation::Ioctl { code }, input, output.len(), output)
            }
            Request::Read { bytes } => (Operation::Read, [].as_slice(), bytes, [].as_slice()),
            Request::Write { data } => (Operation::Write, data, 0, [].as_slice()),
        };
        let (input_bytes, output_bytes) = (length(input.len())?, length(output_bytes)?);
        let id = {
            let mut state = self.state();
            if let Some(kind) = state.ended {
                return Err(kind.into());
            }
            state.last_id += 1;
            let id = state.last_id;
            let waiting = Waiting { output_bytes, answer: None, is_abandoned: false };
            state.requests.insert(id, waiting);
            id
        };
        let pending = Pending { connection: Arc::clone(self), id, is_answered: false };
        let header = RequestHeader { id, operation, input_bytes, output_bytes };
        let output = if header.sends_output() { output } else { &[] };
        self.write(&header, input, output)?;
        Ok(pending)
    }

    /// Writes a request. A failure ends the connection, as a partial request corrupts the stream.
    fn write(&self, header: &RequestHeader, input: &[u8], output: &[u8]) -> io::Result<()> {
        let _turn = self.sending.lock().unwrap_or_else(PoisonError::into_inner);
        let mut stream = &self.stream;
        let written = stream
            .write_all(&header.encode())
            .and_then(|()| stream.write_all(input))
            .and_then(|()| stream.write_all(output));
        written.inspect_err(|_| {
            let _ = self.stream.shutdown(Shutdown::Both);
        })
    }

    /// Receives answers until the connection ends.
    fn receive(&self) {
        let kind = loop {
            if let Err(error) = self.receive_one() {
                break error.kind();
            }
        };
        let _ = self.stream.shutdown(Shutdown::Both);
        self.state().ended = Some(kind);
        self.changed.notify_all();
    }

    fn receive_one(&self) -> io::Result<()> {
        let header = read_reply(&self.stream)?;
        let room = self.state().requests.get(&header.id).map(|waiting| waiting.output_bytes);
        if room.is_none_or(|room| header.data_bytes > room) {
            return Err(malformed());
        }
        let data_bytes = usize::try_from(header.data_bytes).map_err(|_| malformed())?;
        let mut data = Zeroizing::new(vec![0; data_bytes]);
        (&self.stream).read_exact(&mut data)?;
        let mut state = self.state();
        if let Some(waiting) = state.requests.get_mut(&header.id) {
            if waiting.is_abandoned {
                state.requests.remove(&header.id);
            } else {
                waiting.answer = Some(Completion { reply: reply_of(&header), data });
                self.changed.notify_all();
            }
        }
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PendingRequest for Pending {
    fn wait(&mut self, timeout: Option<Duration>) -> io::Result<Option<Completion>> {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut state = self.connection.state();
        loop {
            let Some(waiting) = state.requests.get_mut(&self.id) else {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidInput,
                    "the request was answered before",
                ));
            };
            if let Some(answer) = waiting.answer.take() {
                state.requests.remove(&self.id);
                self.is_answered = true;
                return Ok(Some(answer));
            }
            if let Some(kind) = state.ended {
                return Err(kind.into());
            }
            let changed = &self.connection.changed;
            state = match deadline {
                None => changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return Ok(None);
                    }
                    changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    fn cancel(&self) -> io::Result<()> {
        let header = RequestHeader {
            id: self.id,
            operation: Operation::Cancel,
            input_bytes: 0,
            output_bytes: 0,
        };
        self.connection.write(&header, &[], &[])
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if self.is_answered {
            return;
        }
        {
            let mut state = self.connection.state();
            let Some(waiting) = state.requests.get_mut(&self.id) else { return };
            if waiting.answer.is_some() {
                state.requests.remove(&self.id);
                return;
            }
            waiting.is_abandoned = true;
        }
        let _ = self.cancel();
    }
}

fn read_reply(mut stream: &UnixStream) -> io::Result<ReplyHeader> {
    let mut header = [0; ReplyHeader::SIZE];
    stream.read_exact(&mut header)?;
    ReplyHeader::decode(&header).ok_or_else(malformed)
}

fn reply_of(header: &ReplyHeader) -> IoctlReply {
    IoctlReply { status: header.status, information: header.information }
}

fn length(bytes: usize) -> io::Result<u32> {
    u32::try_from(bytes)
        .ok()
        .filter(|&bytes| bytes <= MAX_BUFFER_BYTES)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "a buffer is too large"))
}

fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "malformed reply of the daemon")
}
