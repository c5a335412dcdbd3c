//! Structures that WSK passes to an application.

use super::{CMSGHDR, SOCKADDR, WSK_DATAGRAM_INDICATION};
use crate::io::IRP;
use crate::mm::MDL;
use crate::ntdef::{GUID, NTSTATUS, PVOID, SIZE_T, ULONG, USHORT};
use core::ffi::c_void;

/// WSK's side of an attachment.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct WSK_PROVIDER_NPI {
    /// The client object (`PWSK_CLIENT`), opaque.
    pub Client: PVOID,
    /// WSK's functions of no socket.
    pub Dispatch: *const WSK_PROVIDER_DISPATCH,
}

/// WSK's functions of no socket (version 1.0 of the NPI on Windows 7 and later).
#[repr(C)]
pub struct WSK_PROVIDER_DISPATCH {
    /// The NPI version in use.
    pub Version: USHORT,
    /// Reserved.
    pub Reserved: USHORT,
    /// Creates a socket.
    pub WskSocket: PFN_WSK_SOCKET,
    /// Not declared further: stream sockets only.
    pub WskSocketConnect: *const c_void,
    /// Control operations on the client object.
    pub WskControlClient: PFN_WSK_CONTROL_CLIENT,
    /// Not declared further.
    pub WskGetAddressInfo: *const c_void,
    /// Not declared further.
    pub WskFreeAddressInfo: *const c_void,
    /// Not declared further.
    pub WskGetNameInfo: *const c_void,
}

// SAFETY: the table consists of function pointers, and is not written to.
unsafe impl Sync for WSK_PROVIDER_DISPATCH {}

/// A socket object.
#[repr(C)]
pub struct WSK_SOCKET {
    /// The socket's functions: for a datagram socket a `WSK_PROVIDER_DATAGRAM_DISPATCH`.
    pub Dispatch: *const c_void,
}

/// The functions of every socket.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct WSK_PROVIDER_BASIC_DISPATCH {
    /// Socket options and I/O controls.
    pub WskControlSocket: PFN_WSK_CONTROL_SOCKET,
    /// Closes the socket.
    pub WskCloseSocket: PFN_WSK_CLOSE_SOCKET,
}

/// The functions of a datagram socket.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct WSK_PROVIDER_DATAGRAM_DISPATCH {
    /// The functions of every socket.
    pub Basic: WSK_PROVIDER_BASIC_DISPATCH,
    /// Binds to a local address.
    pub WskBind: PFN_WSK_BIND,
    /// Sends one datagram.
    pub WskSendTo: PFN_WSK_SEND_TO,
    /// Receives one datagram.
    pub WskReceiveFrom: PFN_WSK_RECEIVE_FROM,
    /// Releases retained datagrams.
    pub WskRelease: PFN_WSK_RELEASE_DATAGRAM_INDICATION_LIST,
    /// The local address.
    pub WskGetLocalAddress: PFN_WSK_GET_LOCAL_ADDRESS,
    /// Sends many datagrams to one address.
    pub WskSendMessages: PFN_WSK_SEND_MESSAGES,
}

/// Part of an MDL chain.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct WSK_BUF {
    /// The first MDL of the chain.
    pub Mdl: *mut MDL,
    /// Offset into the first MDL, in bytes.
    pub Offset: ULONG,
    /// Length, in bytes.
    pub Length: SIZE_T,
}

/// A link of a list of buffers, one datagram each.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct WSK_BUF_LIST {
    /// The next buffer, or null.
    pub Next: *mut WSK_BUF_LIST,
    /// The datagram.
    pub Buffer: WSK_BUF,
}

/// One of the transports that `WSK_TRANSPORT_LIST_QUERY` lists.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct WSK_TRANSPORT {
    /// The format depends on the transport.
    pub Version: USHORT,
    /// `SOCK_*`.
    pub SocketType: USHORT,
    /// `IPPROTO_*`.
    pub Protocol: ULONG,
    /// `AF_*`.
    pub AddressFamily: USHORT,
    /// The provider.
    pub ProviderId: GUID,
}

/// The operation of `WskControlSocket`.
pub type WSK_CONTROL_SOCKET_TYPE = i32;
/// Sets a socket option.
pub const WskSetOption: WSK_CONTROL_SOCKET_TYPE = 0;
/// Reads a socket option.
pub const WskGetOption: WSK_CONTROL_SOCKET_TYPE = 1;
/// Performs an I/O control operation.
pub const WskIoctl: WSK_CONTROL_SOCKET_TYPE = 2;

/// `WskSocket`; on success `IoStatus.Information` of the IRP is the `WSK_SOCKET`.
pub type PFN_WSK_SOCKET = Option<
    unsafe extern "efiapi" fn(
        client: PVOID,
        address_family: USHORT,
        socket_type: USHORT,
        protocol: ULONG,
        flags: ULONG,
        socket_context: PVOID,
        dispatch: *const c_void,
        owning_process: PVOID,
        owning_thread: PVOID,
        security_descriptor: PVOID,
        irp: *mut IRP,
    ) -> NTSTATUS,
>;

