//! WskSocket, and the functions of a socket's dispatch table other than sending and receiving.

use std::ffi::c_void;
use std::os::fd::AsRawFd;
use std::sync::Arc;

use nt_sys::io::IRP;
use nt_sys::ntdef::{DISPATCH_LEVEL, NTSTATUS, PVOID, ULONG, USHORT};
use nt_sys::status::{
    STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_DEVICE_STATE, STATUS_INVALID_PARAMETER,
    STATUS_NOT_SUPPORTED, STATUS_PENDING, STATUS_SUCCESS,
};
use nt_sys::wsk::{
    IPPROTO_UDP, SOCK_DGRAM, SOCKADDR, WSK_CLIENT_DATAGRAM_DISPATCH, WSK_FLAG_DATAGRAM_SOCKET,
    WSK_PROVIDER_BASIC_DISPATCH, WSK_PROVIDER_DATAGRAM_DISPATCH, WSK_SOCKET,
};

use super::address::{Address, Family};
use super::client::Client;
use super::error::{last_errno, status_of};
use super::linux_socket::open_udp;
use super::mark;
use super::option;
use super::receive;
use super::request::Request;
use super::send;
use super::socket::Socket;
use crate::{irql, pool, stack};

static DISPATCH: WSK_PROVIDER_DATAGRAM_DISPATCH = WSK_PROVIDER_DATAGRAM_DISPATCH {
    Basic: WSK_PROVIDER_BASIC_DISPATCH {
        WskControlSocket: Some(option::control_socket),
        WskCloseSocket: Some(close_socket),
    },
    WskBind: Some(bind),
    WskSendTo: Some(send::send_to),
    WskReceiveFrom: Some(receive::receive_from),
    WskRelease: Some(receive::release),
    WskGetLocalAddress: Some(local_address),
    WskSendMessages: Some(send::send_messages),
};

/// wsk.h, PFN_WSK_SOCKET: UDP over IPv4 and IPv6.
pub(super) unsafe extern "efiapi" fn create_socket(
    client: PVOID,
    address_family: USHORT,
    socket_type: USHORT,
    protocol: ULONG,
    flags: ULONG,
    socket_context: PVOID,
    dispatch: *const c_void,
    _owning_process: PVOID,
    _owning_thread: PVOID,
    _security_descriptor: PVOID,
    irp: *mut IRP,
) -> NTSTATUS {
    let _host = stack::leave_driver_code();
    irql::require_at_most("WskSocket", DISPATCH_LEVEL);
    let client = Client::from_driver("WskSocket", client);
    // SAFETY: as the caller promises.
    let request = unsafe { Request::accept("WskSocket", irp) };
    let family = Family::from_windows(address_family);
    let (Some(family), SOCK_DGRAM, IPPROTO_UDP) = (family, socket_type, protocol) else {
        return request.complete(STATUS_NOT_SUPPORTED, 0);
    };
    if flags != WSK_FLAG_DATAGRAM_SOCKET {
        // Basic, listening, connection and stream sockets do not carry datagrams.
        return request.complete(STATUS_NOT_SUPPORTED, 0);
    }
    if !pool::admit() {
        return request.complete(STATUS_INSUFFICIENT_RESOURCES, 0);
    }
    let dispatch = dispatch.cast::<WSK_CLIENT_DATAGRAM_DISPATCH>();
    // SAFETY: as the caller promises: null, or the table of a datagram socket.
    let receive_event = unsafe { dispatch.as_ref() }.and_then(|table| table.WskReceiveFromEvent);
    let opened = stack::on_host(|| {
        let descriptor = open_udp(family)?;
        mark::add(descriptor.as_raw_fd())?;
        let socket = Socket::new(
            (&raw const DISPATCH).cast(),
            family,
            &client,
            descriptor,
            socket_context,
            receive_event,
        );
        let pointer = Arc::as_ptr(&socket);
        Ok::<_, i32>(pointer)
    });
    match opened {
        Ok(socket) => {
            client.socket_opened();
            request.complete(STATUS_SUCCESS, socket.expose_provenance())
        }
        Err(errno) => request.complete(status_of(errno), 0),
    }
}

