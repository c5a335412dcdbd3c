//! The transport of requests to the driver.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use zeroize::Zeroizing;

/// The driver's answer to an IOCTL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IoctlReply {
    /// The NTSTATUS.
    pub status: u32,
    /// Bytes of output, or bytes that the output would need.
    pub information: u64,
}

impl IoctlReply {
    /// Whether the status is of the success or informational class (`NT_SUCCESS`).
    pub const fn is_success(&self) -> bool {
        tunic_ioctl::status::is_success(self.status)
    }
}

/// Carries IOCTLs to one adapter.
pub trait Transport {
    /// Sends an IOCTL and waits for its answer. `output` is the second buffer of `DeviceIoControl`,
    /// which the driver fills, or reads in the case of in-direct codes.
    fn ioctl(&self, code: u32, input: &[u8], output: &mut [u8]) -> io::Result<IoctlReply>;
}

/// Carries overlapped requests: ones that may stay pending while others complete.
pub trait OverlappedTransport: Transport {
    /// Sends a request; the caller waits for its answer separately.
    fn start(&self, request: &Request<'_>) -> io::Result<Box<dyn PendingRequest>>;
}

/// A request to the driver.
#[derive(Clone, Copy)]
pub enum Request<'a> {
    /// `DeviceIoControl`.
    Ioctl {
        /// The control code.
        code: u32,
        /// The first buffer.
        input: &'a [u8],
        /// The second buffer: room for the driver's answer, or the data of an in-direct code.
        output: &'a [u8],
    },
    /// `ReadFile`.
    Read {
        /// The maximum number of bytes.
        bytes: usize,
    },
    /// `WriteFile`.
    Write {
        /// The data.
        data: &'a [u8],
    },
}

/// A pending request. Dropping it cancels it.
pub trait PendingRequest: Send {
    /// Waits for the answer, without a timeout forever; `None` after the timeout. Must not be
    /// called again after the answer.
    fn wait(&mut self, timeout: Option<Duration>) -> io::Result<Option<Completion>>;

    /// Asks the driver to cancel it. Its answer follows, and may still be a success.
    fn cancel(&self) -> io::Result<()>;
}

/// The answer to a request.
#[derive(Clone)]
pub struct Completion {
    /// Status and size.
    pub reply: IoctlReply,
    /// The driver's output. Erased when dropped, as it may contain keys.
    pub data: Zeroizing<Vec<u8>>,
}

impl<T: Transport + ?Sized> Transport for Box<T> {
    fn ioctl(&self, code: u32, input: &[u8], output: &mut [u8]) -> io::Result<IoctlReply> {
        (**self).ioctl(code, input, output)
    }
}

impl<T: Transport + ?Sized> Transport for Arc<T> {
    fn ioctl(&self, code: u32, input: &[u8], output: &mut [u8]) -> io::Result<IoctlReply> {
        (**self).ioctl(code, input, output)
    }
}

impl<T: OverlappedTransport + ?Sized> OverlappedTransport for Box<T> {
    fn start(&self, request: &Request<'_>) -> io::Result<Box<dyn PendingRequest>> {
        (**self).start(request)
    }
}

impl<T: OverlappedTransport + ?Sized> OverlappedTransport for Arc<T> {
    fn start(&self, request: &Request<'_>) -> io::Result<Box<dyn PendingRequest>> {
        (**self).start(request)
    }
}
