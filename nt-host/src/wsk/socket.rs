//! Datagram sockets: their life, and the calls of a driver to one.

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

/// `Socket::liveness`.
const OPEN: u32 = 0x050c_ce70;
const CLOSING: u32 = 0x050c_c105;
const CLOSED: u32 = 0x050c_dead;

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
    buffers: Mutex<Buffers>,
    /// The driver has released some of `buffers`.
    pub(super) released: Condvar,
    pub(super) sends: SendQueue,
}

// SAFETY: the pointers are the driver's own, and are handed back to it alone.
unsafe impl Send for Socket {}
// SAFETY: the pointers are the driver's own; the other fields are atomic or locked.
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
    /// A new socket, which stays until the last driver is unloaded. `dispatch` is the table that a
    /// driver calls it by.
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

    /// Its address, by which its buffers know it.
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
        let free = std::mem::take(&mut self.buffers().free);
        self.client.slabs().take_back(free);
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
