//! Datagram sockets: their life cycle, and a driver's calls to them.

use std::ffi::c_void;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::ptr;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};

use nt_sys::ntdef::{DISPATCH_LEVEL, NTSTATUS, PVOID};
use nt_sys::status::STATUS_SUCCESS;
use nt_sys::wsk::{PFN_WSK_RECEIVE_FROM_EVENT, WSK_SOCKET};

use super::address::Family;
use super::buffer::Buffers;
use super::client::Client;
use super::mark;
use super::request::Request;
use super::send_queue::SendQueue;
use crate::violation::{Rule, stop};
use crate::{irql, retained};

/// Values of `Socket::liveness`.
const OPEN: u32 = 0x050c_ce70;
const CLOSING: u32 = 0x050c_c105;
const CLOSED: u32 = 0x050c_dead;

/// A socket. It stays in memory after its close while a driver is loaded, so that a late call is
/// recognized.
#[repr(C)]
pub(super) struct Socket {
    /// First, so that the driver's pointer is also one to this struct.
    wsk: WSK_SOCKET,
    liveness: AtomicU32,
    me: Weak<Self>,
    pub(super) family: Family,
    pub(super) client: Arc<Client>,
    descriptor: Mutex<Option<OwnedFd>>,
    raw_descriptor: RawFd,
    pub(super) context: PVOID,
    pub(super) receive_event: PFN_WSK_RECEIVE_FROM_EVENT,
    /// The number of the driver's calls in progress.
    calls: AtomicUsize,
    /// The number of indications that the driver has.
    pub(super) retained: AtomicUsize,
    /// `UDP_RECV_MAX_COALESCED_SIZE`; 0 if datagrams are not coalesced.
    pub(super) coalesced_bytes: AtomicU32,
    life: Mutex<Life>,
    /// Notified when `life` changes.
    pub(super) changed: Condvar,
    buffers: Mutex<Buffers>,
    /// Notified when the driver has released some of `buffers`.
    pub(super) released: Condvar,
    pub(super) sends: SendQueue,
}

// SAFETY: the pointers belong to the driver, and are only passed back to it.
unsafe impl Send for Socket {}
// SAFETY: the pointers belong to the driver; the other fields are atomic or locked.
unsafe impl Sync for Socket {}

/// The life cycle of a socket.
#[derive(Default)]
pub(super) struct Life {
    pub(super) bound: bool,
    /// Whether the receive event is enabled.
    pub(super) enabled: bool,
    /// Whether it was enabled for all sockets of the client, and cannot be disabled.
    pub(super) always_enabled: bool,
    /// Whether the receive event is running.
    pub(super) in_callback: bool,
    /// The number of the socket's threads.
    pub(super) threads: usize,
    pub(super) has_receiver: bool,
    /// Completed when the running callback returns.
    pub(super) disabling: Option<Request>,
    /// Completed when everything has ended.
    pub(super) closing: Option<Request>,
    pub(super) is_closing: bool,
}

/// A driver's call to a socket, in progress.
pub(super) struct Call<'a> {
    pub(super) socket: &'a Socket,
}

