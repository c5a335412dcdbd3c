//! The SDK's [`Transport`] over an open file of a driver that runs on nt-host in this process.
#![forbid(unsafe_code)]

use std::io;

use nt_host::Handle;
use tunic::{IoctlReply, Transport};

/// An open file of a driver on nt-host.
#[derive(Clone)]
pub struct HostFile(pub Handle);

impl Transport for HostFile {
    fn ioctl(&self, code: u32, input: &[u8], output: &mut [u8]) -> io::Result<IoctlReply> {
        let (status, information) = self.0.ioctl(code, input, output);
        Ok(IoctlReply { status: status.cast_unsigned(), information: information as u64 })
    }
}
