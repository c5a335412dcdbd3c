//! Changes of the interface, by rtnetlink(7).

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsRawFd;

use nix::net::if_::if_nametoindex;
use nix::sys::socket::{
    AddressFamily, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, socket,
};

/// A change of the interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkEvent {
    /// It is up (IFF_UP): at the start, or after a change.
    Up,
    /// It is down: at the start, or after a change.
    Down,
    /// It was deleted.
    Gone,
}

/// A subscription to one interface.
pub struct LinkWatch {
    socket: File,
    index: i32,
}

impl LinkWatch {
    /// Watches the interface of this name.
    pub fn new(interface: &str) -> io::Result<Self> {
        let index = index(interface)?;
        let socket = socket(
            AddressFamily::Netlink,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC,
            SockProtocol::NetlinkRoute,
        )?;
        bind(socket.as_raw_fd(), &NetlinkAddr::new(0, libc::RTMGRP_LINK as u32))?;
        let socket = File::from(socket);
        let mut watch = Self { socket, index };
        watch.ask()?;
        Ok(watch)
    }

    /// Waits for the next event: first the present state, then every change. An event may repeat
    /// the state before it.
    pub fn wait(&mut self) -> io::Result<LinkEvent> {
        let mut bytes = [0; 64 << 10];
        loop {
            match self.socket.read(&mut bytes) {
                Ok(length) => {
                    if let Some(event) = last_event(&bytes[..length], self.index) {
                        return Ok(event);
                    }
                }
                // Messages were lost: query the present state.
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => self.ask()?,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Queries the present state.
    fn ask(&mut self) -> io::Result<()> {
        let mut message = [0; HEADER_BYTES + LINK_BYTES];
        let length = message.len() as u32;
        message[0..4].copy_from_slice(&length.to_ne_bytes());
        message[4..6].copy_from_slice(&libc::RTM_GETLINK.to_ne_bytes());
        message[6..8].copy_from_slice(&(libc::NLM_F_REQUEST as u16).to_ne_bytes());
        message[20..24].copy_from_slice(&self.index.to_ne_bytes());
        self.socket.write_all(&message)
    }
}

/// The index of an interface.
pub fn index(interface: &str) -> io::Result<i32> {
    i32::try_from(if_nametoindex(interface)?).map_err(io::Error::other)
}

/// `nlmsghdr`: length, type, flags, sequence, port.
const HEADER_BYTES: usize = 16;
/// `ifinfomsg`: family, type, index at 4, flags at 8, change.
const LINK_BYTES: usize = 16;

/// The last thing that messages say of an interface.
fn last_event(mut messages: &[u8], index: i32) -> Option<LinkEvent> {
    let mut last = None;
    while let Some(header) = messages.first_chunk::<HEADER_BYTES>() {
        let [l0, l1, l2, l3, t0, t1, ..] = *header;
        let length = usize::try_from(u32::from_ne_bytes([l0, l1, l2, l3])).unwrap_or(usize::MAX);
        let kind = u16::from_ne_bytes([t0, t1]);
        let Some(body) = messages.get(HEADER_BYTES..length) else {
            break;
        };
        if kind == libc::NLMSG_ERROR as u16 {
            // The only request is `ask`; it fails when the interface is no more.
            last = Some(LinkEvent::Gone);
        } else if let Some([_, _, _, _, i0, i1, i2, i3, f0, f1, f2, f3, ..]) =
            body.first_chunk::<LINK_BYTES>()
            && i32::from_ne_bytes([*i0, *i1, *i2, *i3]) == index
        {
            let flags = u32::from_ne_bytes([*f0, *f1, *f2, *f3]);
            last = match kind {
                libc::RTM_NEWLINK if flags & libc::IFF_UP as u32 != 0 => Some(LinkEvent::Up),
                libc::RTM_NEWLINK => Some(LinkEvent::Down),
                libc::RTM_DELLINK => Some(LinkEvent::Gone),
                _ => last,
            };
        }
        messages = messages.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_reported_at_once() {
        let event = LinkWatch::new("lo").unwrap().wait().unwrap();
        assert_ne!(event, LinkEvent::Gone);
        assert!(LinkWatch::new("no-such-iface").is_err());
    }

    #[test]
    fn malformed_messages_say_nothing() {
        let mut message = vec![0; 32];
        message[0] = 32;
        message[4..6].copy_from_slice(&libc::RTM_DELLINK.to_ne_bytes());
        message[20] = 7;
        assert_eq!(last_event(&message, 7), Some(LinkEvent::Gone));
        assert_eq!(last_event(&message, 8), None);
        for length in 0..message.len() {
            assert_eq!(last_event(&message[..length], 7), None);
        }
        for length in [0, 15, 16, 31, 255] {
            message[0] = length;
            assert_eq!(last_event(&message, 7), None);
        }
    }
}