/// `WskControlClient`.
pub type PFN_WSK_CONTROL_CLIENT = Option<
    unsafe extern "efiapi" fn(
        client: PVOID,
        control_code: ULONG,
        input_size: SIZE_T,
        input_buffer: PVOID,
        output_size: SIZE_T,
        output_buffer: PVOID,
        output_size_returned: *mut SIZE_T,
        irp: *mut IRP,
    ) -> NTSTATUS,
>;

/// `WskControlSocket`.
pub type PFN_WSK_CONTROL_SOCKET = Option<
    unsafe extern "efiapi" fn(
        socket: *mut WSK_SOCKET,
        request_type: WSK_CONTROL_SOCKET_TYPE,
        control_code: ULONG,
        level: ULONG,
        input_size: SIZE_T,
        input_buffer: PVOID,
        output_size: SIZE_T,
        output_buffer: PVOID,
        output_size_returned: *mut SIZE_T,
        irp: *mut IRP,
    ) -> NTSTATUS,
>;

/// `WskCloseSocket`.
pub type PFN_WSK_CLOSE_SOCKET =
    Option<unsafe extern "efiapi" fn(socket: *mut WSK_SOCKET, irp: *mut IRP) -> NTSTATUS>;

/// `WskBind`.
pub type PFN_WSK_BIND = Option<
    unsafe extern "efiapi" fn(
        socket: *mut WSK_SOCKET,
        local_address: *mut SOCKADDR,
        flags: ULONG,
        irp: *mut IRP,
    ) -> NTSTATUS,
>;

/// `WskSendTo`; on success `IoStatus.Information` of the IRP is the number of bytes sent.
pub type PFN_WSK_SEND_TO = Option<
    unsafe extern "efiapi" fn(
        socket: *mut WSK_SOCKET,
        buffer: *mut WSK_BUF,
        flags: ULONG,
        remote_address: *mut SOCKADDR,
        control_info_length: ULONG,
        control_info: *mut CMSGHDR,
        irp: *mut IRP,
    ) -> NTSTATUS,
>;

/// `WskReceiveFrom`; on success `IoStatus.Information` of the IRP is the number of bytes received.
pub type PFN_WSK_RECEIVE_FROM = Option<
    unsafe extern "efiapi" fn(
        socket: *mut WSK_SOCKET,
        buffer: *mut WSK_BUF,
        flags: ULONG,
        remote_address: *mut SOCKADDR,
        control_length: *mut ULONG,
        control_info: *mut CMSGHDR,
        control_flags: *mut ULONG,
        irp: *mut IRP,
    ) -> NTSTATUS,
>;

/// `WskRelease` of datagram sockets.
pub type PFN_WSK_RELEASE_DATAGRAM_INDICATION_LIST = Option<
    unsafe extern "efiapi" fn(
        socket: *mut WSK_SOCKET,
        datagram_indication: *mut WSK_DATAGRAM_INDICATION,
    ) -> NTSTATUS,
>;

/// `WskGetLocalAddress`.
pub type PFN_WSK_GET_LOCAL_ADDRESS = Option<
    unsafe extern "efiapi" fn(
        socket: *mut WSK_SOCKET,
        local_address: *mut SOCKADDR,
        irp: *mut IRP,
    ) -> NTSTATUS,
>;

/// `WskSendMessages`; on success `IoStatus.Information` of the IRP is the number of bytes sent.
pub type PFN_WSK_SEND_MESSAGES = Option<
    unsafe extern "efiapi" fn(
        socket: *mut WSK_SOCKET,
        buffer_list: *mut WSK_BUF_LIST,
        flags: ULONG,
        remote_address: *mut SOCKADDR,
        control_info_length: ULONG,
        control_info: *mut CMSGHDR,
        irp: *mut IRP,
    ) -> NTSTATUS,
>;

/// Socket category of `WskSocket`: options and I/O controls only.
pub const WSK_FLAG_BASIC_SOCKET: ULONG = 0x0000_0000;
/// Socket category of `WskSocket`: datagrams.
pub const WSK_FLAG_DATAGRAM_SOCKET: ULONG = 0x0000_0004;

/// Control code of `WskControlClient`: lists the transports.
pub const WSK_TRANSPORT_LIST_QUERY: ULONG = 2;
/// Control code of `WskControlClient`: enables event callbacks on every new socket.
pub const WSK_SET_STATIC_EVENT_CALLBACKS: ULONG = 7;
/// Control code of `WskControlClient`: whether I/O may go through TDI filters.
pub const WSK_TDI_BEHAVIOR: ULONG = 8;
/// Input of `WSK_TDI_BEHAVIOR`: never go through TDI filters.
pub const WSK_TDI_BEHAVIOR_BYPASS_TDI: ULONG = 0x0000_0001;

/// Socket option at `SOL_SOCKET`: a `WSK_EVENT_CALLBACK_CONTROL`.
pub const SO_WSK_EVENT_CALLBACK: ULONG = 0x4002;
/// I/O control: a fixed destination address (`_WSAIOW(IOC_WSK, 6)`).
pub const SIO_WSK_SET_SENDTO_ADDRESS: ULONG = 0x8f00_0006;
