//! Decodes requests of the native ABI.

use core::mem::offset_of;

use super::channel;
use super::flags::InterfaceFlags;
use super::peers::key_change;
use super::read::{adapter, record, require_zero, single};
use super::records::{Interface, Kind, Select, SetState, SetTimerScale};
use super::{
    IOCTL_LIST_ADAPTERS, IOCTL_QUERY_ADAPTER, IOCTL_QUERY_CONFIGURATION, IOCTL_QUERY_ROUTES,
    IOCTL_QUERY_STATISTICS, IOCTL_QUERY_VERSION, IOCTL_READ_EVENT, IOCTL_SET_CONFIGURATION,
    IOCTL_SET_STATE, IOCTL_SET_TIMER_SCALE,
};
use crate::bytes::{u16_at, u32_at};
use crate::change::{Configure, MAX_PEERS, Peers};
use crate::command::{Command, Request};
use crate::flags::flags_at;
use crate::values::AdapterState;
use crate::{Abi, DecodeError, DecodeErrorKind};

/// Decodes an IOCTL of this ABI; `None` if it is not one.
pub fn decode(code: u32, input: &[u8]) -> Result<Option<Request<'_>>, DecodeError> {
    let request = match code {
        IOCTL_QUERY_VERSION | IOCTL_LIST_ADAPTERS if !input.is_empty() => {
            return Err(DecodeError::new(DecodeErrorKind::BadSize, 0));
        }
        IOCTL_QUERY_VERSION => Request { adapter: None, command: Command::QueryVersion },
        IOCTL_LIST_ADAPTERS => Request { adapter: None, command: Command::ListAdapters },
        IOCTL_QUERY_ADAPTER => select(input, Command::QueryAdapter)?,
        IOCTL_QUERY_STATISTICS => select(input, Command::QueryStatistics)?,
        IOCTL_QUERY_ROUTES => select(input, Command::QueryRoutes)?,
        IOCTL_QUERY_CONFIGURATION => select(input, Command::QueryConfiguration(Abi::Native))?,
        IOCTL_READ_EVENT => select(input, Command::ReadEvent)?,
        IOCTL_SET_STATE => set_state(input)?,
        IOCTL_SET_CONFIGURATION => configure(input)?,
        IOCTL_SET_TIMER_SCALE => set_timer_scale(input)?,
        _ => return channel::decode(code, input),
    };
    Ok(Some(request))
}

/// Decodes and validates a whole configuration.
pub fn configure(bytes: &[u8]) -> Result<Request<'_>, DecodeError> {
    let configure = configuration_at(bytes, 0, false)?;
    Ok(Request {
        adapter: adapter(bytes, offset_of!(Interface, adapter))?,
        command: Command::Configure(configure),
    })
}

/// Decodes and validates the configuration from `start` to the end of the buffer, of a request or
/// of an answer.
pub(crate) fn configuration_at(
    bytes: &[u8],
    start: usize,
    is_answer: bool,
) -> Result<Configure<'_>, DecodeError> {
    let record = record(bytes, start, Kind::Interface, Interface::SIZE)?;
    let at = |offset: usize| start.saturating_add(offset);
    let flags: InterfaceFlags = flags_at(bytes, at(offset_of!(Interface, flags)))?;
    require_zero(bytes, at(offset_of!(Interface, reserved)), 2)?;
    let listen_port = u16_at(bytes, at(offset_of!(Interface, listen_port)))?;
    let offset = at(record.len());
    let mut configure = Configure {
        listen_port: flags.contains(InterfaceFlags::HAS_LISTEN_PORT).then_some(listen_port),
        replace_peers: flags.contains(InterfaceFlags::REPLACE_PEERS),
        private_key: key_change(
            bytes,
            at(offset_of!(Interface, private_key)),
            flags.contains(InterfaceFlags::HAS_PRIVATE_KEY),
            flags.contains(InterfaceFlags::CLEAR_PRIVATE_KEY),
        )?,
        peers: Peers { abi: Abi::Native, bytes, offset, remaining: MAX_PEERS, is_answer },
        consumed_bytes: 0,
    };
    configure.validate()?;
    Ok(configure)
}

fn select<'a>(input: &[u8], command: Command<'a>) -> Result<Request<'a>, DecodeError> {
    single(input, Kind::Select, Select::SIZE)?;
    Ok(Request { adapter: adapter(input, offset_of!(Select, adapter))?, command })
}

fn set_state(input: &[u8]) -> Result<Request<'static>, DecodeError> {
    single(input, Kind::SetState, SetState::SIZE)?;
    require_zero(input, offset_of!(SetState, reserved), 4)?;
    let state_offset = offset_of!(SetState, state);
    let state = match u32_at(input, state_offset)? {
        0 => AdapterState::Down,
        1 => AdapterState::Up,
        _ => return Err(DecodeError::new(DecodeErrorKind::BadState, state_offset)),
    };
    Ok(Request {
        adapter: adapter(input, offset_of!(SetState, adapter))?,
        command: Command::SetState(state),
    })
}

fn set_timer_scale(input: &[u8]) -> Result<Request<'static>, DecodeError> {
    single(input, Kind::SetTimerScale, SetTimerScale::SIZE)?;
    require_zero(input, offset_of!(SetTimerScale, reserved), 4)?;
    let offset = offset_of!(SetTimerScale, permille);
    let permille = u32_at(input, offset)?;
    if !(1..=1000).contains(&permille) {
        return Err(DecodeError::new(DecodeErrorKind::BadTimerScale, offset));
    }
    Ok(Request {
        adapter: adapter(input, offset_of!(SetTimerScale, adapter))?,
        command: Command::SetTimerScale { permille },
    })
}
