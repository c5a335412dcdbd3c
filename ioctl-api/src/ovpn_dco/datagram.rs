//! Control datagrams as they are read from and written to the device.

use super::MAX_WRITE_BYTES;
use crate::bytes::put;
use crate::data_channel::{ControlDatagram, Mode};
use crate::sockaddr;

/// Why written bytes are not a datagram. The caller is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteError {
    /// STATUS_INVALID_ADDRESS: the address is missing or cannot be a destination.
    BadAddress,
    /// STATUS_INVALID_MESSAGE: no data after the address.
    Empty,
    /// STATUS_INVALID_BUFFER_SIZE: more than [`MAX_WRITE_BYTES`].
    TooLong,
}

/// Decodes a write to the device.
pub fn decode_write(mode: Mode, input: &[u8]) -> Result<ControlDatagram<'_>, WriteError> {
    let (address, data) = match mode {
        Mode::PointToPoint => (None, input),
        Mode::MultiPeer => {
            let address = sockaddr::decode_short(input)
                .filter(|address| address.port() != 0)
                .ok_or(WriteError::BadAddress)?;
            let data = input.get(sockaddr::size_bytes(&address)..).ok_or(WriteError::BadAddress)?;
            (Some(address), data)
        }
    };
    match data.len() {
        0 => Err(WriteError::Empty),
        length if length > MAX_WRITE_BYTES => Err(WriteError::TooLong),
        _ => Ok(ControlDatagram { address, data }),
    }
}

/// Encodes the answer to a read of the device: the address, if there is one (multi-peer mode), and
/// the data. `None` if it does not fit. Returns the number of bytes written.
pub fn encode_read(datagram: &ControlDatagram<'_>, output: &mut [u8]) -> Option<usize> {
    let prefix = datagram.address.as_ref().map_or(0, sockaddr::size_bytes);
    let size = prefix.checked_add(datagram.data.len())?;
    let output = output.get_mut(..size)?;
    if let Some(address) = &datagram.address {
        sockaddr::put_short(output, 0, address);
    }
    put(output, prefix, datagram.data);
    Some(size)
}
