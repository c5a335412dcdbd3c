//! Timers. One thread waits for the earliest due time, signals that timer and queues its DPC.

use core::ops::Range;
use core::ptr;
use core::sync::atomic::Ordering;
use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, Once, PoisonError};

use nt_sys::ke::{KDPC, KTIMER, NotificationTimer, SynchronizationTimer, TIMER_TYPE};
use nt_sys::ntdef::{BOOLEAN, DISPATCH_LEVEL, LARGE_INTEGER, LONG, ULONG};

use crate::clock;
use crate::irql;
use crate::ke::dispatcher::{self, NOTIFICATION_TIMER, SYNCHRONIZATION_TIMER};
use crate::ke::dpc;
use crate::violation::{Rule, stop};

const KINDS: &[u8] = &[NOTIFICATION_TIMER, SYNCHRONIZATION_TIMER];

/// The due time of a timer, and a serial number that orders timers with the same due time.
type Due = (u64, u64);

struct Armed {
    timer: *mut KTIMER,
    dpc: *mut KDPC,
    /// The period in 100 ns; 0 for a timer that expires once.
    period: u64,
}

// SAFETY: a timer that is set is valid, and is only accessed with the lock of the timers held.
unsafe impl Send for Armed {}

struct Timers {
    by_due: BTreeMap<Due, Armed>,
    by_address: BTreeMap<usize, Due>,
    count: u64,
}

static TIMERS: Mutex<Timers> =
    Mutex::new(Timers { by_due: BTreeMap::new(), by_address: BTreeMap::new(), count: 0 });
static CHANGED: Condvar = Condvar::new();

export! { "ntoskrnl.exe";
    /// wdm.h, KeInitializeTimerEx.
    ///
    /// # IRQL
    /// <= DISPATCH_LEVEL.
    ///
    /// # Safety
    /// `timer` is writable, and not set.
    pub unsafe fn KeInitializeTimerEx(timer: *mut KTIMER, kind: TIMER_TYPE) {
        let function = "KeInitializeTimerEx";
        irql::require_at_most(function, DISPATCH_LEVEL);
        let kind = if kind == NotificationTimer {
            NOTIFICATION_TIMER
        } else if kind == SynchronizationTimer {
            SYNCHRONIZATION_TIMER
        } else {
            stop(Rule::BAD_ARGUMENT, function, format_args!("timer type {kind} is not valid"))
        };
        if active_in(&(timer.addr()..timer.addr() + 1)).is_some() {
            stop(Rule::BAD_OBJECT, function, format_args!("the timer at {timer:p} is set"));
        }
        // SAFETY: as the caller promises; all zeros is a value of this type.
        unsafe { timer.write_bytes(0, 1) };
        let words = (size_of::<KTIMER>() / 4) as u8;
        // SAFETY: as the caller promises.
        unsafe { dispatcher::initialize(timer.cast(), kind, words, 0) };
    }

    /// wdm.h, KeSetTimerEx: returns true if the timer was set. The earlier setting is cancelled.
    ///
    /// # IRQL
    /// <= DISPATCH_LEVEL.
    ///
    /// # Safety
    /// `timer` is initialized. It and `dpc` stay valid until the timer has expired or is cancelled.
    pub unsafe fn KeSetTimerEx(
        timer: *mut KTIMER,
        due_time: LARGE_INTEGER,
        period_ms: LONG,
        dpc: *mut KDPC,
    ) -> BOOLEAN {
        let function = "KeSetTimerEx";
        irql::require_at_most(function, DISPATCH_LEVEL);
        let Ok(period_ms) = u32::try_from(period_ms) else {
            stop(
                Rule::BAD_ARGUMENT,
                function,
                format_args!("a period of {period_ms} ms is not valid"),
            );
        };
        // SAFETY: as the caller promises.
        BOOLEAN::from(unsafe { set(function, timer, due_time, period_ms, dpc) })
    }

    /// wdm.h, KeSetCoalescableTimer: the tolerable delay is ignored.
    ///
    /// # IRQL
    /// <= DISPATCH_LEVEL.
    ///
    /// # Safety
    /// As for [`KeSetTimerEx`].
    pub unsafe fn KeSetCoalescableTimer(
        timer: *mut KTIMER,
        due_time: LARGE_INTEGER,
        period_ms: ULONG,
        _tolerable_delay_ms: ULONG,
        dpc: *mut KDPC,
    ) -> BOOLEAN {
        let function = "KeSetCoalescableTimer";
        irql::require_at_most(function, DISPATCH_LEVEL);
        // SAFETY: as the caller promises.
        BOOLEAN::from(unsafe { set(function, timer, due_time, period_ms, dpc) })
    }

    /// wdm.h, KeCancelTimer: returns true if the timer was set. Its DPC may still be queued or
    /// running.
    ///
    /// # IRQL
    /// <= DISPATCH_LEVEL.
    ///
    /// # Safety
    /// `timer` is initialized.
    pub unsafe fn KeCancelTimer(timer: *mut KTIMER) -> BOOLEAN {
        let function = "KeCancelTimer";
        irql::require_at_most(function, DISPATCH_LEVEL);
        // SAFETY: as the caller promises.
        unsafe { dispatcher::require(function, timer.cast(), KINDS) };
        BOOLEAN::from(lock().disarm(timer.addr()))
    }
}

