//! Sending: WskSendTo and WskSendMessages.

use std::cell::RefCell;
use std::sync::atomic::Ordering;

use nt_sys::io::IRP;
use nt_sys::ntdef::{NTSTATUS, ULONG};
use nt_sys::status::{
    STATUS_CANCELLED, STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_DEVICE_STATE,
    STATUS_INVALID_PARAMETER, STATUS_PENDING, STATUS_SUCCESS,
};
use nt_sys::wsk::{CMSGHDR, SOCKADDR, WSK_BUF, WSK_BUF_LIST, WSK_SOCKET};

use super::address::Address;
use super::ancillary;
use super::argument::bytes;
use super::datagram::{BadBuffer, Datagrams, Messages};
use super::error::{is_icmp_echo, last_errno, status_of};
use super::request::Request;
use super::send_queue::{Transmission, Waiter};
use super::socket::Socket;
use crate::violation::{Rule, stop};
use crate::{pool, stack};

// SAFETY 1: the driver passes what the DDI page of WskSendTo or WskSendMessages says: valid
//           pointers, and buffers that stay until the IRP is completed.

/// The number of ICMP errors that a send may encounter before it fails.
const ICMP_RETRIES: usize = 8;

thread_local! {
    /// Buffers of this thread's sends, which are reused.
    static SCRATCH: RefCell<(Datagrams, Messages)> = RefCell::default();
}

/// wsk.h, PFN_WSK_SEND_TO.
pub(super) unsafe extern "efiapi" fn send_to(
    socket: *mut WSK_SOCKET,
    buffer: *mut WSK_BUF,
    flags: ULONG,
    remote_address: *mut SOCKADDR,
    control_info_length: ULONG,
    control_info: *mut CMSGHDR,
    irp: *mut IRP,
) -> NTSTATUS {
    let _host = stack::leave_driver_code();
    let arguments = Arguments { flags, remote_address, control_info_length, control_info };
    let collect = |datagrams: &mut Datagrams, segment_bytes| {
        // SAFETY: 1.
        let buffer = unsafe { &*buffer };
        // SAFETY: 1.
        unsafe { datagrams.push(buffer, segment_bytes) }
    };
    // SAFETY: 1.
    unsafe { send("WskSendTo", socket, buffer.is_null(), arguments, irp, collect) }
}

/// wsk.h, PFN_WSK_SEND_MESSAGES.
pub(super) unsafe extern "efiapi" fn send_messages(
    socket: *mut WSK_SOCKET,
    buffer_list: *mut WSK_BUF_LIST,
    flags: ULONG,
    remote_address: *mut SOCKADDR,
    control_info_length: ULONG,
    control_info: *mut CMSGHDR,
    irp: *mut IRP,
) -> NTSTATUS {
    let _host = stack::leave_driver_code();
    let arguments = Arguments { flags, remote_address, control_info_length, control_info };
    let collect = |datagrams: &mut Datagrams, segment_bytes| {
        // SAFETY: 1.
        unsafe { datagrams.push_list(buffer_list, segment_bytes) }
    };
    // SAFETY: 1.
    unsafe { send("WskSendMessages", socket, buffer_list.is_null(), arguments, irp, collect) }
}

/// The common arguments of both functions.
#[derive(Clone, Copy)]
struct Arguments {
    flags: ULONG,
    remote_address: *mut SOCKADDR,
    control_info_length: ULONG,
    control_info: *mut CMSGHDR,
}

