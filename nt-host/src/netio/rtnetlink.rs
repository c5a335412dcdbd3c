//! Requests to Linux by rtnetlink(7).

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// `nlmsghdr`.
const HEADER_BYTES: usize = 16;
/// How often a dump is repeated that a change has interrupted.
const ATTEMPTS: usize = 5;

/// A socket to rtnetlink.
pub(super) struct RtNetlink(OwnedFd);

/// A message: its type, and what follows the header.
pub(super) struct Message<'a> {
    pub(super) kind: u16,
    pub(super) body: &'a [u8],
}

impl RtNetlink {
    /// Opens a socket that receives the changes of `groups` (`RTMGRP_*`).
    pub(super) fn open(groups: u32) -> io::Result<Self> {
        let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC;
        // SAFETY: has no conditions.
        let socket = unsafe { libc::socket(libc::AF_NETLINK, kind, libc::NETLINK_ROUTE) };
        if socket < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor is new.
        let socket = unsafe { OwnedFd::from_raw_fd(socket) };
        // SAFETY: all zeros is a value of this C struct.
        let mut address: libc::sockaddr_nl = unsafe { std::mem::zeroed() };
        address.nl_family = libc::AF_NETLINK as u16;
        address.nl_groups = groups;
        let length = size_of::<libc::sockaddr_nl>() as libc::socklen_t;
        // SAFETY: the address is readable for its length.
        let bound = unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), length) };
        if bound < 0 { Err(io::Error::last_os_error()) } else { Ok(Self(socket)) }
    }

    pub(super) fn descriptor(&self) -> i32 {
        self.0.as_raw_fd()
    }

    /// Calls `each` with every entry of a table. `each` gets them again, after `restart`, if the
    /// table has changed meanwhile.
    pub(super) fn dump(
        &self,
        kind: u16,
        body: &[u8],
        mut restart: impl FnMut(),
        mut each: impl FnMut(&Message<'_>),
    ) -> io::Result<()> {
        for _ in 0..ATTEMPTS {
            restart();
            self.send(kind, libc::NLM_F_DUMP as u16, body)?;
            if self.take_dump(&mut each)? {
                return Ok(());
            }
        }
        Err(io::ErrorKind::Interrupted.into())
    }

    /// The answer to a request that has one.
    pub(super) fn ask<R>(
        &self,
        kind: u16,
        body: &[u8],
        read: impl FnOnce(&Message<'_>) -> R,
    ) -> io::Result<R> {
        self.send(kind, 0, body)?;
        let mut bytes = vec![0; 16 << 10];
        let length = self.receive(&mut bytes)?;
        let (message, ..) = split(&bytes[..length]).ok_or(io::ErrorKind::InvalidData)?;
        error_of(&message)?;
        Ok(read(&message))
    }

    fn send(&self, kind: u16, flags: u16, body: &[u8]) -> io::Result<()> {
        let mut message = Vec::with_capacity(HEADER_BYTES + body.len());
        message.extend(((HEADER_BYTES + body.len()) as u32).to_ne_bytes());
        message.extend(kind.to_ne_bytes());
        message.extend((flags | libc::NLM_F_REQUEST as u16).to_ne_bytes());
        message.extend([0; 8]);
        message.extend(body);
        // SAFETY: the message is readable for its length.
        let sent =
            unsafe { libc::send(self.descriptor(), message.as_ptr().cast(), message.len(), 0) };
        if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    /// Waits for the next datagram, and reads it.
    pub(super) fn receive(&self, bytes: &mut [u8]) -> io::Result<usize> {
        loop {
            // SAFETY: the buffer is writable for its length.
            let length =
                unsafe { libc::recv(self.descriptor(), bytes.as_mut_ptr().cast(), bytes.len(), 0) };
            match usize::try_from(length) {
                Ok(length) => return Ok(length),
                Err(_) => match io::Error::last_os_error() {
                    error if error.kind() == io::ErrorKind::Interrupted => {}
                    error => return Err(error),
                },
            }
        }
    }

    /// Reads a dump to its end. False if a change has interrupted it.
    fn take_dump(&self, each: &mut impl FnMut(&Message<'_>)) -> io::Result<bool> {
        let mut bytes = vec![0; 64 << 10];
        let mut is_whole = true;
        loop {
            let length = self.receive(&mut bytes)?;
            let mut rest = &bytes[..length];
            while let Some((message, flags, behind)) = split(rest) {
                is_whole &= flags & libc::NLM_F_DUMP_INTR as u16 == 0;
                error_of(&message)?;
                if message.kind == libc::NLMSG_DONE as u16 {
                    return Ok(is_whole);
                }
                each(&message);
                rest = behind;
            }
        }
    }
}

/// The error of an `NLMSG_ERROR`.
fn error_of(message: &Message<'_>) -> io::Result<()> {
    if message.kind != libc::NLMSG_ERROR as u16 {
        return Ok(());
    }
    match message.body.first_chunk().map_or(-libc::EIO, |errno| i32::from_ne_bytes(*errno)) {
        0 => Ok(()),
        errno => Err(io::Error::from_raw_os_error(-errno)),
    }
}

/// The first message, its flags, and what is behind it.
fn split(bytes: &[u8]) -> Option<(Message<'_>, u16, &[u8])> {
    let &[l0, l1, l2, l3, k0, k1, f0, f1, ..] = bytes.first_chunk::<HEADER_BYTES>()?;
    let length = u32::from_ne_bytes([l0, l1, l2, l3]) as usize;
    let message =
        Message { kind: u16::from_ne_bytes([k0, k1]), body: bytes.get(HEADER_BYTES..length)? };
    let behind = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    Some((message, u16::from_ne_bytes([f0, f1]), behind))
}

/// Adds an attribute (`rtattr`) to a request.
pub(super) fn push_attribute(body: &mut Vec<u8>, kind: u16, data: &[u8]) {
    body.extend(((4 + data.len()) as u16).to_ne_bytes());
    body.extend(kind.to_ne_bytes());
    body.extend(data);
    body.resize(body.len().next_multiple_of(4), 0);
}

/// The type and data of each attribute, up to a malformed one.
pub(super) fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let &[l0, l1, k0, k1] = bytes.first_chunk()?;
        let length = usize::from(u16::from_ne_bytes([l0, l1]));
        let data = bytes.get(4..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        // NLA_F_NESTED and NLA_F_NET_BYTEORDER are no part of the type.
        Some((u16::from_ne_bytes([k0, k1]) & 0x3fff, data))
    })
}

/// A number of four bytes.
pub(super) fn number(data: &[u8]) -> Option<u32> {
    data.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_that_are_cut_short_say_nothing() {
        let mut bytes = vec![0; 24];
        bytes[0] = 24;
        bytes[4] = 16;
        assert_eq!(split(&bytes).map(|(message, ..)| message.body.len()), Some(8));
        for length in 0..24 {
            assert!(split(&bytes[..length]).is_none());
        }
        for length in [0, 15, 25, 255] {
            bytes[0] = length;
            assert!(split(&bytes).is_none());
        }
    }

    #[test]
    fn attributes_are_read_as_they_are_written() {
        let mut body = Vec::new();
        push_attribute(&mut body, 4, &7_u32.to_ne_bytes());
        push_attribute(&mut body, 1, &[10, 9, 0]);
        push_attribute(&mut body, 0x8009, &[]);
        let read: Vec<_> = attributes(&body).map(|(kind, data)| (kind, data.to_vec())).collect();
        assert_eq!(read, [(4, 7_u32.to_ne_bytes().to_vec()), (1, vec![10, 9, 0]), (9, vec![])]);
        for length in 0..8 {
            assert_eq!(attributes(&body[..length]).count(), 0);
        }
    }
}
