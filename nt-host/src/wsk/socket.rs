//! Datagram sockets: creation, binding, life and end.

use std::ffi::c_void;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};

use nt_sys::io::IRP;
use nt_sys::ntdef::{DISPATCH_LEVEL, NTSTATUS, PVOID, ULONG, USHORT};
use nt_sys::status::{
    STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_DEVICE_STATE, STATUS_INVALID_PARAMETER,
    STATUS_NOT_SUPPORTED, STATUS_PENDING, STATUS_SUCCESS,
};
use nt_sys::wsk::{
    IPPROTO_UDP, PFN_WSK_RECEIVE_FROM_EVENT, SOCK_DGRAM, SOCKADDR, WSK_CLIENT_DATAGRAM_DISPATCH,
    WSK_FLAG_DATAGRAM_SOCKET, WSK_PROVIDER_BASIC_DISPATCH, WSK_PROVIDER_DATAGRAM_DISPATCH,
    WSK_SOCKET,
};

use super::address::{Address, Family};
use super::client::Client;
use super::error::{last_errno, status_of};
use super::mark;
use super::option;
use super::receive::{self, Buffers};
use super::request::Request;
use super::send::{self, SendQueue};
use crate::violation::{Rule, stop};
use crate::{given, irql, pool, stack};

/// Size of a socket's buffers at Linux, in bytes each way.
const SOCKET_BUFFER_BYTES: i32 = 4 << 20;

/// `Socket::liveness`.
const OPEN: u32 = 0x050c_ce70;
const CLOSING: u32 = 0x050c_c105;
const CLOSED: u32 = 0x050c_dead;

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

/// A socket. It stays after its end while a driver is loaded, so that a late call is recognized.
#[repr(C)]
pub(super) struct Socket {
    /// First, so that a driver's pointer is one to this.
    wsk: WSK_SOCKET,
    liveness: AtomicU32,
    me: Weak<Self>,
    pub(super) family: Family,
    pub(super) client: Arc<Client>,
    descriptor: Mutex<Option<OwnedFd>>,
    raw_descriptor: RawFd,
    pub(super) context: PVOID,
    pub(super) receive_event: PFN_WSK_RECEIVE_FROM_EVENT,
    /// Calls of the driver that are in the host now.
    calls: AtomicUsize,
    /// Indications that the driver has.
    pub(super) retained: AtomicUsize,
    /// `UDP_RECV_MAX_COALESCED_SIZE`; 0: none are joined.
    pub(super) coalesced_bytes: AtomicU32,
    life: Mutex<Life>,
    /// Something in `life` changed.
    pub(super) changed: Condvar,
    pub(super) buffers: Mutex<Buffers>,
    /// The driver has released some of `buffers`.
    pub(super) released: Condvar,
    pub(super) sends: SendQueue,
}

// SAFETY: the pointers are the driver's own, and are handed back to it alone.
unsafe impl Send for Socket {}
// SAFETY: as above.
unsafe impl Sync for Socket {}

/// What happens to a socket over time.
#[derive(Default)]
pub(super) struct Life {
    pub(super) bound: bool,
    /// The receive event is enabled.
    pub(super) enabled: bool,
    /// It was enabled for all sockets of the client, and can't be disabled.
    pub(super) always_enabled: bool,
    /// The receive event is with the driver now.
    pub(super) in_callback: bool,
    /// Threads of the socket.
    pub(super) threads: usize,
    pub(super) has_receiver: bool,
    /// To be completed when the callback in progress is over.
    pub(super) disabling: Option<Request>,
    /// To be completed when all is over.
    pub(super) closing: Option<Request>,
    pub(super) is_closing: bool,
}

/// A driver's call to a socket that goes on.
pub(super) struct Call<'a> {
    pub(super) socket: &'a Socket,
}

