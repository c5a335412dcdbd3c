//! Clients of WSK: the targets of registrations, and the owners of sockets.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard, PoisonError, Weak};

use nt_sys::ntdef::{NTSTATUS, PVOID};
use nt_sys::status::{STATUS_INVALID_PARAMETER, STATUS_SUCCESS};
use nt_sys::wsk::WSK_EVENT_RECEIVE_FROM;

use super::argument::event_mask;
use super::buffer::Slabs;
use crate::retained;
use crate::violation::{Rule, stop};

/// Clients by the address of their `WSK_REGISTRATION`. An entry stays until the address is
/// registered again or the last driver is unloaded.
static REGISTRATIONS: LazyLock<Mutex<HashMap<usize, Weak<Client>>>> = LazyLock::new(Mutex::default);

/// The target of a registration, and the client object of its sockets.
pub(super) struct Client {
    pub(super) version: u16,
    state: Mutex<State>,
    pub(super) changed: Condvar,
    /// Whether receive events are enabled on every new datagram socket.
    static_receive: AtomicBool,
    /// The number of sockets ever created: static events must be set before the first.
    sockets_made: AtomicUsize,
    /// The receive buffers of its sockets.
    slabs: Mutex<Slabs>,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) captured: usize,
    pub(super) sockets: usize,
    pub(super) deregistered: bool,
}

impl Client {
    /// Creates a client, which stays in memory until the last driver is unloaded.
    pub(super) fn new(version: u16) -> Arc<Self> {
        let client = Arc::new(Self {
            version,
            state: Mutex::default(),
            changed: Condvar::new(),
            static_receive: AtomicBool::new(false),
            sockets_made: AtomicUsize::new(0),
            slabs: Mutex::default(),
        });
        retained::keep(Arc::clone(&client));
        client
    }

    /// The client of a driver's `PWSK_CLIENT`. Stops if the pointer is not one.
    pub(super) fn from_driver(function: &str, client: PVOID) -> Arc<Self> {
        let found = registrations(|all| {
            let known = all.values().find(|known| known.as_ptr().addr() == client.addr());
            known.and_then(Weak::upgrade)
        });
        match found {
            Some(found) if found.state().captured > 0 => found,
            _ => stop(Rule::BAD_ARGUMENT, function, format_args!("the client is not captured")),
        }
    }

    pub(super) fn set_static_events(&self, input: &[u8]) -> NTSTATUS {
        let Some(mask) = event_mask(input) else {
            return STATUS_INVALID_PARAMETER;
        };
        if self.sockets_made.load(Ordering::Acquire) > 0 {
            stop(
                Rule::BAD_ARGUMENT,
                "WskControlClient",
                format_args!("WSK_SET_STATIC_EVENT_CALLBACKS after the first socket"),
            );
        }
        self.static_receive.store(mask & WSK_EVENT_RECEIVE_FROM != 0, Ordering::Release);
        STATUS_SUCCESS
    }

    pub(super) fn is_static_receive(&self) -> bool {
        self.static_receive.load(Ordering::Acquire)
    }

    pub(super) fn socket_opened(&self) {
        self.sockets_made.fetch_add(1, Ordering::AcqRel);
        self.state().sockets += 1;
    }

    pub(super) fn socket_closed(&self) {
        self.state().sockets -= 1;
        self.changed.notify_all();
    }

    pub(super) fn slabs(&self) -> MutexGuard<'_, Slabs> {
        self.slabs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) fn registrations<R>(f: impl FnOnce(&mut HashMap<usize, Weak<Client>>) -> R) -> R {
    f(&mut REGISTRATIONS.lock().unwrap_or_else(PoisonError::into_inner))
}