/// wsk.h, PFN_WSK_BIND.
unsafe extern "efiapi" fn bind(
    socket: *mut WSK_SOCKET,
    local_address: *mut SOCKADDR,
    flags: ULONG,
    irp: *mut IRP,
) -> NTSTATUS {
    let _host = stack::leave_driver_code();
    // SAFETY: as the caller promises.
    let call = unsafe { Socket::enter("WskBind", socket) };
    let socket = call.socket;
    // SAFETY: as the caller promises.
    let request = unsafe { Request::accept("WskBind", irp) };
    // SAFETY: as the caller promises.
    let address = unsafe { Address::read(socket.family, local_address) };
    let (Some(address), 0) = (address, flags) else {
        return call.complete(request, STATUS_INVALID_PARAMETER, 0);
    };
    if socket.is_bound() {
        return call.complete(request, STATUS_INVALID_DEVICE_STATE, 0);
    }
    // SAFETY: the address is readable for its length.
    let bound = unsafe { libc::bind(socket.descriptor(), address.as_ptr(), address.length()) };
    if bound != 0 {
        return call.complete(request, status_of(last_errno()), 0);
    }
    let mut life = socket.life();
    life.bound = true;
    if socket.client.is_static_receive() && socket.receive_event.is_some() {
        life.enabled = true;
        life.always_enabled = true;
        if !stack::on_host(|| receive::start(socket, &mut life)) {
            drop(life);
            return call.complete(request, STATUS_INSUFFICIENT_RESOURCES, 0);
        }
    }
    drop(life);
    call.complete(request, STATUS_SUCCESS, 0)
}

/// wsk.h, PFN_WSK_GET_LOCAL_ADDRESS.
unsafe extern "efiapi" fn local_address(
    socket: *mut WSK_SOCKET,
    local_address: *mut SOCKADDR,
    irp: *mut IRP,
) -> NTSTATUS {
    let _host = stack::leave_driver_code();
    // SAFETY: as the caller promises.
    let call = unsafe { Socket::enter("WskGetLocalAddress", socket) };
    let socket = call.socket;
    // SAFETY: as the caller promises.
    let request = unsafe { Request::accept("WskGetLocalAddress", irp) };
    if !socket.is_bound() {
        return call.complete(request, STATUS_INVALID_DEVICE_STATE, 0);
    }
    let mut address = Address::unspecified(socket.family);
    let mut length = address.length();
    let (pointer, length) = (address.as_mut_ptr(), &raw mut length);
    // SAFETY: the address is writable for its length.
    let result = unsafe { libc::getsockname(socket.descriptor(), pointer, length) };
    if result != 0 {
        return call.complete(request, status_of(last_errno()), 0);
    }
    // SAFETY: as the caller promises.
    unsafe { address.write(local_address) };
    call.complete(request, STATUS_SUCCESS, 0)
}

/// wsk.h, PFN_WSK_CLOSE_SOCKET. The IRP is completed when no callback runs, no send is pending and
/// no indication is retained.
unsafe extern "efiapi" fn close_socket(socket: *mut WSK_SOCKET, irp: *mut IRP) -> NTSTATUS {
    let _host = stack::leave_driver_code();
    // SAFETY: as the caller promises.
    let call = unsafe { Socket::enter("WskCloseSocket", socket) };
    let socket = call.socket;
    // SAFETY: as the caller promises.
    let request = unsafe { Request::accept("WskCloseSocket", irp) };
    socket.begin_close(request);
    // Wakes the threads. Linux shuts an unconnected UDP socket down, although the call then reports
    // that it is not connected. SAFETY: the descriptor is open until the socket is finished.
    unsafe { libc::shutdown(socket.descriptor(), libc::SHUT_RDWR) };
    socket.changed.notify_all();
    socket.released.notify_all();
    socket.sends.wake();
    drop(call);
    if socket.finish_if_idle() { STATUS_SUCCESS } else { STATUS_PENDING }
}
