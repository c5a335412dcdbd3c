//! Events.

use core::cell::UnsafeCell;
use core::time::Duration;

use nt_sys::ke::{
    Executive, IO_NO_INCREMENT, KEVENT, KeClearEvent, KeInitializeEvent, KeSetEvent,
    KeWaitForSingleObject, NotificationEvent, SynchronizationEvent,
};
use nt_sys::ntdef::{FALSE, KernelMode, LARGE_INTEGER, NTSTATUS, PVOID};
use nt_sys::status::STATUS_TIMEOUT;

use crate::irql::Passive;
use crate::pool::PoolBox;
use crate::status::Result;

/// The type of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// A notification event: it stays set until it is cleared, and releases every waiter.
    Manual,
    /// A synchronization event: setting it releases one waiter, which clears it.
    Automatic,
}

/// How a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// The object was signaled.
    Satisfied,
    /// The timeout expired.
    TimedOut,
}

/// An event; initially not set.
pub struct Event {
    event: PoolBox<UnsafeCell<KEVENT>>,
}

impl Event {
    /// Allocates an event.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    pub fn new(kind: EventKind) -> Result<Self> {
        // SAFETY: a KEVENT consists of integers and pointers, for which zeros are valid values.
        let zeroed: KEVENT = unsafe { core::mem::zeroed() };
        let event = PoolBox::new(UnsafeCell::new(zeroed))?;
        let kind = match kind {
            EventKind::Manual => NotificationEvent,
            EventKind::Automatic => SynchronizationEvent,
        };
        // SAFETY: the event is at its final address.
        unsafe { KeInitializeEvent(event.get(), kind, FALSE) };
        Ok(Self { event })
    }

    /// Sets the event.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    pub fn set(&self) {
        // SAFETY: the event is initialized.
        unsafe { KeSetEvent(self.event.get(), IO_NO_INCREMENT, FALSE) };
    }

    /// Clears the event.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    pub fn clear(&self) {
        // SAFETY: the event is initialized.
        unsafe { KeClearEvent(self.event.get()) };
    }

    /// Waits for the event.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    pub fn wait(&self, _passive: Passive) {
        self.wait_up_to(None);
    }

    /// Waits for the event, but no longer than `timeout`.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    pub fn wait_for(&self, timeout: Duration, _passive: Passive) -> Wait {
        self.wait_up_to(Some(timeout))
    }

    /// Waits for the event, with or without a timeout.
    ///
    /// # IRQL
    /// `<= APC_LEVEL`
    pub(crate) fn wait_up_to(&self, timeout: Option<Duration>) -> Wait {
        wait_for_object(self.event.get().cast(), timeout)
    }
}

// SAFETY: a KEVENT may be used from any thread.
unsafe impl Send for Event {}
// SAFETY: a KEVENT may be used from any thread.
unsafe impl Sync for Event {}

/// Waits for a dispatcher object, in kernel mode and not alertable. The object must outlive the
/// wait.
pub(crate) fn wait_for_object(object: PVOID, timeout: Option<Duration>) -> Wait {
    // Relative times are negative, in 100 ns (wdm.h, KeWaitForSingleObject).
    let timeout: Option<LARGE_INTEGER> =
        timeout.map(|timeout| -i64::try_from(timeout.as_nanos().div_ceil(100)).unwrap_or(i64::MAX));
    let timeout = timeout.as_ref().map_or(core::ptr::null(), core::ptr::from_ref);
    // SAFETY: the object is a live dispatcher object; the timeout is on the stack.
    let status: NTSTATUS =
        unsafe { KeWaitForSingleObject(object, Executive, KernelMode, FALSE, timeout) };
    if status == STATUS_TIMEOUT { Wait::TimedOut } else { Wait::Satisfied }
}
