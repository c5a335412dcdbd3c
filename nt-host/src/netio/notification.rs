//! NotifyRouteChange2, NotifyIpInterfaceChange, NotifyUnicastIpAddressChange and
//! CancelMibChangeNotify2.
//!
//! A thread hears of Linux's changes while there is a registration, and calls the callbacks, one at
//! a time and at PASSIVE_LEVEL. Every change calls all of them, with a row that names the family
//! alone: a driver has to read what it wants to know.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use nt_sys::netioapi::{
    IPFORWARD_CHANGE_CALLBACK, IPINTERFACE_CHANGE_CALLBACK, MIB_IPFORWARD_ROW2,
    MIB_IPINTERFACE_ROW, MIB_NOTIFICATION_TYPE, MIB_UNICASTIPADDRESS_ROW, MibInitialNotification,
    MibParameterNotification, UNICAST_IPADDRESS_CHANGE_CALLBACK,
};
use nt_sys::ntdef::{BOOLEAN, HANDLE, NTSTATUS, PASSIVE_LEVEL, PVOID, USHORT};
use nt_sys::status::{STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_PARAMETER, STATUS_SUCCESS};
use nt_sys::wsk::{AF_INET, AF_INET6, AF_UNSPEC};

use super::rtnetlink::RtNetlink;
use crate::callback;
use crate::irql;
use crate::loaded;
use crate::pool;
use crate::stack;
use crate::violation::{Rule, stop};

/// rtnetlink.h, `RTMGRP_*`: links, addresses, routes and rules of both families.
const GROUPS: u32 = 0x1 | 0x10 | 0x40 | 0x80 | 0x100 | 0x400 | 1 << 18;

/// Counts the changes that were heard of.
static GENERATION: AtomicU64 = AtomicU64::new(0);

/// A leaf of the lock order. No callback is called under it.
static STATE: Mutex<State> =
    Mutex::new(State { registrations: BTreeMap::new(), next: 1, calling: 0, listener: None });

/// A callback has returned.
static RETURNED: Condvar = Condvar::new();

thread_local! {
    /// The registration whose callback this thread calls; 0 for none.
    static CALLING: Cell<usize> = const { Cell::new(0) };
}

struct State {
    registrations: BTreeMap<usize, Registration>,
    next: usize,
    /// The registration whose callback is being called; 0 for none.
    calling: usize,
    listener: Option<Listener>,
}

#[derive(Clone, Copy)]
struct Registration {
    callback: Callback,
    context: usize,
    family: USHORT,
    wants_first: bool,
}

#[derive(Clone, Copy)]
enum Callback {
    Route(IPFORWARD_CHANGE_CALLBACK),
    Interface(IPINTERFACE_CHANGE_CALLBACK),
    Address(UNICAST_IPADDRESS_CHANGE_CALLBACK),
}