impl Call<'_> {
    /// Ends the call, and completes its IRP: whoever is told by that may close the socket.
    pub(super) fn complete(
        self,
        request: Request,
        status: NTSTATUS,
        information: usize,
    ) -> NTSTATUS {
        drop(self);
        request.complete(status, information)
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        self.socket.calls.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Socket {
    /// Begins a driver's call to a socket. Stops when the socket is none, or closed.
    ///
    /// # Safety
    /// `socket` is a pointer that `WskSocket` gave since a driver is loaded, however long ago.
    pub(super) unsafe fn enter<'a>(function: &str, socket: *mut WSK_SOCKET) -> Call<'a> {
        irql::require_at_most(function, DISPATCH_LEVEL);
        if socket.is_null() {
            stop(Rule::BAD_ARGUMENT, function, format_args!("there is no socket"));
        }
        // SAFETY: sockets stay while a driver is loaded.
        let socket: &Self = unsafe { &*socket.cast::<Self>() };
        match socket.liveness.load(Ordering::Acquire) {
            OPEN => {}
            CLOSING | CLOSED => stop(
                Rule::USE_AFTER_FREE,
                function,
                format_args!("the socket {socket:p} was given to WskCloseSocket"),
            ),
            _ => stop(Rule::BAD_OBJECT, function, format_args!("{socket:p} is no socket")),
        }
        socket.calls.fetch_add(1, Ordering::AcqRel);
        Call { socket }
    }

    /// As [`Socket::enter`], for the one function that a driver may call after WskCloseSocket: to
    /// release what a callback in progress retained.
    ///
    /// # Safety
    /// As for [`Socket::enter`].
    pub(super) unsafe fn enter_to_release<'a>(function: &str, socket: *mut WSK_SOCKET) -> &'a Self {
        irql::require_at_most(function, DISPATCH_LEVEL);
        if socket.is_null() {
            stop(Rule::BAD_ARGUMENT, function, format_args!("there is no socket"));
        }
        // SAFETY: sockets stay while a driver is loaded.
        let socket: &Self = unsafe { &*socket.cast::<Self>() };
        match socket.liveness.load(Ordering::Acquire) {
            OPEN | CLOSING => socket,
            CLOSED => stop(
                Rule::USE_AFTER_FREE,
                function,
                format_args!("the socket {socket:p} is closed"),
            ),
            _ => stop(Rule::BAD_OBJECT, function, format_args!("{socket:p} is no socket")),
        }
    }

    /// A share in the socket, for a thread of its own.
    pub(super) fn share(&self) -> Option<Arc<Self>> {
        self.me.upgrade()
    }

    pub(super) fn descriptor(&self) -> RawFd {
        self.raw_descriptor
    }

    pub(super) fn life(&self) -> MutexGuard<'_, Life> {
        self.life.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the socket if it is being closed and nothing goes on any more. Whether it did.
    pub(super) fn finish_if_idle(&self) -> bool {
        let mut life = self.life();
        if life.threads > 0 || life.in_callback || self.retained.load(Ordering::Acquire) > 0 {
            return false;
        }
        let Some(request) = life.closing.take() else {
            return false;
        };
        drop(life);
        self.client.slabs().take_back(receive::retire(self));
        mark::remove(self.raw_descriptor);
        self.descriptor.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.liveness.store(CLOSED, Ordering::Release);
        request.complete(STATUS_SUCCESS, 0);
        // Last: from here on the driver may unload.
        self.client.socket_closed();
        true
    }

    /// Whether WskBind has succeeded.
    pub(super) fn is_bound(&self) -> bool {
        self.life().bound
    }
}

/// A Linux UDP socket that behaves as Windows' do.
pub(super) fn open_udp(family: Family) -> Result<OwnedFd, i32> {
    let kind = libc::SOCK_DGRAM | libc::SOCK_CLOEXEC;
    // SAFETY: has no conditions.
    let descriptor = unsafe { libc::socket(family.linux(), kind, libc::IPPROTO_UDP) };
    if descriptor < 0 {
        return Err(last_errno());
    }
    // SAFETY: the descriptor is new.
    let socket = unsafe { OwnedFd::from_raw_fd(descriptor) };
    // The forced form needs CAP_NET_ADMIN; the other is cut to the system's limit.
    for (forced, plain) in
        [(libc::SO_SNDBUFFORCE, libc::SO_SNDBUF), (libc::SO_RCVBUFFORCE, libc::SO_RCVBUF)]
    {
        if set_option(descriptor, libc::SOL_SOCKET, forced, SOCKET_BUFFER_BYTES).is_err() {
            let _ = set_option(descriptor, libc::SOL_SOCKET, plain, SOCKET_BUFFER_BYTES);
        }
    }
    // Windows fragments unless told not to.
    match family {
        Family::V4 => {
            set_option(
                descriptor,
                libc::IPPROTO_IP,
                libc::IP_MTU_DISCOVER,
                libc::IP_PMTUDISC_DONT,
            )?;
        }
        Family::V6 => {
            set_option(
                descriptor,
                libc::IPPROTO_IPV6,
                libc::IPV6_MTU_DISCOVER,
                libc::IPV6_PMTUDISC_DONT,
            )?;
            // On by default at Windows (IPPROTO_IPV6 socket options, IPV6_V6ONLY).
            set_option(descriptor, libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, 1)?;
        }
    }
    // Without it, Linux cuts a packet itself.
    let _ = set_option(descriptor, libc::SOL_UDP, libc::UDP_GRO, 1);
    Ok(socket)
}

/// Sets an integer option of a Linux socket.
pub(super) fn set_option(
    descriptor: RawFd,
    level: i32,
    option: i32,
    value: i32,
) -> Result<(), i32> {
    let length = size_of::<i32>() as libc::socklen_t;
    let value = &raw const value;
    // SAFETY: the value is readable for its length.
    let result = unsafe { libc::setsockopt(descriptor, level, option, value.cast(), length) };
    if result == 0 { Ok(()) } else { Err(last_errno()) }
}

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
    // SAFETY: the caller's word.
    let request = unsafe { Request::accept("WskSocket", irp) };
    let family = Family::from_windows(address_family);
    let (Some(family), SOCK_DGRAM, IPPROTO_UDP) = (family, socket_type, protocol) else {
        return request.complete(STATUS_NOT_SUPPORTED, 0);
    };
    if flags != WSK_FLAG_DATAGRAM_SOCKET {
        // Basic, listening, connection and stream sockets are of no use for datagrams here.
        return request.complete(STATUS_NOT_SUPPORTED, 0);
    }
    if !pool::admit() {
        return request.complete(STATUS_INSUFFICIENT_RESOURCES, 0);
    }
    let dispatch = dispatch.cast::<WSK_CLIENT_DATAGRAM_DISPATCH>();
    // SAFETY: the caller's word: null, or the table of a datagram socket.
    let receive_event = unsafe { dispatch.as_ref() }.and_then(|table| table.WskReceiveFromEvent);
    let opened = stack::on_host(|| {
        let descriptor = open_udp(family)?;
        mark::add(descriptor.as_raw_fd())?;
        let socket = Arc::new_cyclic(|me| Socket {
            wsk: WSK_SOCKET { Dispatch: (&raw const DISPATCH).cast() },
            liveness: AtomicU32::new(OPEN),
            me: me.clone(),
            family,
            client: Arc::clone(&client),
            raw_descriptor: descriptor.as_raw_fd(),
            descriptor: Mutex::new(Some(descriptor)),
            context: socket_context,
            receive_event,
            calls: AtomicUsize::new(0),
            retained: AtomicUsize::new(0),
            coalesced_bytes: AtomicU32::new(0),
            life: Mutex::default(),
            changed: Condvar::new(),
            buffers: Mutex::default(),
            released: Condvar::new(),
            sends: SendQueue::default(),
        });
        let pointer = Arc::as_ptr(&socket);
        given::keep(socket);
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
    // SAFETY: the caller's word.
    let call = unsafe { Socket::enter("WskBind", socket) };
    let socket = call.socket;
    // SAFETY: the caller's word.
    let request = unsafe { Request::accept("WskBind", irp) };
    // SAFETY: the caller's word.
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
    // SAFETY: the caller's word.
    let call = unsafe { Socket::enter("WskGetLocalAddress", socket) };
    let socket = call.socket;
    // SAFETY: the caller's word.
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
    // SAFETY: the caller's word.
    unsafe { address.write(local_address) };
    call.complete(request, STATUS_SUCCESS, 0)
}

/// wsk.h, PFN_WSK_CLOSE_SOCKET: the IRP is completed when no callback runs, nothing is sent and
/// nothing is retained.
unsafe extern "efiapi" fn close_socket(socket: *mut WSK_SOCKET, irp: *mut IRP) -> NTSTATUS {
    let _host = stack::leave_driver_code();
    // SAFETY: the caller's word.
    let call = unsafe { Socket::enter("WskCloseSocket", socket) };
    let socket = call.socket;
    // SAFETY: the caller's word.
    let request = unsafe { Request::accept("WskCloseSocket", irp) };
    if socket.calls.load(Ordering::Acquire) > 1 {
        stop(
            Rule::BAD_ARGUMENT,
            "WskCloseSocket",
            format_args!("another call to the socket is in progress"),
        );
    }
    let mut life = socket.life();
    let retained = socket.retained.load(Ordering::Acquire);
    if retained > 0 && !life.in_callback {
        stop(
            Rule::BAD_ARGUMENT,
            "WskCloseSocket",
            format_args!("{retained} indications are retained, which must be released first"),
        );
    }
    socket.liveness.store(CLOSING, Ordering::Release);
    life.closing = Some(request);
    life.is_closing = true;
    drop(life);
    // Wakes the threads: an unconnected UDP socket can be shut down at Linux, though the call then
    // says that it is not connected. SAFETY: the descriptor is open until the socket is finished.
    unsafe { libc::shutdown(socket.descriptor(), libc::SHUT_RDWR) };
    socket.changed.notify_all();
    socket.released.notify_all();
    socket.sends.wake();
    drop(call);
    if socket.finish_if_idle() { STATUS_SUCCESS } else { STATUS_PENDING }
}
