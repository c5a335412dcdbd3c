//! Control datagrams as they are read from and written to the device.

use core::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use super::MAX_WRITE_BYTES;
use crate::bytes::{array, put, u16_at, u32_at};
use crate::data_channel::{ControlDatagram, Mode};
use crate::wireguard_nt::{AF_INET, AF_INET6, encode_sockaddr};

/// Why what was written is no datagram. Always the caller's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteError {
    /// STATUS_INVALID_ADDRESS: no address before it, or one that nothing can be sent to.
    BadAddress,
    /// STATUS_INVALID_MESSAGE: nothing behind the address.
    Empty,
    /// STATUS_INVALID_BUFFER_SIZE: more than [`MAX_WRITE_BYTES`].
    TooLong,
}

/// Bytes of the address before a datagram: a sockaddr_in or a sockaddr_in6.
pub const fn prefix_bytes(address: &SocketAddr) -> usize {
    match address {
        SocketAddr::V4(_) => 16,
        SocketAddr::V6(_) => 28,
    }
}

/// Reads what was written to the device.
pub fn decode_write(mode: Mode, input: &[u8]) -> Result<ControlDatagram<'_>, WriteError> {
    let (address, data) = match mode {
        Mode::PointToPoint => (None, input),
        Mode::MultiPeer => {
            let address = prefix(input).ok_or(WriteError::BadAddress)?;
            let data = input.get(prefix_bytes(&address)..).ok_or(WriteError::BadAddress)?;
            (Some(address), data)
        }
    };
    match data.len() {
        0 => Err(WriteError::Empty),
        length if length > MAX_WRITE_BYTES => Err(WriteError::TooLong),
        _ => Ok(ControlDatagram { address, data }),
    }
}

/// Writes what is read from the device: with its address, where that is given, which multi-peer
/// mode does. `None` where it does not fit. Says how many bytes were written.
pub fn encode_read(datagram: &ControlDatagram<'_>, output: &mut [u8]) -> Option<usize> {
    let prefix = datagram.address.as_ref().map_or(0, prefix_bytes);
    let size = prefix.checked_add(datagram.data.len())?;
    let output = output.get_mut(..size)?;
    if let Some(address) = &datagram.address {
        put(output, 0, super::encode::sockaddr(address, &encode_sockaddr(address)));
    }
    put(output, prefix, datagram.data);
    Some(size)
}

fn prefix(input: &[u8]) -> Option<SocketAddr> {
    let port = u16::from_be_bytes(*array(input, 2).ok()?);
    let address = match u16_at(input, 0).ok()? {
        AF_INET => {
            let record: &[u8; 16] = array(input, 0).ok()?;
            SocketAddrV4::new(Ipv4Addr::from(*array::<4>(record, 4).ok()?), port).into()
        }
        AF_INET6 => {
            let record: &[u8; 28] = array(input, 0).ok()?;
            SocketAddrV6::new(
                Ipv6Addr::from(*array::<16>(record, 8).ok()?),
                port,
                u32_at(record, 4).ok()?,
                u32_at(record, 24).ok()?,
            )
            .into()
        }
        _ => return None,
    };
    (port != 0).then_some(address)
}
