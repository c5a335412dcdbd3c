//! WskControlSocket: options and I/O controls of a datagram socket.

use std::sync::atomic::{AtomicU32, Ordering};

use nt_sys::io::IRP;
use nt_sys::ntdef::{NTSTATUS, PVOID, SIZE_T, ULONG};
use nt_sys::status::{
    STATUS_EVENT_PENDING, STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_DEVICE_STATE,
    STATUS_INVALID_PARAMETER, STATUS_NOT_SUPPORTED, STATUS_PENDING, STATUS_SUCCESS,
};
use nt_sys::wsk::{
    IP_DONTFRAGMENT, IP_MTU_DISCOVER, IP_PKTINFO, IP_PMTUDISC_DO, IP_PMTUDISC_DONT,
    IP_PMTUDISC_NOT_SET, IP_PMTUDISC_PROBE, IP_RECVECN, IPPROTO_IP, IPPROTO_IPV6, IPPROTO_UDP,
    IPV6_DONTFRAG, IPV6_MTU_DISCOVER, IPV6_PKTINFO, IPV6_RECVECN, IPV6_V6ONLY,
    SIO_WSK_SET_SENDTO_ADDRESS, SO_RCVBUF, SO_SNDBUF, SO_WSK_EVENT_CALLBACK, SOL_SOCKET,
    UDP_RECV_MAX_COALESCED_SIZE, UDP_SEND_MSG_SIZE, WSK_CONTROL_SOCKET_TYPE, WSK_EVENT_DISABLE,
    WSK_EVENT_RECEIVE_FROM, WSK_SOCKET, WskGetOption, WskIoctl, WskSetOption,
};

use super::address::Address;
use super::argument::{bytes, event_mask};
use super::error::{last_errno, status_of};
use super::linux_socket::set_option;
use super::receive;
use super::request::Request;
use super::socket::Socket;
use crate::stack;
use crate::violation::{Rule, stop};

/// wsk.h, PFN_WSK_CONTROL_SOCKET.
#[expect(non_upper_case_globals, reason = "the names of wsk.h")]
pub(super) unsafe extern "efiapi" fn control_socket(
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
) -> NTSTATUS {
    let _host = stack::leave_driver_code();
    // SAFETY: as the caller promises.
    let call = unsafe { Socket::enter("WskControlSocket", socket) };
    let socket = call.socket;
    // SAFETY: as the caller promises.
    let mut request = unsafe { Request::accept_optional("WskControlSocket", irp) };
    // SAFETY: as the caller promises.
    let input = unsafe { bytes(input_buffer, input_size) };
    let mut returned = 0;
    let status = match (request_type, level, control_code) {
        (WskSetOption, SOL_SOCKET, SO_WSK_EVENT_CALLBACK) => {
            match set_receive_event(socket, input, &mut request) {
                // The socket's thread completes the request.
                STATUS_PENDING => return STATUS_PENDING,
                status => status,
            }
        }
        (WskIoctl, _, SIO_WSK_SET_SENDTO_ADDRESS) => set_destination(socket, input),
        (WskIoctl, ..) => STATUS_NOT_SUPPORTED,
        // A transport's option is passed to the transport, which needs an IRP.
        (WskSetOption | WskGetOption, ..) if request.is_none() => stop(
            Rule::BAD_ARGUMENT,
            "WskControlSocket",
            format_args!("an option of the transport needs an IRP"),
        ),
        (WskSetOption, level, option) => match integer(input) {
            Some(value) => set(socket, level, option, value),
            None => STATUS_INVALID_PARAMETER,
        },
        (WskGetOption, level, option) => match get(socket, level, option) {
            Ok(value) if output_size >= size_of::<ULONG>() && !output_buffer.is_null() => {
                // SAFETY: as the caller promises, and the size was checked.
                unsafe { output_buffer.cast::<ULONG>().write_unaligned(value) };
                returned = size_of::<ULONG>();
                STATUS_SUCCESS
            }
            Ok(_) => STATUS_INVALID_PARAMETER,
            Err(status) => status,
        },
        _ => STATUS_INVALID_PARAMETER,
    };
    if !output_size_returned.is_null() {
        // SAFETY: as the caller promises.
        unsafe { output_size_returned.write(returned) };
    }
    match request {
        Some(request) => call.complete(request, status, returned),
        None => status,
    }
}

