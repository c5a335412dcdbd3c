//! The SDK's socket, `/var/run/tunic/IFACE.sock`, carries requests in frames of
//! [`tunic_ioctl::frame`]. A connection is one open file on the adapter's device. The driver's
//! other devices are served at `/var/run/tunic/devices/NAME.sock`.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use nic_memory::wipe_stack;
use nt_host::{Completed, CompletionPort, Operation};
use nt_sys::ntdef::NTSTATUS;
use tunic_ioctl::frame::{self, MAX_REQUESTS, ReplyHeader, RequestHeader};
use zeroize::Zeroizing;

use crate::server::{STACK_FRAMES, Server};

/// A device on which files can be opened.
pub trait Device: Send + Sync {
    /// Opens a file; the error is the driver's status.
    fn open(&self) -> Result<Box<dyn File>, NTSTATUS>;
}

/// An open file. Dropping it closes it, which ends its pending requests.
pub trait File: Send + Sync {
    /// Sends a request; its completion is posted to the port under this key.
    fn start(
        &self,
        operation: Operation<'_>,
        port: &Arc<CompletionPort>,
        key: u64,
    ) -> Box<dyn Started>;
}

/// A request in progress.
pub trait Started: Send {
    /// Cancels the request.
    fn cancel(&self);
}

/// The socket path of an interface.
pub fn path(interface: &str) -> PathBuf {
    Path::new(tunic::SOCKET_DIRECTORY).join(format!("{interface}.sock"))
}

/// The socket path of a device with the Win32 name `\\.\NAME`.
pub fn device_path(name: &str) -> PathBuf {
    Path::new(tunic::DEVICE_DIRECTORY).join(format!("{name}.sock"))
}

/// Serves a device at `path`.
pub fn serve(path: &Path, device: Arc<dyn Device>) -> io::Result<Server> {
    Server::bind(
        path,
        Arc::new(move |stream: &UnixStream| {
            // The client is gone: there is nobody to report an error to.
            let _ = converse(&*device, stream);
        }),
    )
}

/// Requests without an answer, by id.
type Requests = Mutex<HashMap<u64, Unanswered>>;

struct Unanswered {
    /// The driver writes to the second buffer.
    has_data: bool,
    /// `None` until the driver has accepted the request.
    started: Option<Box<dyn Started>>,
}

/// Forwards requests until the client ends the connection.
fn converse(device: &dyn Device, mut stream: &UnixStream) -> io::Result<()> {
    let opened = device.open();
    let status = opened.as_ref().map_or_else(|status| status.cast_unsigned(), |_| 0);
    let greeting = ReplyHeader { id: 0, status, data_bytes: 0, information: 0 };
    stream.write_all(&greeting.encode())?;
    let Ok(file) = opened else { return Ok(()) };

    let port = CompletionPort::new();
    let requests = Requests::default();
    thread::scope(|scope| {
        let answering =
            thread::Builder::new().name("answers".into()).spawn_scoped(scope, || {
                let answered = answer(stream, &port, &requests);
                // The client no longer reads answers: take no more requests, either.
                let _ = stream.shutdown(Shutdown::Both);
                answered
            })?;
        let received = receive(stream, &*file, &port, &requests);
        drop(file);
        port.close();
        let answered = answering.join().unwrap_or_else(|_| Err(io::ErrorKind::Other.into()));
        received.and(answered)
    })
}

/// Receives requests until the connection ends.
fn receive(
    mut stream: &UnixStream,
    file: &dyn File,
    port: &Arc<CompletionPort>,
    requests: &Requests,
) -> io::Result<()> {
    loop {
        let mut header = [0; RequestHeader::SIZE];
        stream.read_exact(&mut header)?;
        let header = RequestHeader::decode(&header).ok_or(io::ErrorKind::InvalidData)?;
        let input = read(stream, header.input_bytes)?;
        let output = if header.sends_output() {
            read(stream, header.output_bytes)?
        } else {
            buffer(header.output_bytes)?
        };
        let operation = match header.operation {
            frame::Operation::Ioctl { code } => {
                Operation::Ioctl { code, input: &input, output: &output }
            }
            frame::Operation::Read => Operation::Read { bytes: output.len() },
            frame::Operation::Write => Operation::Write { data: &input },
            frame::Operation::Cancel => {
                if let Some(Unanswered { started: Some(started), .. }) =
                    lock(requests).get(&header.id)
                {
                    started.cancel();
                }
                continue;
            }
        };
        {
            let mut requests = lock(requests);
            if requests.len() >= MAX_REQUESTS || requests.contains_key(&header.id) {
                return Err(io::ErrorKind::InvalidData.into());
            }
            let has_data = !header.sends_output();
            requests.insert(header.id, Unanswered { has_data, started: None });
        }
        let started = file.start(operation, port, header.id);
        if let Some(unanswered) = lock(requests).get_mut(&header.id) {
            unanswered.started = Some(started);
        }
        drop((input, output));
        wipe_stack(STACK_FRAMES);
    }
}

/// Sends answers until the port is closed.
fn answer(mut stream: &UnixStream, port: &CompletionPort, requests: &Requests) -> io::Result<()> {
    while let Some((id, completed)) = port.wait() {
        let Completed { status, information, output } = completed;
        let has_data =
            lock(requests).remove(&id).is_some_and(|unanswered: Unanswered| unanswered.has_data);
        let data = if has_data { &output[..information.min(output.len())] } else { &[] };
        let header = ReplyHeader {
            id,
            status: status.cast_unsigned(),
            data_bytes: u32::try_from(data.len()).map_err(io::Error::other)?,
            information: information as u64,
        };
        stream.write_all(&header.encode())?;
        stream.write_all(data)?;
        drop(output);
        wipe_stack(STACK_FRAMES);
    }
    Ok(())
}

fn lock(requests: &Requests) -> MutexGuard<'_, HashMap<u64, Unanswered>> {
    requests.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reads `length` bytes. Memory is allocated as they arrive, so that a header alone allocates none.
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
