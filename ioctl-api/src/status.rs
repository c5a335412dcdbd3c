//! NTSTATUS values that the driver and its host return, by name (ntstatus.h).

use core::fmt;

/// Declares the constants, and the table of their names and meanings.
macro_rules! statuses {
    ($($name:ident = $value:literal, $meaning:literal;)+) => {
        $(
            #[doc = concat!("An NTSTATUS: ", $meaning, ".")]
            pub const $name: u32 = $value;
        )+

        const TABLE: &[(u32, &str, &str)] = &[$(($value, stringify!($name), $meaning),)+];
    };
}

statuses! {
    STATUS_SUCCESS = 0, "success";
    STATUS_ALREADY_COMPLETE = 0xFF, "already done";
    STATUS_PENDING = 0x103, "pending";
    STATUS_BUFFER_OVERFLOW = 0x8000_0005, "the answer is longer than the buffer";
    STATUS_UNSUCCESSFUL = 0xC000_0001, "failed";
    STATUS_NOT_IMPLEMENTED = 0xC000_0002, "not implemented";
    STATUS_INVALID_PARAMETER = 0xC000_000D, "invalid parameter";
    STATUS_NO_SUCH_DEVICE = 0xC000_000E, "no such device";
    STATUS_INVALID_DEVICE_REQUEST = 0xC000_0010, "the adapter does not support this request";
    STATUS_NO_MEMORY = 0xC000_0017, "out of memory";
    STATUS_ACCESS_DENIED = 0xC000_0022, "access denied";
    STATUS_BUFFER_TOO_SMALL = 0xC000_0023, "buffer too small";
    STATUS_OBJECT_NAME_NOT_FOUND = 0xC000_0034, "no such adapter";
    STATUS_OBJECT_NAME_COLLISION = 0xC000_0035, "the name is in use";
    STATUS_SHARING_VIOLATION = 0xC000_0043, "in use by another process";
    STATUS_INSUFFICIENT_RESOURCES = 0xC000_009A, "out of memory";
    STATUS_DEVICE_NOT_READY = 0xC000_00A3, "device not ready";
    STATUS_NOT_SUPPORTED = 0xC000_00BB, "not supported";
    STATUS_CANCELLED = 0xC000_0120, "cancelled";
    STATUS_INVALID_ADDRESS = 0xC000_0141, "invalid address";
    STATUS_INVALID_DEVICE_STATE = 0xC000_0184, "not possible in the adapter's mode or state";
    STATUS_INVALID_BUFFER_SIZE = 0xC000_0206, "invalid buffer size";
    STATUS_INVALID_ADDRESS_COMPONENT = 0xC000_0207, "the address is not local";
    STATUS_ADDRESS_ALREADY_EXISTS = 0xC000_020A, "address already in use";
    STATUS_CONNECTION_DISCONNECTED = 0xC000_020C, "disconnected";
    STATUS_TOO_MANY_NODES = 0xC000_020E, "too many peers or routes";
    STATUS_NOT_FOUND = 0xC000_0225, "not found";
    STATUS_OBJECTID_EXISTS = 0xC000_022B, "the id is in use";
    STATUS_NETWORK_UNREACHABLE = 0xC000_023C, "network unreachable";
    STATUS_HOST_UNREACHABLE = 0xC000_023D, "host unreachable";
    STATUS_DEVICE_REMOVED = 0xC000_02B6, "the adapter is being removed";
    STATUS_OBJECTID_NOT_FOUND = 0xC000_02F0, "no such id";
    STATUS_ALREADY_INITIALIZED = 0xC000_0510, "already done";
    STATUS_INVALID_MESSAGE = 0xC000_0702, "invalid message";
}

/// An NTSTATUS in a message: its name, or its value where the table has no name for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusName(pub u32);

impl fmt::Display for StatusName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match entry(self.0) {
            Some((_, name, _)) => f.write_str(name),
            None => write!(f, "NTSTATUS {:#010x}", self.0),
        }
    }
}

/// The meaning of a status, in words.
pub fn meaning(status: u32) -> Option<&'static str> {
    entry(status).map(|(_, _, meaning)| *meaning)
}

/// Whether a status is of the success or informational class (`NT_SUCCESS`).
pub const fn is_success(status: u32) -> bool {
    status < 0x8000_0000
}

fn entry(status: u32) -> Option<&'static (u32, &'static str, &'static str)> {
    TABLE.iter().find(|(value, ..)| *value == status)
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::string::ToString;

    #[test]
    fn statuses_are_shown_by_name() {
        assert_eq!(StatusName(STATUS_CANCELLED).to_string(), "STATUS_CANCELLED");
        assert_eq!(StatusName(0xC012_3456).to_string(), "NTSTATUS 0xc0123456");
        assert_eq!(meaning(STATUS_NOT_FOUND), Some("not found"));
        assert_eq!(meaning(0xC012_3456), None);
    }

    #[test]
    fn values_are_unique() {
        assert!(TABLE.is_sorted_by(|(one, ..), (other, ..)| one < other));
    }
}