/// SO_WSK_EVENT_CALLBACK. With STATUS_PENDING, the request was taken.
fn set_receive_event(socket: &Socket, input: &[u8], request: &mut Option<Request>) -> NTSTATUS {
    let mut life = socket.life();
    // "It must do so after the socket has been bound" (SO_WSK_EVENT_CALLBACK).
    if !life.bound {
        return STATUS_INVALID_DEVICE_STATE;
    }
    match event_mask(input) {
        Some(WSK_EVENT_RECEIVE_FROM) => {
            if request.is_some() {
                stop(
                    Rule::BAD_ARGUMENT,
                    "WskControlSocket",
                    format_args!("an IRP was passed to enable an event"),
                );
            }
            if socket.receive_event.is_none() {
                return STATUS_INVALID_PARAMETER;
            }
            life.enabled = true;
            if !stack::on_host(|| receive::start(socket, &mut life)) {
                return STATUS_INSUFFICIENT_RESOURCES;
            }
            drop(life);
            socket.changed.notify_all();
            STATUS_SUCCESS
        }
        Some(mask) if mask == WSK_EVENT_RECEIVE_FROM | WSK_EVENT_DISABLE => {
            if life.always_enabled {
                return STATUS_INVALID_PARAMETER;
            }
            life.enabled = false;
            if !life.in_callback {
                return STATUS_SUCCESS;
            }
            match request.take() {
                Some(request) => {
                    life.disabling = Some(request);
                    STATUS_PENDING
                }
                None => STATUS_EVENT_PENDING,
            }
        }
        _ => STATUS_INVALID_PARAMETER,
    }
}

/// SIO_WSK_SET_SENDTO_ADDRESS.
fn set_destination(socket: &Socket, input: &[u8]) -> NTSTATUS {
    if !socket.is_bound() {
        return STATUS_INVALID_DEVICE_STATE;
    }
    if input.len() < socket.family.address_bytes() {
        return STATUS_INVALID_PARAMETER;
    }
    // SAFETY: the length was checked.
    match unsafe { Address::read(socket.family, input.as_ptr().cast()) } {
        Some(address) => {
            socket.sends.set_destination(address);
            STATUS_SUCCESS
        }
        None => STATUS_INVALID_PARAMETER,
    }
}

fn set(socket: &Socket, level: ULONG, option: ULONG, value: ULONG) -> NTSTATUS {
    if let Some(own) = own_option(socket, level, option) {
        own.store(value, Ordering::Release);
        return STATUS_SUCCESS;
    }
    let Some((level, option, mapping)) = linux_option(level, option) else {
        return STATUS_NOT_SUPPORTED;
    };
    let Some(value) = mapping.to_linux(value) else {
        return STATUS_INVALID_PARAMETER;
    };
    match set_option(socket.descriptor(), level, option, value) {
        Ok(()) => STATUS_SUCCESS,
        Err(errno) => status_of(errno),
    }
}

fn get(socket: &Socket, level: ULONG, option: ULONG) -> Result<ULONG, NTSTATUS> {
    if let Some(own) = own_option(socket, level, option) {
        return Ok(own.load(Ordering::Acquire));
    }
    let (level, option, mapping) = linux_option(level, option).ok_or(STATUS_NOT_SUPPORTED)?;
    let mut value = 0_i32;
    let mut length = size_of::<i32>() as libc::socklen_t;
    let (value_pointer, length_pointer) = ((&raw mut value).cast(), &raw mut length);
    // SAFETY: the value is writable for its length.
    let result = unsafe {
        libc::getsockopt(socket.descriptor(), level, option, value_pointer, length_pointer)
    };
    if result == 0 { Ok(mapping.to_windows(value)) } else { Err(status_of(last_errno())) }
}