/// Sends what `collect` collects.
///
/// # Safety
/// The pointers are as documented for the function.
unsafe fn send(
    function: &'static str,
    socket: *mut WSK_SOCKET,
    is_empty: bool,
    arguments: Arguments,
    irp: *mut IRP,
    collect: impl FnOnce(&mut Datagrams, Option<usize>) -> Result<(), BadBuffer>,
) -> NTSTATUS {
    // SAFETY: 1.
    let call = unsafe { Socket::enter(function, socket) };
    let socket = call.socket;
    // SAFETY: 1.
    let request = unsafe { Request::accept(function, irp) };
    if is_empty {
        stop(Rule::BAD_ARGUMENT, function, format_args!("there is no buffer"));
    }
    if !pool::admit() {
        return call.complete(request, STATUS_INSUFFICIENT_RESOURCES, 0);
    }
    // SAFETY: 1.
    let (mut transmission, segment_bytes) = match unsafe { Transmission::new(socket, arguments) } {
        Ok(new) => new,
        Err(status) => return call.complete(request, status, 0),
    };
    let result = stack::on_host(|| {
        SCRATCH.with_borrow_mut(|(datagrams, messages)| {
            datagrams.clear();
            if collect(datagrams, segment_bytes).is_err() {
                stop(
                    Rule::BAD_ARGUMENT,
                    function,
                    format_args!("a WSK_BUF is longer than its MDL chain"),
                );
            }
            // Earlier requests go first.
            if socket.sends.queued.load(Ordering::Acquire) == 0 {
                match transmission.go_on(socket, datagrams, messages) {
                    Progress::Done(status) => return Ok((request, status, transmission.bytes)),
                    Progress::Blocked => {}
                }
            }
            let datagrams = std::mem::take(datagrams);
            let waiter = Box::new(Waiter { request, datagrams, transmission });
            match wait(socket, waiter) {
                Ok(()) => Err(STATUS_PENDING),
                Err(waiter) => {
                    let bytes = waiter.transmission.bytes;
                    Ok((waiter.request, STATUS_INSUFFICIENT_RESOURCES, bytes))
                }
            }
        })
    });
    match result {
        Ok((request, status, bytes)) => call.complete(request, status, bytes),
        Err(pending) => pending,
    }
}

/// The result of an attempt to send.
enum Progress {
    Done(NTSTATUS),
    /// The socket buffer is full.
    Blocked,
}

impl Transmission {
    /// Creates a transmission from a request's arguments. The second value is the segment size of
    /// its buffers, if any.
    ///
    /// # Safety
    /// The pointers are as documented for the function.
    unsafe fn new(
        socket: &Socket,
        arguments: Arguments,
    ) -> Result<(Self, Option<usize>), NTSTATUS> {
        if arguments.flags != 0 {
            return Err(STATUS_INVALID_PARAMETER);
        }
        if !socket.is_bound() {
            return Err(STATUS_INVALID_DEVICE_STATE);
        }
        let remote = if arguments.remote_address.is_null() {
            socket.sends.waiting().destination
        } else {
            // SAFETY: 1.
            unsafe { Address::read(socket.family, arguments.remote_address) }
        };
        let remote = remote.ok_or(STATUS_INVALID_PARAMETER)?;
        let length = arguments.control_info_length as usize;
        // SAFETY: 1.
        let control = unsafe { bytes(arguments.control_info.cast(), length) };
        let outgoing =
            ancillary::outgoing(control, &remote).map_err(|_| STATUS_INVALID_PARAMETER)?;
        let segment_bytes = outgoing.segment_bytes.or_else(|| {
            let bytes = socket.sends.segment_bytes.load(Ordering::Acquire);
            (bytes != 0).then_some(bytes as usize)
        });
        let transmission = Self {
            remote,
            control: outgoing.control,
            next: 0,
            bytes: 0,
            single_until: 0,
            refused_bytes: None,
            icmp_retries: 0,
        };
        Ok((transmission, segment_bytes))
    }

