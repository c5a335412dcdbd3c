//! NTSTATUS values.

use core::fmt;

use nt_sys::ntdef::{NT_SUCCESS, NTSTATUS};
use nt_sys::status;

/// The result of an operation that may fail with an NTSTATUS.
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
    /// Success.
    SUCCESS = STATUS_SUCCESS;
    /// The operation is in progress; its completion follows.
    PENDING = STATUS_PENDING;
    /// A warning: there is more data than fits into the buffer.
    BUFFER_OVERFLOW = STATUS_BUFFER_OVERFLOW;
    /// An unspecified failure.
    UNSUCCESSFUL = STATUS_UNSUCCESSFUL;
    /// Not implemented.
    NOT_IMPLEMENTED = STATUS_NOT_IMPLEMENTED;
    /// A parameter is invalid.
    INVALID_PARAMETER = STATUS_INVALID_PARAMETER;
    /// The device does not support the request.
    INVALID_DEVICE_REQUEST = STATUS_INVALID_DEVICE_REQUEST;
    /// The caller lacks the access right.
    ACCESS_DENIED = STATUS_ACCESS_DENIED;
    /// The buffer is too small.
    BUFFER_TOO_SMALL = STATUS_BUFFER_TOO_SMALL;
    /// No object has this name.
    OBJECT_NAME_NOT_FOUND = STATUS_OBJECT_NAME_NOT_FOUND;
    /// The object name is malformed.
    OBJECT_NAME_INVALID = STATUS_OBJECT_NAME_INVALID;
    /// The object is in exclusive use.
    SHARING_VIOLATION = STATUS_SHARING_VIOLATION;
    /// Memory is short: an alternative to `INSUFFICIENT_RESOURCES` that some ABIs document.
    NO_MEMORY = STATUS_NO_MEMORY;
    /// Memory or another resource is short.
    INSUFFICIENT_RESOURCES = STATUS_INSUFFICIENT_RESOURCES;
    /// Not supported.
    NOT_SUPPORTED = STATUS_NOT_SUPPORTED;
    /// The request was cancelled.
    CANCELLED = STATUS_CANCELLED;
    /// The device is not ready.
    DEVICE_NOT_READY = STATUS_DEVICE_NOT_READY;
    /// The state of the device does not allow the request.
    INVALID_DEVICE_STATE = STATUS_INVALID_DEVICE_STATE;
    /// The address is in use.
    ADDRESS_ALREADY_EXISTS = STATUS_ADDRESS_ALREADY_EXISTS;
    /// The buffer does not hold a valid message.
    INVALID_MESSAGE = STATUS_INVALID_MESSAGE;
    /// The buffer does not hold a valid address.
    INVALID_ADDRESS = STATUS_INVALID_ADDRESS;
    /// The length of the buffer is invalid.
    INVALID_BUFFER_SIZE = STATUS_INVALID_BUFFER_SIZE;
    /// The object exists already.
    OBJECTID_EXISTS = STATUS_OBJECTID_EXISTS;
    /// The object does not exist.
    OBJECTID_NOT_FOUND = STATUS_OBJECTID_NOT_FOUND;
    /// It has been initialized already.
    ALREADY_INITIALIZED = STATUS_ALREADY_INITIALIZED;
    /// The connection was disconnected.
    CONNECTION_DISCONNECTED = STATUS_CONNECTION_DISCONNECTED;
    /// Not found.
    NOT_FOUND = STATUS_NOT_FOUND;
    /// The device was removed.
    DEVICE_REMOVED = STATUS_DEVICE_REMOVED;
    /// The network is unreachable.
    NETWORK_UNREACHABLE = STATUS_NETWORK_UNREACHABLE;
    /// An integer overflowed.
    INTEGER_OVERFLOW = STATUS_INTEGER_OVERFLOW;
}

impl Status {
    /// A success: the requested state has been reached already.
    pub const ALREADY_COMPLETE: Self = Self(0xff);
    /// STATUS_TOO_MANY_NODES: a limit on the number of peers is reached.
    pub const TOO_MANY_NODES: Self = Self(0xc000_020e_u32.cast_signed());

    /// The OID is not supported.
    pub const INVALID_OID: Self = Self(nt_sys::ndis::NDIS_STATUS_INVALID_OID);
    /// The value of an OID is invalid.
    pub const INVALID_DATA: Self = Self(nt_sys::ndis::NDIS_STATUS_INVALID_DATA);

    /// Whether this is a success or an information (`NT_SUCCESS`).
    #[must_use]
    pub const fn is_success(self) -> bool {
        NT_SUCCESS(self.0)
    }

    /// Whether this is an error (`NT_ERROR`), not a success, an information or a warning.
    #[must_use]
    pub const fn is_error(self) -> bool {
        self.0.cast_unsigned() >> 30 == 3
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