/// Finds a timer that is set and whose memory begins in the range.
pub(crate) fn active_in(range: &Range<usize>) -> Option<usize> {
    lock().by_address.range(range.clone()).next().map(|(address, _)| *address)
}

/// Lists the timers that are set, one line each.
pub(crate) fn left() -> Vec<String> {
    lock().by_address.keys().map(|address| format!("timer set at {address:#x}")).collect()
}

impl Timers {
    fn arm(&mut self, due: u64, armed: Armed) {
        self.count = self.count.wrapping_add(1);
        let due = (due, self.count);
        self.by_address.insert(armed.timer.addr(), due);
        self.by_due.insert(due, armed);
    }

    fn disarm(&mut self, address: usize) -> bool {
        let due = self.by_address.remove(&address);
        due.is_some_and(|due| self.by_due.remove(&due).is_some())
    }
}

/// # Safety
/// As for [`KeSetTimerEx`].
unsafe fn set(
    function: &str,
    timer: *mut KTIMER,
    due_time: i64,
    period_ms: u32,
    dpc: *mut KDPC,
) -> bool {
    // SAFETY: as the caller promises.
    unsafe { dispatcher::require(function, timer.cast(), KINDS) };
    start_thread();
    let due = clock::deadline(due_time);
    let period = u64::from(period_ms) * (clock::PER_SECOND / 1000);
    let mut timers = lock();
    let was_set = timers.disarm(timer.addr());
    // SAFETY: as the caller promises; the lock of the timers is held.
    unsafe { dispatcher::state(timer.cast()) }.store(0, Ordering::Release);
    // SAFETY: the timer is valid, and the lock of the timers is held.
    unsafe { (*timer).DueTime = due };
    // SAFETY: the timer is valid, and the lock of the timers is held.
    unsafe { (*timer).Dpc = dpc };
    // SAFETY: the timer is valid, and the lock of the timers is held.
    unsafe { (*timer).Period = period_ms };
    timers.arm(due, Armed { timer, dpc, period });
    let earliest = timers.by_due.first_key_value().is_some_and(|(first, _)| first.0 == due);
    drop(timers);
    if earliest {
        CHANGED.notify_one();
    }
    was_set
}

fn start_thread() {
    static START: Once = Once::new();
    START.call_once(|| {
        if let Err(error) = std::thread::Builder::new().name("timers".to_owned()).spawn(run) {
            stop(
                Rule::LEFT_AT_UNLOAD,
                "timers",
                format_args!("the thread for timers cannot be started: {error}"),
            );
        }
    });
}

fn run() {
    let mut timers = lock();
    loop {
        let now = clock::unbiased_time();
        let Some(first) = timers.by_due.first_entry() else {
            timers = CHANGED.wait(timers).unwrap_or_else(PoisonError::into_inner);
            continue;
        };
        let due = first.key().0;
        if due > now {
            let wait = clock::duration(due - now);
            timers = CHANGED.wait_timeout(timers, wait).unwrap_or_else(PoisonError::into_inner).0;
            continue;
        }
        let armed = first.remove();
        timers.by_address.remove(&armed.timer.addr());
        let (timer, dpc) = (armed.timer, armed.dpc);
        if armed.period != 0 {
            timers.arm(due.saturating_add(armed.period).max(now), armed);
        }
        // The lock stays held: after a cancel returns, nothing accesses the timer.
        // SAFETY: a timer that is set is valid.
        unsafe { dispatcher::signal(timer.cast()) };
        if !dpc.is_null() {
            let low = ptr::without_provenance_mut((now & 0xffff_ffff) as usize);
            let high = ptr::without_provenance_mut((now >> 32) as usize);
            // SAFETY: the DPC of a timer that is set is valid.
            unsafe { dpc::insert("timer", dpc, low, high) };
        }
    }
}

fn lock() -> MutexGuard<'static, Timers> {
    TIMERS.lock().unwrap_or_else(PoisonError::into_inner)
}
