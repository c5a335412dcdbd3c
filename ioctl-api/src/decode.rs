//! Decodes an IOCTL of any ABI.

use crate::command::{Command, Request};
use crate::{Abi, DecodeError, DecodeErrorKind, native, ovpn_dco, wireguard_nt};

/// Decodes an IOCTL. The ABIs share no control code, so the code alone tells the ABI.
///
/// `input` is what the code's method reads: the system buffer of a buffered code (input length),
/// the mapped second buffer of an in-direct one (the kernel's copy of it, see the crate's page),
/// nothing for an out-direct one.
pub fn decode(code: u32, input: &[u8]) -> Result<Request<'_>, DecodeError> {
    if let Some(command) = wireguard_nt::decode(code, input)? {
        return Ok(Request { adapter: None, command });
    }
    if let Some(command) = ovpn_dco::decode(code, input)? {
        let command = Command::DataChannel(Abi::OvpnDco, command);
        return Ok(Request { adapter: None, command });
    }
    native::decode(code, input)?.ok_or(DecodeError::new(DecodeErrorKind::UnknownCode, 0))
}