/// The location of an option that Linux does not have.
fn own_option(socket: &Socket, level: ULONG, option: ULONG) -> Option<&AtomicU32> {
    match (level, option) {
        (IPPROTO_UDP, UDP_RECV_MAX_COALESCED_SIZE) => Some(&socket.coalesced_bytes),
        (IPPROTO_UDP, UDP_SEND_MSG_SIZE) => Some(&socket.sends.segment_bytes),
        _ => None,
    }
}

/// The translation of an option's value.
#[derive(Clone, Copy)]
enum Mapping {
    /// A boolean.
    Switch,
    /// A number.
    Same,
    /// `IP_PMTUDISC_*`.
    PathMtu,
    /// A boolean "don't fragment" on Windows, path MTU discovery on Linux.
    DontFragment,
}

impl Mapping {
    fn to_linux(self, value: ULONG) -> Option<i32> {
        match (self, value) {
            (Self::Switch, value) => Some(i32::from(value != 0)),
            (Self::Same, value) => i32::try_from(value).ok(),
            (Self::PathMtu, IP_PMTUDISC_NOT_SET | IP_PMTUDISC_DONT) | (Self::DontFragment, 0) => {
                Some(libc::IP_PMTUDISC_DONT)
            }
            (Self::PathMtu, IP_PMTUDISC_DO) | (Self::DontFragment, _) => Some(libc::IP_PMTUDISC_DO),
            (Self::PathMtu, IP_PMTUDISC_PROBE) => Some(libc::IP_PMTUDISC_PROBE),
            (Self::PathMtu, _) => None,
        }
    }

    fn to_windows(self, value: i32) -> ULONG {
        match (self, value) {
            (Self::Switch, value) => ULONG::from(value != 0),
            (Self::Same, value) => value.cast_unsigned(),
            (Self::PathMtu, libc::IP_PMTUDISC_DO) => IP_PMTUDISC_DO,
            (Self::PathMtu, libc::IP_PMTUDISC_PROBE) => IP_PMTUDISC_PROBE,
            (Self::PathMtu, _) => IP_PMTUDISC_DONT,
            (Self::DontFragment, value) => ULONG::from(value != libc::IP_PMTUDISC_DONT),
        }
    }
}

/// The level and the number of an option on Linux.
fn linux_option(level: ULONG, option: ULONG) -> Option<(i32, i32, Mapping)> {
    Some(match (level, option) {
        (SOL_SOCKET, SO_SNDBUF) => (libc::SOL_SOCKET, libc::SO_SNDBUF, Mapping::Same),
        (SOL_SOCKET, SO_RCVBUF) => (libc::SOL_SOCKET, libc::SO_RCVBUF, Mapping::Same),
        (IPPROTO_IP, IP_PKTINFO) => (libc::IPPROTO_IP, libc::IP_PKTINFO, Mapping::Switch),
        (IPPROTO_IP, IP_RECVECN) => (libc::IPPROTO_IP, libc::IP_RECVTOS, Mapping::Switch),
        (IPPROTO_IP, IP_DONTFRAGMENT) => {
            (libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, Mapping::DontFragment)
        }
        (IPPROTO_IP, IP_MTU_DISCOVER) => {
            (libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, Mapping::PathMtu)
        }
        (IPPROTO_IPV6, IPV6_PKTINFO) => {
            (libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO, Mapping::Switch)
        }
        (IPPROTO_IPV6, IPV6_RECVECN) => {
            (libc::IPPROTO_IPV6, libc::IPV6_RECVTCLASS, Mapping::Switch)
        }
        (IPPROTO_IPV6, IPV6_DONTFRAG) => {
            (libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER, Mapping::DontFragment)
        }
        (IPPROTO_IPV6, IPV6_MTU_DISCOVER) => {
            (libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER, Mapping::PathMtu)
        }
        (IPPROTO_IPV6, IPV6_V6ONLY) => (libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, Mapping::Switch),
        _ => return None,
    })
}

fn integer(input: &[u8]) -> Option<ULONG> {
    match *input {
        [a, b, c, d] => Some(ULONG::from_ne_bytes([a, b, c, d])),
        // Some callers pass a BOOLEAN for a switch.
        [a] => Some(ULONG::from(a)),
        _ => None,
    }
}