    /// Sends as much as possible without waiting.
    fn go_on(
        &mut self,
        socket: &Socket,
        datagrams: &mut Datagrams,
        messages: &mut Messages,
    ) -> Progress {
        while self.next < datagrams.len() {
            let headers = messages.prepare(
                datagrams,
                self.next,
                self.single_until,
                socket.sends.uncut_bytes(),
                &self.remote,
                &self.control,
            );
            let (pointer, count) = (headers.as_mut_ptr(), headers.len() as u32);
            let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
            // SAFETY: the headers describe memory that stays valid during the call.
            let sent = unsafe { libc::sendmmsg(socket.descriptor(), pointer, count, flags) };
            let Ok(sent) = usize::try_from(sent) else {
                let first = messages.contents.first().copied();
                let cut_at = first.and_then(|content| content.segment_bytes);
                match (last_errno(), cut_at) {
                    (libc::EINTR, _) => {}
                    (libc::EAGAIN, _) => return Progress::Blocked,
                    // This route cannot segment: it has no checksum offload (EIO), or the segments
                    // exceed its MTU.
                    (errno @ (libc::EIO | libc::EINVAL | libc::EMSGSIZE), Some(bytes)) => {
                        self.single_until =
                            self.next + first.map_or(1, |content| content.datagrams);
                        self.refused_bytes = Some(if errno == libc::EIO { 0 } else { bytes });
                    }
                    (errno, _) if is_icmp_echo(errno) && self.icmp_retries < ICMP_RETRIES => {
                        self.icmp_retries += 1;
                    }
                    (errno, _) => return Progress::Done(status_of(errno)),
                }
                continue;
            };
            for content in messages.contents.iter().take(sent) {
                self.next += content.datagrams;
                self.bytes += content.bytes;
            }
            // The send without segmentation succeeded, so the segmentation was the cause.
            if let Some(bytes) = self.refused_bytes.take_if(|_| sent > 0) {
                socket.sends.refuse_cutting(bytes);
            }
        }
        Progress::Done(STATUS_SUCCESS)
    }
}

/// Queues a request for the socket's sender thread, and starts the thread if necessary. Returns the
/// request if there can be no thread.
fn wait(socket: &Socket, waiter: Box<Waiter>) -> Result<(), Box<Waiter>> {
    let mut waiting = socket.sends.waiting();
    if !waiting.has_thread {
        let Some(shared) = socket.share() else { return Err(waiter) };
        socket.life().threads += 1;
        let started = std::thread::Builder::new().name("wsk-send".into()).spawn(move || {
            run(&shared);
            shared.life().threads -= 1;
            shared.finish_if_idle();
        });
        if started.is_err() {
            socket.life().threads -= 1;
            return Err(waiter);
        }
        waiting.has_thread = true;
    }
    waiting.requests.push_back(waiter);
    socket.sends.queued.fetch_add(1, Ordering::AcqRel);
    drop(waiting);
    socket.sends.changed.notify_all();
    Ok(())
}

/// The sender thread, which waits where callers must not.
fn run(socket: &Socket) {
    let mut messages = Messages::default();
    loop {
        let is_closing = socket.life().is_closing;
        let mut waiting = socket.sends.waiting();
        let Some(mut waiter) = waiting.requests.pop_front() else {
            if is_closing {
                return;
            }
            // A notification can come between the check and the wait, so the wait is bounded.
            let limit = std::time::Duration::from_millis(50);
            drop(socket.sends.changed.wait_timeout(waiting, limit));
            continue;
        };
        drop(waiting);
        let status = transmit(socket, &mut waiter, &mut messages);
        socket.sends.queued.fetch_sub(1, Ordering::AcqRel);
        waiter.request.complete(status, waiter.transmission.bytes);
    }
}

/// Sends a request and waits for room. The request is cancelled if the socket is being closed.
fn transmit(socket: &Socket, waiter: &mut Waiter, messages: &mut Messages) -> NTSTATUS {
    loop {
        if socket.life().is_closing {
            return STATUS_CANCELLED;
        }
        match waiter.transmission.go_on(socket, &mut waiter.datagrams, messages) {
            Progress::Done(status) => return status,
            Progress::Blocked => {
                let mut poll =
                    libc::pollfd { fd: socket.descriptor(), events: libc::POLLOUT, revents: 0 };
                // SAFETY: one entry, writable.
                unsafe { libc::poll(&raw mut poll, 1, 50) };
            }
        }
    }
}