/// The thread that hears of changes.
struct Listener {
    wake: OwnedFd,
    is_stopping: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

/// How many changes of the network were heard of.
pub(super) fn generation() -> u64 {
    GENERATION.load(Ordering::Acquire)
}

/// Another network was set: wakes the listener, which calls all callbacks.
pub(super) fn network_set() {
    GENERATION.fetch_add(1, Ordering::AcqRel);
    if let Some(listener) = &state().listener {
        wake(&listener.wake);
    }
}

fn register(
    function: &'static str,
    family: USHORT,
    callback: Callback,
    context: PVOID,
    wants_first: BOOLEAN,
    handle: *mut HANDLE,
) -> NTSTATUS {
    irql::require_at_most(function, PASSIVE_LEVEL);
    if !matches!(family, AF_UNSPEC | AF_INET | AF_INET6) || handle.is_null() {
        return STATUS_INVALID_PARAMETER;
    }
    if !pool::admit() {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    stack::on_host(|| {
        let mut state = state();
        if state.listener.is_none() {
            match Listener::start() {
                Ok(listener) => state.listener = Some(listener),
                Err(_) => return STATUS_INSUFFICIENT_RESOURCES,
            }
        }
        loaded::at_unload(left);
        let number = state.next;
        state.next += 1;
        let wants_first = wants_first != 0;
        let context = context.expose_provenance();
        let registration = Registration { callback, context, family, wants_first };
        state.registrations.insert(number, registration);
        if wants_first && let Some(listener) = &state.listener {
            wake(&listener.wake);
        }
        // SAFETY: the driver passes a writable pointer.
        unsafe { handle.write(std::ptr::without_provenance_mut(number)) };
        STATUS_SUCCESS
    })
}

/// Ends a registration, and waits for its callback.
fn cancel(handle: HANDLE) -> NTSTATUS {
    const FUNCTION: &str = "CancelMibChangeNotify2";
    irql::require_at_most(FUNCTION, PASSIVE_LEVEL);
    if handle.is_null() {
        return STATUS_INVALID_PARAMETER;
    }
    let number = handle.addr();
    if CALLING.get() == number {
        stop(Rule::BAD_ARGUMENT, FUNCTION, format_args!("called from the callback itself"));
    }
    stack::on_host(|| {
        let mut state = state();
        if state.registrations.remove(&number).is_none() {
            stop(Rule::BAD_ARGUMENT, FUNCTION, format_args!("{handle:p} is no registration"));
        }
        while state.calling == number {
            state = RETURNED.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let is_last = state.registrations.is_empty();
        let listener = state.listener.take_if(|_| is_last);
        drop(state);
        if let Some(listener) = listener {
            listener.is_stopping.store(true, Ordering::Release);
            wake(&listener.wake);
            if listener.thread.thread().id() != std::thread::current().id() {
                let _ = listener.thread.join();
            }
        }
    });
    STATUS_SUCCESS
}

impl Listener {
    fn start() -> std::io::Result<Self> {
        // SAFETY: has no conditions.
        let wake = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        if wake < 0 {
            return Err(std::io::Error::last_os_error());
        }
        // SAFETY: the descriptor is new.
        let wake = unsafe { OwnedFd::from_raw_fd(wake) };
        let woken = wake.try_clone()?;
        let socket = RtNetlink::open(GROUPS)?;
        let is_stopping = Arc::new(AtomicBool::new(false));
        let stops = Arc::clone(&is_stopping);
        let seen = generation();
        let thread = std::thread::Builder::new()
            .name("netio".into())
            .spawn(move || listen(&socket, &woken, &stops, seen))?;
        Ok(Self { wake, is_stopping, thread })
    }
}

/// Calls callbacks until the last registration is gone. `seen` is the generation at the first one.
fn listen(socket: &RtNetlink, woken: &OwnedFd, stops: &AtomicBool, mut seen: u64) {
    let mut bytes = vec![0; 64 << 10];
    while !stops.load(Ordering::Acquire) {
        let mut polled = [socket.descriptor(), woken.as_raw_fd()].map(|fd| libc::pollfd {
            fd,
            events: libc::POLLIN,
            revents: 0,
        });
        // SAFETY: the entries are writable.
        unsafe { libc::poll(polled.as_mut_ptr(), 2, -1) };
        if polled[1].revents != 0 {
            let mut count = 0_u64;
            // SAFETY: the number is writable.
            unsafe { libc::read(woken.as_raw_fd(), (&raw mut count).cast(), 8) };
        }
        if polled[0].revents != 0 {
            // What has changed doesn't matter, nor whether messages were lost.
            let _ = socket.receive(&mut bytes);
            GENERATION.fetch_add(1, Ordering::AcqRel);
        }
        let now = generation();
        let has_changed = std::mem::replace(&mut seen, now) != now;
        call_all(has_changed);
    }
}

/// Calls what wants to hear of a change, or that it is registered.
fn call_all(has_changed: bool) {
    let numbers: Vec<usize> = state().registrations.keys().copied().collect();
    for number in numbers {
        let mut state = state();
        let Some(registration) = state.registrations.get_mut(&number) else { continue };
        let is_first = std::mem::take(&mut registration.wants_first);
        let registration = *registration;
        state.calling = number;
        drop(state);
        CALLING.set(number);
        if is_first {
            registration.call(MibInitialNotification);
        }
        if has_changed {
            registration.call(MibParameterNotification);
        }
        CALLING.set(0);
        self::state().calling = 0;
        RETURNED.notify_all();
    }
}

impl Registration {
    fn call(self, why: MIB_NOTIFICATION_TYPE) {
        let context: PVOID = std::ptr::with_exposed_provenance_mut(self.context);
        let family = self.family;
        callback::enter_driver(|| match self.callback {
            Callback::Route(callback) => {
                let fill =
                    |row: &mut MIB_IPFORWARD_ROW2| row.DestinationPrefix.Prefix.si_family = family;
                // SAFETY: the driver's function, as it has registered it.
                unsafe { notify(callback, context, why, fill) };
            }
            Callback::Interface(callback) => {
                let fill = |row: &mut MIB_IPINTERFACE_ROW| row.Family = family;
                // SAFETY: likewise.
                unsafe { notify(callback, context, why, fill) };
            }
            Callback::Address(callback) => {
                let fill = |row: &mut MIB_UNICASTIPADDRESS_ROW| row.Address.si_family = family;
                // SAFETY: likewise.
                unsafe { notify(callback, context, why, fill) };
            }
        });
    }
}

/// Calls a callback. Its row has what `fill` sets, and zeros; an initial notification has none.
///
/// # Safety
/// Zeros are valid values of all of `R`'s fields, and the callback takes the context.
unsafe fn notify<R>(
    callback: unsafe extern "efiapi" fn(PVOID, *mut R, MIB_NOTIFICATION_TYPE),
    context: PVOID,
    why: MIB_NOTIFICATION_TYPE,
    fill: impl FnOnce(&mut R),
) {
    // SAFETY: as the caller promises.
    let mut row: R = unsafe { std::mem::zeroed() };
    fill(&mut row);
    let row = if why == MibInitialNotification { std::ptr::null_mut() } else { &raw mut row };
    // SAFETY: as the caller promises.
    unsafe { callback(context, row, why) };
}

fn wake(event: &OwnedFd) {
    // SAFETY: the number is readable.
    unsafe { libc::write(event.as_raw_fd(), (&raw const ONE).cast(), 8) };
}

static ONE: u64 = 1;

fn left() -> Vec<String> {
    let line = |registration: &Registration| {
        let what = match registration.callback {
            Callback::Route(_) => "NotifyRouteChange2",
            Callback::Interface(_) => "NotifyIpInterfaceChange",
            Callback::Address(_) => "NotifyUnicastIpAddressChange",
        };
        format!("a registration of {what} was not cancelled")
    };
    state().registrations.values().map(line).collect()
}

fn state() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

export! { "netio.sys";
    /// netioapi.h, NotifyRouteChange2.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    ///
    /// # Safety
    /// The context is the callback's; the handle is null or writable.
    pub unsafe fn NotifyRouteChange2(
        family: USHORT,
        callback: IPFORWARD_CHANGE_CALLBACK,
        context: PVOID,
        initial_notification: BOOLEAN,
        handle: *mut HANDLE,
    ) -> NTSTATUS {
        let callback = Callback::Route(callback);
        register("NotifyRouteChange2", family, callback, context, initial_notification, handle)
    }

    /// netioapi.h, NotifyIpInterfaceChange.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    ///
    /// # Safety
    /// The context is the callback's; the handle is null or writable.
    pub unsafe fn NotifyIpInterfaceChange(
        family: USHORT,
        callback: IPINTERFACE_CHANGE_CALLBACK,
        context: PVOID,
        initial_notification: BOOLEAN,
        handle: *mut HANDLE,
    ) -> NTSTATUS {
        let callback = Callback::Interface(callback);
        register("NotifyIpInterfaceChange", family, callback, context, initial_notification, handle)
    }

    /// netioapi.h, NotifyUnicastIpAddressChange.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    ///
    /// # Safety
    /// The context is the callback's; the handle is null or writable.
    pub unsafe fn NotifyUnicastIpAddressChange(
        family: USHORT,
        callback: UNICAST_IPADDRESS_CHANGE_CALLBACK,
        context: PVOID,
        initial_notification: BOOLEAN,
        handle: *mut HANDLE,
    ) -> NTSTATUS {
        let (name, callback) = ("NotifyUnicastIpAddressChange", Callback::Address(callback));
        register(name, family, callback, context, initial_notification, handle)
    }

    /// netioapi.h, CancelMibChangeNotify2. Called from the callback of its registration, it would
    /// wait for itself.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    ///
    /// # Safety
    /// The handle was returned by one of the functions above.
    pub unsafe fn CancelMibChangeNotify2(handle: HANDLE) -> NTSTATUS {
        cancel(handle)
    }
}
