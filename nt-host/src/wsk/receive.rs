//! Receiving: the receiver thread of a socket, and the release of indications.

use std::mem::zeroed;
use std::ptr;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use nt_sys::io::IRP;
use nt_sys::ntdef::{DISPATCH_LEVEL, NTSTATUS, ULONG};
use nt_sys::status::{
    STATUS_DATA_NOT_ACCEPTED, STATUS_NOT_SUPPORTED, STATUS_PENDING, STATUS_SUCCESS,
};
use nt_sys::wsk::{
    CMSGHDR, SOCKADDR, WSK_BUF, WSK_DATAGRAM_INDICATION, WSK_FLAG_AT_DISPATCH_LEVEL, WSK_SOCKET,
};

use super::address::Address;
use super::ancillary::{self, AncillaryData};
use super::buffer::{self, BadRelease, BufferPointer, DATA_BYTES, MAX_BUFFERS};
use super::error::{is_icmp_echo, last_errno};
use super::request::Request;
use super::socket::{Life, Socket};
use crate::violation::{Rule, stop};
use crate::{callback, irql, stack};

/// The maximum number of messages in one `recvmmsg`.
const MAX_MESSAGES: usize = 64;
/// The target number of datagrams in one callback: enough to amortize its cost, few enough to stay
/// in the cache.
const BATCH_DATAGRAMS: usize = 128;

/// A received message.
#[derive(Clone, Copy)]
struct Message {
    buffer: BufferPointer,
    bytes: usize,
    datagram_bytes: usize,
    control: AncillaryData,
    datagrams: usize,
}

/// Starts the receiver of a socket, unless it has one. Returns false if there can be no thread.
pub(super) fn start(socket: &Socket, life: &mut Life) -> bool {
    if life.has_receiver {
        return true;
    }
    let Some(socket) = socket.share() else { return false };
    let started = std::thread::Builder::new()
        .name("wsk-receive".into())
        .spawn(move || {
            Receiver::new(&socket).run();
            socket.life().threads -= 1;
            socket.finish_if_idle();
        })
        .is_ok();
    if started {
        life.has_receiver = true;
        life.threads += 1;
    }
    started
}

/// The state of a receiver thread.
struct Receiver<'a> {
    socket: &'a Socket,
    /// Buffers that are ready for `recvmmsg`.
    ready: Vec<BufferPointer>,
    headers: Vec<libc::mmsghdr>,
    pieces: Vec<libc::iovec>,
    controls: Vec<AncillaryData>,
    messages: Vec<Message>,
    /// The number of messages that the next `recvmmsg` may take.
    batch_messages: usize,
}

impl<'a> Receiver<'a> {
    fn new(socket: &'a Socket) -> Self {
        Self {
            socket,
            ready: Vec::with_capacity(MAX_MESSAGES),
            headers: Vec::with_capacity(MAX_MESSAGES),
            pieces: Vec::with_capacity(MAX_MESSAGES),
            controls: vec![AncillaryData::EMPTY; MAX_MESSAGES],
            messages: Vec::with_capacity(MAX_MESSAGES),
            batch_messages: MAX_MESSAGES,
        }
    }

    fn run(&mut self) {
        while self.wait_for_buffers() {
            if self.receive() && !self.indicate() {
                break;
            }
        }
        let mut buffers = self.socket.buffers();
        buffers.free.append(&mut self.ready);
    }

    /// Takes free buffers, allocates more, or waits until the driver releases some. Returns false
    /// if the socket is being closed.
    fn wait_for_buffers(&mut self) -> bool {
        loop {
            if self.socket.life().is_closing {
                return false;
            }
            let mut buffers = self.socket.buffers();
            let wanted = self.batch_messages.saturating_sub(self.ready.len());
            let kept = buffers.free.len().saturating_sub(wanted);
            self.ready.extend(buffers.free.drain(kept..));
            if !self.ready.is_empty() {
                buffers.starved = false;
                return true;
            }
            if buffers.allocated < MAX_BUFFERS
                && let Some(slab) = self.socket.client.slabs().take()
            {
                buffers.allocated += slab.len();
                buffers.free.extend(slab);
                continue;
            }
            buffers.starved = true;
            // A close notifies without holding this lock, so the wait is bounded.
            drop(
                self.socket
                    .released
                    .wait_timeout(buffers, std::time::Duration::from_millis(50))
                    .unwrap_or_else(PoisonError::into_inner),
            );
        }
    }

