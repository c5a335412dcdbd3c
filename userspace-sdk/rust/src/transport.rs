//! How IOCTLs reach the driver.

use std::io;

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
        self.status < 0x8000_0000
    }
}

/// Carries IOCTLs to one adapter.
pub trait Transport {
    /// Sends an IOCTL and waits for its answer. `output` is `DeviceIoControl`'s second buffer: filled by the driver, or for
    /// in-direct codes read by it.
    fn ioctl(&self, code: u32, input: &[u8], output: &mut [u8]) -> io::Result<IoctlReply>;
}

impl<T: Transport + ?Sized> Transport for Box<T> {
    fn ioctl(&self, code: u32, input: &[u8], output: &mut [u8]) -> io::Result<IoctlReply> {
        (**self).ioctl(code, input, output)
    }
}

impl<T: Transport + ?Sized> Transport for std::sync::Arc<T> {
    fn ioctl(&self, code: u32, input: &[u8], output: &mut [u8]) -> io::Result<IoctlReply> {
        (**self).ioctl(code, input, output)
    }
}
