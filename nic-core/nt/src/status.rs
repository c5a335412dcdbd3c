//! NTSTATUS values.

use core::fmt;

use nt_sys::ntdef::{NT_SUCCESS, NTSTATUS};
use nt_sys::status;

/// The result of something that the kernel may refuse.
pub type Result<T> = core::result::Result<T, Status>;

/// An NTSTATUS.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Status(pub NTSTATUS);

macro_rules! statuses {
    ($( $(#[$meta:meta])* $name:ident = $value:ident; )*) => {
        impl Status {
            $( $(#[$meta])* pub const $name: Self = Self(status::$value); )*
        }
    };
}

statuses! {
    /// It worked.
    SUCCESS = STATUS_SUCCESS;
    /// It goes on, and its end will be told.
    PENDING = STATUS_PENDING;
    /// A warning: there is more than fits into the buffer.
    BUFFER_OVERFLOW = STATUS_BUFFER_OVERFLOW;
    /// Something failed, and nothing more is known.
    UNSUCCESSFUL = STATUS_UNSUCCESSFUL;
    /// Asked for something that nobody wrote.
    NOT_IMPLEMENTED = STATUS_NOT_IMPLEMENTED;
    /// A parameter makes no sense.
    INVALID_PARAMETER = STATUS_INVALID_PARAMETER;
    /// Not a request that this device knows.
    INVALID_DEVICE_REQUEST = STATUS_INVALID_DEVICE_REQUEST;
    /// There is no such thing open to the caller.
    ACCESS_DENIED = STATUS_ACCESS_DENIED;
    /// The buffer is too small.
    BUFFER_TOO_SMALL = STATUS_BUFFER_TOO_SMALL;
    /// No object has this name.
    OBJECT_NAME_NOT_FOUND = STATUS_OBJECT_NAME_NOT_FOUND;
    /// The name is no name.
    OBJECT_NAME_INVALID = STATUS_OBJECT_NAME_INVALID;
    /// Somebody else has this exclusively.
    SHARING_VIOLATION = STATUS_SHARING_VIOLATION;
    /// There is no memory, in ovpn-dco-win's words.
    NO_MEMORY = STATUS_NO_MEMORY;
    /// There is no memory.
    INSUFFICIENT_RESOURCES = STATUS_INSUFFICIENT_RESOURCES;
    /// This is not offered.
    NOT_SUPPORTED = STATUS_NOT_SUPPORTED;
    /// Somebody cancelled the request.
    CANCELLED = STATUS_CANCELLED;
    /// The device can't do this now.
    DEVICE_NOT_READY = STATUS_DEVICE_NOT_READY;
    /// The device can't do this in its state.
    INVALID_DEVICE_STATE = STATUS_INVALID_DEVICE_STATE;
    /// The address is taken.
    ADDRESS_ALREADY_EXISTS = STATUS_ADDRESS_ALREADY_EXISTS;
    /// What is in the buffer is no message.
    INVALID_MESSAGE = STATUS_INVALID_MESSAGE;
    /// What is in the buffer is no address.
    INVALID_ADDRESS = STATUS_INVALID_ADDRESS;
    /// The buffer has a length that makes no sense.
    INVALID_BUFFER_SIZE = STATUS_INVALID_BUFFER_SIZE;
    /// There is such an object already.
    OBJECTID_EXISTS = STATUS_OBJECTID_EXISTS;
    /// There is no such object.
    OBJECTID_NOT_FOUND = STATUS_OBJECTID_NOT_FOUND;
    /// It was done before.
    ALREADY_INITIALIZED = STATUS_ALREADY_INITIALIZED;
    /// The other side is gone.
    CONNECTION_DISCONNECTED = STATUS_CONNECTION_DISCONNECTED;
    /// There is no such thing.
    NOT_FOUND = STATUS_NOT_FOUND;
    /// The device is gone.
    DEVICE_REMOVED = STATUS_DEVICE_REMOVED;
    /// The network can't be reached.
    NETWORK_UNREACHABLE = STATUS_NETWORK_UNREACHABLE;
    /// A number is too large.
    INTEGER_OVERFLOW = STATUS_INTEGER_OVERFLOW;
}

impl Status {
    /// Already in the state asked for; a success.
    pub const ALREADY_COMPLETE: Self = Self(0xff);
    /// There are too many nodes: WireGuardNT's answer to too many peers.
    pub const TOO_MANY_NODES: Self = Self(0xc000_020e_u32.cast_signed());

    /// There is no such OID.
    pub const INVALID_OID: Self = Self(nt_sys::ndis::NDIS_STATUS_INVALID_OID);
    /// The value of an OID makes no sense.
    pub const INVALID_DATA: Self = Self(nt_sys::ndis::NDIS_STATUS_INVALID_DATA);

    /// Whether this is a success or an information (`NT_SUCCESS`).
    #[must_use]
    pub const fn is_success(self) -> bool {
        NT_SUCCESS(self.0)
    }

    /// The status as a result: `Err` for warnings and errors.
    pub const fn ok(self) -> Result<()> {
        if self.is_success() { Ok(()) } else { Err(self) }
    }

    /// The status of a result.
    pub fn of(result: Result<()>) -> Self {
        result.err().unwrap_or(Self::SUCCESS)
    }
}

impl fmt::Debug for Status {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "0x{:08x}", self.0.cast_unsigned())
    }
}

impl fmt::Display for Status {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, formatter)
    }
}