    /// Waits for a message and takes all that have arrived. Returns whether there is something to
    /// indicate.
    fn receive(&mut self) -> bool {
        self.headers.clear();
        self.pieces.clear();
        let count = self.ready.len().min(self.batch_messages);
        for (buffer, control) in self.ready.iter().rev().zip(&mut self.controls).take(count) {
            self.pieces.push(libc::iovec { iov_base: buffer.data().cast(), iov_len: DATA_BYTES });
            let Some(piece) = self.pieces.last_mut() else { break };
            let piece = ptr::from_mut(piece);
            // SAFETY: all zeros is a value of this C struct.
            let mut header: libc::mmsghdr = unsafe { zeroed() };
            header.msg_hdr.msg_name = buffer.remote().cast();
            header.msg_hdr.msg_namelen = self.socket.family.address_bytes() as u32;
            header.msg_hdr.msg_iov = piece;
            header.msg_hdr.msg_iovlen = 1;
            header.msg_hdr.msg_control = control.bytes.as_mut_ptr().cast();
            header.msg_hdr.msg_controllen = control.bytes.len();
            self.headers.push(header);
        }
        let (descriptor, headers) = (self.socket.descriptor(), self.headers.as_mut_ptr());
        // SAFETY: each header describes memory that stays valid during the call.
        let received = unsafe {
            libc::recvmmsg(descriptor, headers, count as u32, libc::MSG_WAITFORONE, ptr::null_mut())
        };
        let Ok(received) = usize::try_from(received) else {
            let errno = last_errno();
            if errno != libc::EINTR && !is_icmp_echo(errno) {
                // Not an expected error of a UDP socket: wait instead of spinning.
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
            return false;
        };
        if self.socket.life().is_closing {
            return false;
        }
        self.take_messages(received);
        !self.messages.is_empty()
    }

    /// Moves what was received from `ready` to `messages`.
    fn take_messages(&mut self, received: usize) {
        let coalesced = self.socket.coalesced_bytes.load(Ordering::Acquire) as usize;
        let mut datagrams = 0;
        self.messages.clear();
        for (header, linux) in self.headers.iter().zip(&mut self.controls).take(received) {
            let Some(buffer) = self.ready.pop() else { break };
            let bytes = header.msg_len as usize;
            linux.length = header.msg_hdr.msg_controllen.min(linux.bytes.len());
            let (mut control, segment_bytes) = ancillary::incoming(linux.as_slice());
            let segment_bytes = segment_bytes.unwrap_or(bytes).clamp(1, DATA_BYTES);
            let datagram_bytes = if bytes > segment_bytes && coalesced > 0 {
                ancillary::push_coalesced(&mut control, segment_bytes);
                // As many whole datagrams as the driver accepts at once.
                (coalesced / segment_bytes).max(1) * segment_bytes
            } else {
                segment_bytes
            };
            // SAFETY: no other thread uses the buffer.
            let remote = unsafe { &mut *buffer.remote() };
            Address::to_windows(remote, self.socket.family);
            datagrams += bytes.div_ceil(segment_bytes);
            self.messages.push(Message { buffer, bytes, datagram_bytes, control, datagrams: 0 });
        }
        let per_message = (datagrams / self.messages.len().max(1)).max(1);
        self.batch_messages = (BATCH_DATAGRAMS / per_message).clamp(1, MAX_MESSAGES);
    }

    /// Indicates the messages, as soon as the event is enabled. Returns false if the socket is
    /// being closed.
    fn indicate(&mut self) -> bool {
        loop {
            if !self.begin_callback() {
                for message in &self.messages {
                    self.ready.push(message.buffer);
                }
                return false;
            }
            let status = self.call_driver();
            let accepted = self.settle(status);
            self.end_callback(!accepted);
            if accepted {
                return true;
            }
        }
    }

    /// Waits until the event is enabled. Returns false if the socket is being closed.
    fn begin_callback(&self) -> bool {
        let mut life = self.socket.life();
        while !life.enabled && !life.is_closing {
            life = self.socket.changed.wait(life).unwrap_or_else(PoisonError::into_inner);
        }
        if life.is_closing {
            return false;
        }
        life.in_callback = true;
        true
    }

    fn call_driver(&mut self) -> NTSTATUS {
        let Some(event) = self.socket.receive_event else {
            return STATUS_SUCCESS;
        };
        let mut first = ptr::null_mut();
        let mut datagrams = 0;
        // In reverse order, so that each chain can be linked to the next one.
        for message in self.messages.iter_mut().rev() {
            let Message { buffer, bytes, datagram_bytes, ref control, .. } = *message;
            let chain = buffer.indicate(self.socket.id(), bytes, datagram_bytes, control);
            message.datagrams = chain.datagrams;
            datagrams += chain.datagrams;
            // SAFETY: the driver does not have the chain yet.
            unsafe { (*chain.last).Next = first };
            first = chain.first;
        }
        self.socket.retained.fetch_add(datagrams, Ordering::AcqRel);
        let context = self.socket.context;
        irql::raised(DISPATCH_LEVEL, || {
            callback::enter_driver(|| {
                // SAFETY: the driver's callback, with its own context.
                unsafe { event(context, WSK_FLAG_AT_DISPATCH_LEVEL, first) }
            })
        })
    }

    /// Handles the buffers according to the driver's status. Returns false if the driver wants the
    /// datagrams later.
    fn settle(&mut self, status: NTSTATUS) -> bool {
        match status {
            STATUS_PENDING => {
                for message in &self.messages {
                    if message.buffer.drop_reference() {
                        self.ready.push(message.buffer);
                    }
                }
                true
            }
            STATUS_SUCCESS | STATUS_DATA_NOT_ACCEPTED => {
                for message in &self.messages {
                    if !message.buffer.take_back(message.datagrams) {
                        stop(
                            Rule::DOUBLE_FREE,
                            "WskReceiveFromEvent",
                            format_args!("released an indication, and returned {status:#x}"),
                        );
                    }
                    self.socket.retained.fetch_sub(message.datagrams, Ordering::AcqRel);
                }
                let later =
                    status == STATUS_DATA_NOT_ACCEPTED && !self.socket.life().always_enabled;
                if !later {
                    self.ready.extend(self.messages.iter().map(|message| message.buffer));
                }
                !later
            }
            _ => stop(
                Rule::BAD_ARGUMENT,
                "WskReceiveFromEvent",
                format_args!("returned {status:#x}, which the documentation does not list"),
            ),
        }
    }

    fn end_callback(&self, disable: bool) {
        let mut life = self.socket.life();
        life.in_callback = false;
        if disable {
            life.enabled = false;
        }
        let disabling = life.disabling.take();
        drop(life);
        if let Some(request) = disabling {
            request.complete(STATUS_SUCCESS, 0);
        }
    }
}

/// wsk.h, PFN_WSK_RECEIVE_FROM: not supported. Drivers use the event instead.
pub(super) unsafe extern "efiapi" fn receive_from(
    socket: *mut WSK_SOCKET,
    _buffer: *mut WSK_BUF,
    _flags: ULONG,
    _remote_address: *mut SOCKADDR,
    _control_length: *mut ULONG,
    _control_info: *mut CMSGHDR,
    _control_flags: *mut ULONG,
    irp: *mut IRP,
) -> NTSTATUS {
    let _host = stack::leave_driver_code();
    // SAFETY: as the caller promises.
    let call = unsafe { Socket::enter("WskReceiveFrom", socket) };
    // SAFETY: as the caller promises.
    let request = unsafe { Request::accept("WskReceiveFrom", irp) };
    call.complete(request, STATUS_NOT_SUPPORTED, 0)
}

/// wsk.h, PFN_WSK_RELEASE_DATAGRAM_INDICATION_LIST. The list may be a part of what was indicated,
/// or parts of several indications.
pub(super) unsafe extern "efiapi" fn release(
    socket: *mut WSK_SOCKET,
    datagram_indication: *mut WSK_DATAGRAM_INDICATION,
) -> NTSTATUS {
    let _host = stack::leave_driver_code();
    // SAFETY: as the caller promises.
    let socket = unsafe { Socket::enter_to_release("WskRelease", socket) };
    if datagram_indication.is_null() {
        stop(Rule::BAD_ARGUMENT, "WskRelease", format_args!("there is no indication"));
    }
    let mut next = datagram_indication;
    let mut released = 0;
    let mut pool = None;
    while !next.is_null() {
        // SAFETY: as the caller promises.
        match unsafe { buffer::release(socket.id(), next) } {
            Ok((after, free)) => {
                next = after;
                released += 1;
                if let Some(free) = free {
                    pool.get_or_insert_with(|| socket.buffers()).free.push(free);
                }
            }
            Err(BadRelease::NotIndicated) => stop(
                Rule::DOUBLE_FREE,
                "WskRelease",
                format_args!("the indication {next:p} is not indicated"),
            ),
            Err(BadRelease::OtherSocket) => stop(
                Rule::BAD_ARGUMENT,
                "WskRelease",
                format_args!("the indication {next:p} is from another socket"),
            ),
        }
    }
    let starved = pool.is_some_and(|pool| pool.starved);
    if starved {
        socket.released.notify_all();
    }
    // This is the last access to the socket, unless the last indication of a closing socket was
    // released.
    if socket.retained.fetch_sub(released, Ordering::AcqRel) == released {
        socket.finish_if_idle();
    }
    STATUS_SUCCESS
}
