//! Structures that a WSK application passes to WSK.

use super::{CMSGHDR, SOCKADDR, WSK_BUF};
use crate::ntdef::{GUID, KSPIN_LOCK, NTSTATUS, PVOID, SIZE_T, ULONG, ULONGLONG, USHORT};

/// The application's side of an attachment to WSK.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct WSK_CLIENT_NPI {
    /// Passed to `WskClientEvent`.
    pub ClientContext: PVOID,
    /// Must outlive the registration.
    pub Dispatch: *const WSK_CLIENT_DISPATCH,
}

/// The application's functions for events of no socket.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct WSK_CLIENT_DISPATCH {
    /// The requested NPI version, by `MAKE_WSK_VERSION`.
    pub Version: USHORT,
    /// Zero.
    pub Reserved: USHORT,
    /// May be null.
    pub WskClientEvent: PFN_WSK_CLIENT_EVENT,
}

/// An application's registration; its content belongs to WSK.
#[repr(C)]
pub struct WSK_REGISTRATION {
    /// Reserved for WSK.
    pub ReservedRegistrationState: ULONGLONG,
    /// Reserved for WSK.
    pub ReservedRegistrationContext: PVOID,
    /// Reserved for WSK.
    pub ReservedRegistrationLock: KSPIN_LOCK,
}

/// The application's functions for a datagram socket.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct WSK_CLIENT_DATAGRAM_DISPATCH {
    /// May be null when the event is never enabled.
    pub WskReceiveFromEvent: PFN_WSK_RECEIVE_FROM_EVENT,
}

/// A received datagram; a link of a list.
#[repr(C)]
pub struct WSK_DATAGRAM_INDICATION {
    /// The next datagram, or null.
    pub Next: *mut WSK_DATAGRAM_INDICATION,
    /// The payload.
    pub Buffer: WSK_BUF,
    /// Control data objects, or null.
    pub ControlInfo: *mut CMSGHDR,
    /// Size of `ControlInfo`, in bytes.
    pub ControlInfoLength: ULONG,
    /// The source address.
    pub RemoteAddress: *mut SOCKADDR,
}

/// Enables or disables event callbacks: `SO_WSK_EVENT_CALLBACK`, `WSK_SET_STATIC_EVENT_CALLBACKS`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct WSK_EVENT_CALLBACK_CONTROL {
    /// `&NPI_WSK_INTERFACE_ID` for WSK's own events.
    pub NpiId: *const GUID,
    /// `WSK_EVENT_*`.
    pub EventMask: ULONG,
}

/// `WskClientEvent`, at `<= DISPATCH_LEVEL`.
pub type PFN_WSK_CLIENT_EVENT = Option<
    unsafe extern "efiapi" fn(
        client_context: PVOID,
        event_type: ULONG,
        information: PVOID,
        information_length: SIZE_T,
    ) -> NTSTATUS,
>;

/// `WskReceiveFromEvent`, at `<= DISPATCH_LEVEL`; a null `data_indication` means that the
/// socket has failed.
pub type PFN_WSK_RECEIVE_FROM_EVENT = Option<
    unsafe extern "efiapi" fn(
        socket_context: PVOID,
        flags: ULONG,
        data_indication: *mut WSK_DATAGRAM_INDICATION,
    ) -> NTSTATUS,
>;

/// Flag of event callbacks: the callback runs at `DISPATCH_LEVEL`.
pub const WSK_FLAG_AT_DISPATCH_LEVEL: ULONG = 0x0000_0008;
/// Flag of event callbacks: release retained data soon.
pub const WSK_FLAG_RELEASE_ASAP: ULONG = 0x0000_0002;

/// `WskReceiveFromEvent` of datagram sockets.
pub const WSK_EVENT_RECEIVE_FROM: ULONG = 0x0000_0100;
/// Disables the one event that it is combined with.
pub const WSK_EVENT_DISABLE: ULONG = 0x8000_0000;
