//! Decodes requests of WireGuardNT's ABI.

use core::mem::offset_of;

use super::flags::InterfaceFlags;
use super::peers::key_change;
use super::{
    IOCTL_GET, IOCTL_READ_LOG_LINE, IOCTL_SET, IOCTL_SET_ADAPTER_STATE, Interface, STATE_DOWN,
    STATE_QUERY, STATE_UP,
};
use crate::bytes::{array, u16_at, u32_at};
use crate::change::{Configure, MAX_PEERS, Peers};
use crate::command::Command;
use crate::flags::flags_at;
use crate::values::AdapterState;
use crate::{Abi, DecodeError, DecodeErrorKind};

/// Decodes an IOCTL of this ABI; `None` if it is not one.
pub fn decode(code: u32, input: &[u8]) -> Result<Option<Command<'_>>, DecodeError> {
    Ok(Some(match code {
        IOCTL_GET => Command::QueryConfiguration(Abi::WireGuardNt),
        IOCTL_SET => Command::Configure(configure(input)?),
        IOCTL_SET_ADAPTER_STATE => state(input)?,
        IOCTL_READ_LOG_LINE => Command::ReadLogLine,
        _ => return Ok(None),
    }))
}

/// Decodes and validates a whole configuration. Bytes behind the last record are allowed.
pub fn configure(bytes: &[u8]) -> Result<Configure<'_>, DecodeError> {
    let flags: InterfaceFlags = flags_at(bytes, offset_of!(Interface, flags))?;
    let listen_port = u16_at(bytes, offset_of!(Interface, listen_port))?;
    let private_key = array(bytes, offset_of!(Interface, private_key))?;
    let peers_count_offset = offset_of!(Interface, peers_count);
    let peers_count = u32_at(bytes, peers_count_offset)?;
    array::<{ Interface::SIZE }>(bytes, 0)?;
    if peers_count > MAX_PEERS {
        return Err(DecodeError::new(DecodeErrorKind::TooManyPeers, peers_count_offset));
    }
    let mut configure = Configure {
        listen_port: flags.contains(InterfaceFlags::HAS_LISTEN_PORT).then_some(listen_port),
        replace_peers: flags.contains(InterfaceFlags::REPLACE_PEERS),
        private_key: flags
            .contains(InterfaceFlags::HAS_PRIVATE_KEY)
            .then(|| key_change(private_key)),
        peers: Peers {
            abi: Abi::WireGuardNt,
            bytes,
            offset: Interface::SIZE,
            remaining: peers_count,
            is_answer: false,
        },
        consumed_bytes: 0,
    };
    configure.validate()?;
    Ok(configure)
}

fn state(input: &[u8]) -> Result<Command<'static>, DecodeError> {
    let Ok(word) = <[u8; 4]>::try_from(input) else {
        return Err(DecodeError::new(DecodeErrorKind::BadSize, 0));
    };
    match u32::from_le_bytes(word) {
        STATE_DOWN => Ok(Command::SetState(AdapterState::Down)),
        STATE_UP => Ok(Command::SetState(AdapterState::Up)),
        STATE_QUERY => Ok(Command::QueryState),
        _ => Err(DecodeError::new(DecodeErrorKind::BadState, 0)),
    }
}