impl Call<'_> {
    /// Ends the call, then completes its IRP: the completion may lead to a close of the socket.
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
    /// Creates a socket, which stays in memory until the last driver is unloaded. `dispatch` is the
    /// dispatch table that the driver sees.
    pub(super) fn new(
        dispatch: *const c_void,
        family: Family,
        client: &Arc<Client>,
        descriptor: OwnedFd,
        context: PVOID,
        receive_event: PFN_WSK_RECEIVE_FROM_EVENT,
    ) -> Arc<Self> {
        let socket = Arc::new_cyclic(|me| Self {
            wsk: WSK_SOCKET { Dispatch: dispatch },
            liveness: AtomicU32::new(OPEN),
            me: me.clone(),
            family,
            client: Arc::clone(client),
            raw_descriptor: descriptor.as_raw_fd(),
            descriptor: Mutex::new(Some(descriptor)),
            context,
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
        retained::keep(Arc::clone(&socket));
        socket
    }

    /// Begins a driver's call to a socket. Stops if the pointer is not a socket, or the socket is
    /// closed.
    ///
    /// # Safety
    /// `socket` is a pointer that `WskSocket` returned since a driver is loaded, however long ago.
    pub(super) unsafe fn enter<'a>(function: &str, socket: *mut WSK_SOCKET) -> Call<'a> {
        irql::require_at_most(function, DISPATCH_LEVEL);
        if socket.is_null() {
            stop(Rule::BAD_ARGUMENT, function, format_args!("there is no socket"));
        }
        // SAFETY: sockets stay in memory while a driver is loaded.
        let socket: &Self = unsafe { &*socket.cast::<Self>() };
        match socket.liveness.load(Ordering::Acquire) {
            OPEN => {}
            CLOSING | CLOSED => stop(
                Rule::USE_AFTER_FREE,
                function,
                format_args!("the socket {socket:p} was given to WskCloseSocket"),
            ),
            _ => stop(Rule::BAD_OBJECT, function, format_args!("{socket:p} is not a socket")),
        }
        socket.calls.fetch_add(1, Ordering::AcqRel);
        Call { socket }
    }

    /// As [`Socket::enter`], for the release of indications: a driver may call it after
    /// WskCloseSocket, for a callback in progress.
    ///
    /// # Safety
    /// As for [`Socket::enter`].
    pub(super) unsafe fn enter_to_release<'a>(function: &str, socket: *mut WSK_SOCKET) -> &'a Self {
        irql::require_at_most(function, DISPATCH_LEVEL);
        if socket.is_null() {
            stop(Rule::BAD_ARGUMENT, function, format_args!("there is no socket"));
        }
        // SAFETY: sockets stay in memory while a driver is loaded.
        let socket: &Self = unsafe { &*socket.cast::<Self>() };
        match socket.liveness.load(Ordering::Acquire) {
            OPEN | CLOSING => socket,
            CLOSED => stop(
                Rule::USE_AFTER_FREE,
                function,
                format_args!("the socket {socket:p} is closed"),
            ),
            _ => stop(Rule::BAD_OBJECT, function, format_args!("{socket:p} is not a socket")),
        }
    }

    /// A reference to the socket, for a thread of its own.
    pub(super) fn share(&self) -> Option<Arc<Self>> {
        self.me.upgrade()
    }

    /// Its address, which identifies it in its buffers.
    pub(super) fn id(&self) -> *const c_void {
        ptr::from_ref(self).cast()
    }

    pub(super) fn descriptor(&self) -> RawFd {
        self.raw_descriptor
    }

    pub(super) fn life(&self) -> MutexGuard<'_, Life> {
        self.life.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins the close of the socket. Stops when another call is in progress, or indications are
    /// retained outside of a callback.
    pub(super) fn begin_close(&self, request: Request) {
        if self.calls.load(Ordering::Acquire) > 1 {
            stop(
                Rule::BAD_ARGUMENT,
                "WskCloseSocket",
                format_args!("another call to the socket is in progress"),
            );
        }
        let mut life = self.life();
        let retained = self.retained.load(Ordering::Acquire);
        if retained > 0 && !life.in_callback {
            stop(
                Rule::BAD_ARGUMENT,
                "WskCloseSocket",
                format_args!("{retained} indications are retained, which must be released first"),
            );
        }
        self.liveness.store(CLOSING, Ordering::Release);
        life.closing = Some(request);
        life.is_closing = true;
        drop(life);
    }

    pub(super) fn buffers(&self) -> MutexGuard<'_, Buffers> {
        self.buffers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the socket if it is being closed and nothing is in progress. Returns whether it did.
    pub(super) fn finish_if_idle(&self) -> bool {
        let mut life = self.life();
        if life.threads > 0 || life.in_callback || self.retained.load(Ordering::Acquire) > 0 {
            return false;
        }
        let Some(request) = life.closing.take() else {
            return false;
        };
        drop(life);
        let free = std::mem::take(&mut self.buffers().free);
        self.client.slabs().take_back(free);
        mark::remove(self.raw_descriptor);
        self.descriptor.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.liveness.store(CLOSED, Ordering::Release);
        request.complete(STATUS_SUCCESS, 0);
        // Last, because the driver may be unloaded from here on.
        self.client.socket_closed();
        true
    }

    /// Whether WskBind has succeeded.
    pub(super) fn is_bound(&self) -> bool {
        self.life().bound
    }
}
