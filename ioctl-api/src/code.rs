//! Control codes: device type, function, method and access in one word (`CTL_CODE` of
//! `devioctl.h`).

/// The buffering method of a control code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// The I/O manager copies both buffers through one system buffer.
    Buffered,
    /// The caller's second buffer is locked, and the driver reads it.
    InDirect,
    /// The caller's second buffer is locked, and the driver writes it.
    OutDirect,
    /// The buffers are neither copied nor locked.
    Neither,
}

/// FILE_READ_DATA as a required access.
pub const READ_ACCESS: u32 = 1;
/// FILE_WRITE_DATA as a required access.
pub const WRITE_ACCESS: u32 = 2;

/// Builds a control code.
pub const fn control_code(device_type: u32, function: u32, method: Method, access: u32) -> u32 {
    (device_type << 16) | (access << 14) | (function << 2) | method as u32
}

/// The method of a control code.
pub const fn method(code: u32) -> Method {
    match code & 3 {
        0 => Method::Buffered,
        1 => Method::InDirect,
        2 => Method::OutDirect,
        _ => Method::Neither,
    }
}
