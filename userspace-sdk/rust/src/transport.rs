//! How requests reach the driver.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use zeroize::Zeroizing;

/// The driver's answer to an IOCTL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IoctlReply {
    /// The NTSTATUS.
    pub status: u32,
    /// Bytes of output, or those that it would need.
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
    /// Sends an IOCTL and waits for its answer. `output` is `DeviceIoControl`'s second buffer:
    /// filled by the driver, or for in-direct codes read by it.
    fn ioctl(&self, code: u32, input: &[u8], output: &mut [u8]) -> io::Result<IoctlReply>;
}

/// Carries requests that may wait for long, while others go by.
pub trait OverlappedTransport: Transport {
    /// Sends a request; its answer is waited for by itself.
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
        /// The second buffer: as much room as the driver has for its answer, or for in-direct codes
        /// what it reads.
        output: &'a [u8],
    },
    /// `ReadFile`, of at most so many bytes.
    Read {
        /// Bytes.
        bytes: usize,
    },
    /// `WriteFile`.
    Write {
        /// What is written.
        data: &'a [u8],
    },
}

/// A request that was sent. Dropping it cancels it.
pub trait PendingRequest: Send {
    /// Waits for the answer, for ever without a timeout; `None` where it did not come in time.
    /// There is one answer: nothing is to be waited for behind it.
    fn wait(&mut self, timeout: Option<Duration>) -> io::Result<Option<Completion>>;

    /// Asks the driver to end it: its answer comes soon, which may be a good one.
    fn cancel(&self) -> io::Result<()>;
}

/// The answer to a request.
#[derive(Clone)]
pub struct Completion {
    /// Status and size.
    pub reply: IoctlReply,
    /// What the driver wrote. Erased when dropped, as it may hold keys.
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
