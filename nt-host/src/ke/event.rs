//! Events.

use core::sync::atomic::Ordering;

use nt_sys::ke::{EVENT_TYPE, KEVENT, NotificationEvent, SynchronizationEvent};
use nt_sys::ntdef::{APC_LEVEL, BOOLEAN, DISPATCH_LEVEL, HIGH_LEVEL, KPRIORITY, LONG};

use crate::irql;
use crate::ke::dispatcher::{self, NOTIFICATION_EVENT, SYNCHRONIZATION_EVENT};
use crate::violation::{Rule, stop};

const KINDS: &[u8] = &[NOTIFICATION_EVENT, SYNCHRONIZATION_EVENT];

export! { "ntoskrnl.exe";
    /// wdm.h, KeInitializeEvent.
    ///
    /// # IRQL
    /// Any.
    ///
    /// # Safety
    /// `event` is writable, and nobody waits on it.
    pub unsafe fn KeInitializeEvent(event: *mut KEVENT, kind: EVENT_TYPE, state: BOOLEAN) {
        let function = "KeInitializeEvent";
        irql::require_at_most(function, HIGH_LEVEL);
        let kind = if kind == NotificationEvent {
            NOTIFICATION_EVENT
        } else if kind == SynchronizationEvent {
            SYNCHRONIZATION_EVENT
        } else {
            stop(Rule::BAD_ARGUMENT, function, format_args!("no event has type {kind}"))
        };
        let words = (size_of::<KEVENT>() / 4) as u8;
        // SAFETY: as the caller promises.
        unsafe { dispatcher::initialize(event.cast(), kind, words, i32::from(state != 0)) };
    }

    /// wdm.h, KeSetEvent.
    ///
    /// # IRQL
    /// <= DISPATCH_LEVEL; with `wait`, <= APC_LEVEL.
    ///
    /// # Safety
    /// `event` is valid.
    pub unsafe fn KeSetEvent(event: *mut KEVENT, _increment: KPRIORITY, wait: BOOLEAN) -> LONG {
        let function = "KeSetEvent";
        irql::require_at_most(function, if wait == 0 { DISPATCH_LEVEL } else { APC_LEVEL });
        // SAFETY: as the caller promises.
        unsafe { dispatcher::require(function, event.cast(), KINDS) };
        // SAFETY: as the caller promises.
        let state = unsafe { dispatcher::state(event.cast()) };
        // An event that is set has no waiters: to set it again changes nothing.
        if state.fetch_or(0, Ordering::AcqRel) != 0 {
            return 1;
        }
        // SAFETY: as the caller promises.
        unsafe { dispatcher::signal(event.cast()) }
    }

    /// wdm.h, KeClearEvent.
    ///
    /// # IRQL
    /// <= DISPATCH_LEVEL.
    ///
    /// # Safety
    /// `event` is valid.
    pub unsafe fn KeClearEvent(event: *mut KEVENT) {
        let function = "KeClearEvent";
        irql::require_at_most(function, DISPATCH_LEVEL);
        // SAFETY: as the caller promises.
        unsafe { dispatcher::require(function, event.cast(), KINDS) };
        // SAFETY: as the caller promises.
        unsafe { dispatcher::state(event.cast()) }.store(0, Ordering::Release);
    }

    /// wdm.h, KeResetEvent: returns the state before.
    ///
    /// # IRQL
    /// <= DISPATCH_LEVEL.
    ///
    /// # Safety
    /// `event` is valid.
    pub unsafe fn KeResetEvent(event: *mut KEVENT) -> LONG {
        let function = "KeResetEvent";
        irql::require_at_most(function, DISPATCH_LEVEL);
        // SAFETY: as the caller promises.
        unsafe { dispatcher::require(function, event.cast(), KINDS) };
        // SAFETY: as the caller promises.
        unsafe { dispatcher::state(event.cast()) }.swap(0, Ordering::AcqRel)
    }
}
