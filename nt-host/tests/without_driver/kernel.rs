//! Events, semaphores, timers, DPCs, threads, locks and rundown, as a driver uses them.

use core::ffi::c_void;
use core::mem::MaybeUninit;
use core::ptr;
use core::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use nt_host::{callback, clock, irql, stack};
use nt_sys::ex::{
    EX_RUNDOWN_REF, ExAcquireRundownProtection, ExAcquireSpinLockExclusive,
    ExAcquireSpinLockShared, ExInitializeRundownProtection, ExReInitializeRundownProtection,
    ExReleaseRundownProtection, ExReleaseSpinLockExclusive, ExReleaseSpinLockShared,
    ExWaitForRundownProtectionRelease,
};
use nt_sys::ke::{
    EVENT_TYPE, HighImportance, KDPC, KEVENT, KSEMAPHORE, KSPIN_LOCK, KTIMER,
    KeAcquireSpinLockRaiseToDpc, KeCancelTimer, KeFlushQueuedDpcs, KeGetCurrentIrql,
    KeGetCurrentProcessorNumberEx, KeInitializeDpc, KeInitializeEvent, KeInitializeSemaphore,
    KeInitializeTimerEx, KeInsertQueueDpc, KeReleaseSemaphore, KeReleaseSpinLock, KeRemoveQueueDpc,
    KeResetEvent, KeSetEvent, KeSetImportanceDpc, KeSetTargetProcessorDpcEx, KeSetTimerEx,
    KeWaitForMultipleObjects, KeWaitForSingleObject, NotificationEvent, NotificationTimer,
    SynchronizationEvent, SynchronizationTimer, WaitAll, WaitAny,
};
use nt_sys::ntdef::{HANDLE, NTSTATUS, PROCESSOR_NUMBER, PVOID};
use nt_sys::ob::{ObReferenceObjectByHandle, ObfDereferenceObject, ZwClose};
use nt_sys::ps::{
    KSTART_ROUTINE, PsCreateSystemThread, PsTerminateSystemThread, THREAD_ALL_ACCESS,
};
use nt_sys::status::{STATUS_SUCCESS, STATUS_TIMEOUT};

const MILLISECOND: i64 = 10_000;

fn event(kind: EVENT_TYPE, state: bool) -> KEVENT {
    let mut event = MaybeUninit::uninit();
    // SAFETY: the event is writable.
    unsafe { KeInitializeEvent(event.as_mut_ptr(), kind, u8::from(state)) };
    // SAFETY: initialized above. It may move while nobody waits on it.
    unsafe { event.assume_init() }
}

/// Moves an object to an address of its own, and initializes its list of waiters again.
fn placed_event(kind: EVENT_TYPE, state: bool) -> Box<KEVENT> {
    let mut placed = Box::new(event(kind, state));
    // SAFETY: the event is writable.
    unsafe { KeInitializeEvent(&raw mut *placed, kind, u8::from(state)) };
    placed
}

fn wait<T>(object: *const T, timeout: Option<i64>) -> NTSTATUS {
    let timeout = timeout.as_ref().map_or(ptr::null(), ptr::from_ref);
    // SAFETY: the tests' objects outlive the waits on them.
    unsafe { KeWaitForSingleObject(object.cast_mut().cast(), 0, 0, 0, timeout) }
}

fn start(routine: KSTART_ROUTINE, context: PVOID) -> PVOID {
    let mut handle: HANDLE = ptr::null_mut();
    // SAFETY: the handle is writable; the contexts of the tests outlive their threads.
    let status = unsafe {
        PsCreateSystemThread(
            &raw mut handle,
            THREAD_ALL_ACCESS,
            ptr::null_mut(),
            ptr::null_mut(),
            ptr::null_mut(),
            routine,
            context,
        )
    };
    assert_eq!(status, STATUS_SUCCESS);
    let mut thread = ptr::null_mut();
    // SAFETY: `thread` is writable.
    let status = unsafe {
        ObReferenceObjectByHandle(
            handle,
            THREAD_ALL_ACCESS,
            ptr::null_mut(),
            0,
            &raw mut thread,
            ptr::null_mut(),
        )
    };
    assert_eq!(status, STATUS_SUCCESS);
    // SAFETY: the handle is not used any more.
    assert_eq!(unsafe { ZwClose(handle) }, STATUS_SUCCESS);
    thread
}

fn join(thread: PVOID) {
    assert_eq!(wait(thread, None), STATUS_SUCCESS);
    // SAFETY: the reference of `start`.
    unsafe { ObfDereferenceObject(thread) };
}

#[test]
fn a_notification_event_stays_set() {
    let event = placed_event(NotificationEvent, false);
    let event: *const KEVENT = &raw const *event;
    assert_eq!(wait(event, Some(0)), STATUS_TIMEOUT);
    // SAFETY: the event is initialized.
    assert_eq!(unsafe { KeSetEvent(event.cast_mut(), 0, 0) }, 0);
    assert_eq!(wait(event, None), STATUS_SUCCESS);
    assert_eq!(wait(event, None), STATUS_SUCCESS);
    // SAFETY: the event is initialized.
    assert_eq!(unsafe { KeResetEvent(event.cast_mut()) }, 1);
    assert_eq!(wait(event, Some(-MILLISECOND)), STATUS_TIMEOUT);
}

#[test]
fn a_synchronization_event_ends_one_wait() {
    let event = placed_event(SynchronizationEvent, true);
    let event: *const KEVENT = &raw const *event;
    assert_eq!(wait(event, Some(0)), STATUS_SUCCESS);
    assert_eq!(wait(event, Some(0)), STATUS_TIMEOUT);
}

#[test]
fn an_event_wakes_a_thread() {
    struct Pair {
        ping: KEVENT,
        pong: KEVENT,
    }
    unsafe extern "efiapi" fn answer(context: PVOID) {
        let pair = context.cast::<Pair>();
        for _ in 0..1000 {
            // SAFETY: the pair outlives the thread.
            wait(unsafe { &raw const (*pair).ping }, None);
            // SAFETY: the pair outlives the thread.
            let pong = unsafe { &raw mut (*pair).pong };
            // SAFETY: the event is initialized, and outlives the thread.
            unsafe { KeSetEvent(pong, 0, 0) };
        }
    }
    let mut pair = Box::new(Pair {
        ping: event(SynchronizationEvent, false),
        pong: event(SynchronizationEvent, false),
    });
    for event in [&raw mut pair.ping, &raw mut pair.pong] {
        // SAFETY: the event is writable, and nobody waits on it.
        unsafe { KeInitializeEvent(event, SynchronizationEvent, 0) };
    }
    let pair = Box::into_raw(pair);
    let thread = start(answer, pair.cast());
    for _ in 0..1000 {
        // SAFETY: the pair is not freed before the end.
        let ping = unsafe { &raw mut (*pair).ping };
        // SAFETY: the event is initialized, and freed after the thread has ended.
        unsafe { KeSetEvent(ping, 0, 0) };
        // SAFETY: the pair is freed after the thread has ended.
        assert_eq!(wait(unsafe { &raw const (*pair).pong }, None), STATUS_SUCCESS);
    }
    join(thread);
    // SAFETY: the thread has ended.
    drop(unsafe { Box::from_raw(pair) });
}

#[test]
fn a_wait_on_many_tells_which_one_or_takes_all() {
    let first = placed_event(SynchronizationEvent, false);
    let second = placed_event(SynchronizationEvent, true);
    let objects: [PVOID; 2] =
        [(&raw const *first).cast_mut().cast(), (&raw const *second).cast_mut().cast()];
    let wait_many = |kind, timeout: i64| {
        // SAFETY: the objects outlive the wait.
        unsafe {
            KeWaitForMultipleObjects(
                2,
                objects.as_ptr(),
                kind,
                0,
                0,
                0,
                &raw const timeout,
                ptr::null_mut(),
            )
        }
    };
    assert_eq!(wait_many(WaitAll, -MILLISECOND), STATUS_TIMEOUT);
    // The wait for all objects has consumed no signal.
    assert_eq!(wait_many(WaitAny, 0), 1);
    assert_eq!(wait_many(WaitAny, 0), STATUS_TIMEOUT);
    for object in objects {
        // SAFETY: the events are initialized.
        unsafe { KeSetEvent(object.cast(), 0, 0) };
    }
    assert_eq!(wait_many(WaitAll, 0), STATUS_SUCCESS);
    assert_eq!(wait_many(WaitAny, 0), STATUS_TIMEOUT);
}

#[test]
fn a_wait_on_all_ends_when_the_last_is_signalled() {
    unsafe extern "efiapi" fn set_both(events: PVOID) {
        for index in [0, 1] {
            // SAFETY: the two events outlive the thread.
            unsafe { KeSetEvent(events.cast::<KEVENT>().wrapping_add(index), 0, 0) };
        }
    }
    let made = [event(NotificationEvent, false), event(NotificationEvent, false)];
    let first = Box::into_raw(Box::new(made)).cast::<KEVENT>();
    let second = first.wrapping_add(1);
    for event in [first, second] {
        // SAFETY: the event is writable, and nobody waits on it.
        unsafe { KeInitializeEvent(event, NotificationEvent, 0) };
    }
    let thread = start(set_both, first.cast());
    let objects: [PVOID; 3] = [first.cast(), second.cast(), thread];
    // SAFETY: the objects outlive the wait.
    let status = unsafe {
        KeWaitForMultipleObjects(
            3,
            objects.as_ptr(),
            WaitAll,
            0,
            0,
            0,
            ptr::null(),
            ptr::null_mut(),
        )
    };
    assert_eq!(status, STATUS_SUCCESS);
    join(thread);
    // SAFETY: the thread has ended.
    let made = unsafe { Box::from_raw(first.cast::<[KEVENT; 2]>()) };
    assert_eq!(made.map(|event| event.Header.SignalState), [1, 1]);
}

#[test]
fn a_semaphore_counts() {
    let semaphore = Box::into_raw(Box::new(MaybeUninit::<KSEMAPHORE>::uninit())).cast();
    // SAFETY: the semaphore is writable.
    unsafe { KeInitializeSemaphore(semaphore, 1, 3) };
    // SAFETY: the semaphore is initialized.
    assert_eq!(unsafe { KeReleaseSemaphore(semaphore, 0, 2, 0) }, 1);
    for _ in 0..3 {
        assert_eq!(wait(semaphore, Some(0)), STATUS_SUCCESS);
    }
    assert_eq!(wait(semaphore, Some(0)), STATUS_TIMEOUT);
    // SAFETY: nobody uses it any more.
    drop(unsafe { Box::from_raw(semaphore) });
}

#[test]
fn a_timer_is_not_early_and_can_be_cancelled() {
    let timer = Box::into_raw(Box::new(MaybeUninit::<KTIMER>::uninit())).cast::<KTIMER>();
    // SAFETY: the timer is writable.
    unsafe { KeInitializeTimerEx(timer, NotificationTimer) };
    let begin = clock::unbiased_time();
    // SAFETY: the timer is initialized.
    let was_set = unsafe { KeSetTimerEx(timer, -20 * MILLISECOND, 0, ptr::null_mut()) };
    assert_eq!(was_set, 0);
    assert_eq!(wait(timer, Some(0)), STATUS_TIMEOUT);
    assert_eq!(wait(timer, None), STATUS_SUCCESS);
    assert!(clock::unbiased_time() - begin >= 200_000);
    // SAFETY: the timer is initialized.
    unsafe { KeSetTimerEx(timer, -3600 * 1000 * MILLISECOND, 0, ptr::null_mut()) };
    // SAFETY: the timer is initialized.
    assert_eq!(unsafe { KeCancelTimer(timer) }, 1);
    // SAFETY: the timer is initialized.
    assert_eq!(unsafe { KeCancelTimer(timer) }, 0);
    assert_eq!(wait(timer, Some(0)), STATUS_TIMEOUT);
    // SAFETY: the timer is not set.
    drop(unsafe { Box::from_raw(timer) });
}

#[test]
fn a_periodic_timer_queues_its_dpc_again_and_again() {
    static RUNS: AtomicU32 = AtomicU32::new(0);
    unsafe extern "efiapi" fn count(_dpc: *mut KDPC, timer: PVOID, _low: PVOID, _high: PVOID) {
        assert_eq!(irql::current(), 2);
        if RUNS.fetch_add(1, Ordering::SeqCst) == 4 {
            // SAFETY: the timer outlives its DPC.
            unsafe { KeCancelTimer(timer.cast()) };
        }
    }
    let timer = Box::into_raw(Box::new(MaybeUninit::<KTIMER>::uninit())).cast::<KTIMER>();
    let dpc = Box::into_raw(Box::new(MaybeUninit::<KDPC>::uninit())).cast::<KDPC>();
    // SAFETY: the timer is writable.
    unsafe { KeInitializeTimerEx(timer, SynchronizationTimer) };
    // SAFETY: the DPC is writable.
    unsafe { KeInitializeDpc(dpc, count, timer.cast()) };
    // SAFETY: both are initialized.
    unsafe { KeSetTimerEx(timer, -MILLISECOND, 1, dpc) };
    while RUNS.load(Ordering::SeqCst) < 5 {
        // One expiration may have been consumed before the DPC was queued.
        wait(timer, Some(-10 * MILLISECOND));
    }
    // SAFETY: has no conditions.
    unsafe { KeFlushQueuedDpcs() };
    // SAFETY: neither is set or queued.
    drop((unsafe { Box::from_raw(timer) }, unsafe { Box::from_raw(dpc) }));
}

#[test]
fn dpcs_run_in_order_at_dispatch_level_on_their_processor() {
    static ORDER: Mutex<Vec<usize>> = Mutex::new(Vec::new());
    static HOLD: AtomicU32 = AtomicU32::new(0);
    unsafe extern "efiapi" fn note(_dpc: *mut KDPC, number: PVOID, first: PVOID, second: PVOID) {
        // SAFETY: has no conditions.
        assert_eq!(unsafe { KeGetCurrentIrql() }, 2);
        // SAFETY: null is allowed.
        assert_eq!(unsafe { KeGetCurrentProcessorNumberEx(ptr::null_mut()) }, 0);
        assert!(stack::in_driver());
        assert_eq!((first.addr(), second.addr()), (1, 2));
        while HOLD.load(Ordering::SeqCst) != 0 {
            std::thread::yield_now();
        }
        ORDER.lock().unwrap_or_else(PoisonError::into_inner).push(number.addr());
    }
    let mut dpcs: Vec<MaybeUninit<KDPC>> = (0..5).map(|_| MaybeUninit::uninit()).collect();
    HOLD.store(1, Ordering::SeqCst);
    let (first, second) = (ptr::without_provenance_mut(1), ptr::without_provenance_mut(2));
    for (number, dpc) in dpcs.iter_mut().enumerate() {
        let dpc = dpc.as_mut_ptr();
        // SAFETY: the DPC is writable.
        unsafe { KeInitializeDpc(dpc, note, ptr::without_provenance_mut(number)) };
        let processor = PROCESSOR_NUMBER::default();
        // SAFETY: the DPC is initialized.
        unsafe { KeSetTargetProcessorDpcEx(dpc, &raw const processor) };
        if number == 3 {
            // SAFETY: the DPC is initialized.
            unsafe { KeSetImportanceDpc(dpc, HighImportance) };
        }
        // SAFETY: the DPC stays until it ran.
        assert_eq!(unsafe { KeInsertQueueDpc(dpc, first, second) }, 1);
        while number == 0 && is_queued(dpc) {
            // Until the first one runs, and blocks the others.
            std::thread::yield_now();
        }
    }
    // A queued DPC is not queued again, and can be removed.
    let last = dpcs[4].as_mut_ptr();
    // SAFETY: the DPC is initialized.
    assert_eq!(unsafe { KeInsertQueueDpc(last, first, second) }, 0);
    // SAFETY: the DPC is initialized.
    assert_eq!(unsafe { KeRemoveQueueDpc(last) }, 1);
    // SAFETY: the DPC is initialized.
    assert_eq!(unsafe { KeRemoveQueueDpc(last) }, 0);
    HOLD.store(0, Ordering::SeqCst);
    // SAFETY: has no conditions.
    unsafe { KeFlushQueuedDpcs() };
    assert_eq!(*ORDER.lock().unwrap_or_else(PoisonError::into_inner), [0, 3, 1, 2]);
}

fn is_queued(dpc: *const KDPC) -> bool {
    // SAFETY: the DPC is initialized.
    let data = unsafe { &raw const (*dpc).DpcData };
    // SAFETY: the DPC is initialized; the read is volatile, as another thread writes the field.
    !unsafe { data.read_volatile() }.is_null()
}

#[test]
fn a_thread_ends_by_return_and_by_termination() {
    static ENDED: AtomicU32 = AtomicU32::new(0);
    unsafe extern "efiapi" fn returns(_context: PVOID) {
        ENDED.fetch_add(1, Ordering::SeqCst);
    }
    unsafe extern "efiapi" fn terminates(context: PVOID) {
        nested(context);
        ENDED.fetch_add(100, Ordering::SeqCst);
    }
    #[inline(never)]
    fn nested(context: PVOID) {
        assert!(context.is_null());
        ENDED.fetch_add(1, Ordering::SeqCst);
        // SAFETY: nothing of this stack is used afterwards.
        unsafe { PsTerminateSystemThread(STATUS_SUCCESS) };
        unreachable!("the thread is terminated");
    }
    for _ in 0..50 {
        let threads = [start(returns, ptr::null_mut()), start(terminates, ptr::null_mut())];
        for thread in threads {
            join(thread);
        }
    }
    assert_eq!(ENDED.load(Ordering::SeqCst), 100);
    // Not on a thread that is not a system thread.
    // SAFETY: nothing happens.
    assert!(unsafe { PsTerminateSystemThread(STATUS_SUCCESS) } < 0);
}

/// Counts with two threads under a lock.
fn count_on_threads(add: fn(*mut Counted)) -> u64 {
    let counted = Counted { lock: 0, readers: 0, count: 0 };
    let counted = Box::into_raw(Box::new(counted));
    let address = counted.expose_provenance();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(move || {
                for _ in 0..20_000 {
                    add(ptr::with_exposed_provenance_mut(address));
                }
            });
        }
    });
    // SAFETY: the threads have ended.
    unsafe { Box::from_raw(counted) }.count
}

struct Counted {
    lock: KSPIN_LOCK,
    readers: i32,
    count: u64,
}

#[test]
fn a_spin_lock_excludes() {
    let count = count_on_threads(|counted| {
        // SAFETY: the threads share it by this lock.
        let lock = unsafe { &raw mut (*counted).lock };
        // SAFETY: the lock is initialized.
        let before = unsafe { KeAcquireSpinLockRaiseToDpc(lock) };
        assert_eq!((before, irql::current()), (0, 2));
        // SAFETY: the lock is held.
        unsafe { (*counted).count += 1 };
        // SAFETY: the lock is held.
        unsafe { KeReleaseSpinLock(lock, before) };
        assert_eq!(irql::current(), 0);
    });
    assert_eq!(count, 60_000);
}

#[test]
fn a_spin_lock_for_readers_excludes_writers() {
    let count = count_on_threads(|counted| {
        // SAFETY: the threads share it by this lock.
        let lock = unsafe { &raw mut (*counted).readers };
        // SAFETY: the lock is initialized.
        let before = unsafe { ExAcquireSpinLockExclusive(lock) };
        // SAFETY: the lock is held.
        unsafe { (*counted).count += 1 };
        // SAFETY: the lock is held.
        unsafe { ExReleaseSpinLockExclusive(lock, before) };
        // SAFETY: the lock is initialized.
        let before = unsafe { ExAcquireSpinLockShared(lock) };
        // SAFETY: the lock is held by readers.
        assert_ne!(unsafe { (*counted).count }, 0);
        // SAFETY: the lock is held.
        unsafe { ExReleaseSpinLockShared(lock, before) };
    });
    assert_eq!(count, 60_000);
}

#[test]
fn a_rundown_waits_for_the_last_use() {
    static RELEASED: AtomicU32 = AtomicU32::new(0);
    unsafe extern "efiapi" fn release(context: PVOID) {
        RELEASED.store(1, Ordering::SeqCst);
        // SAFETY: acquired by the test; it waits for the release.
        unsafe { ExReleaseRundownProtection(context.cast::<EX_RUNDOWN_REF>()) };
    }
    let rundown = Box::into_raw(Box::new(EX_RUNDOWN_REF { Count: 7 }));
    // SAFETY: writable.
    unsafe { ExInitializeRundownProtection(rundown) };
    // SAFETY: initialized.
    assert_eq!(unsafe { ExAcquireRundownProtection(rundown) }, 1);
    let thread = start(release, rundown.cast::<c_void>());
    // SAFETY: initialized.
    unsafe { ExWaitForRundownProtectionRelease(rundown) };
    assert_eq!(RELEASED.load(Ordering::SeqCst), 1);
    // SAFETY: initialized.
    assert_eq!(unsafe { ExAcquireRundownProtection(rundown) }, 0);
    // SAFETY: the rundown is over.
    unsafe { ExReInitializeRundownProtection(rundown) };
    // SAFETY: initialized.
    assert_eq!(unsafe { ExAcquireRundownProtection(rundown) }, 1);
    join(thread);
    // SAFETY: the thread has ended.
    drop(unsafe { Box::from_raw(rundown) });
}

#[test]
fn a_callback_in_a_host_call_goes_on_on_the_drivers_stack() {
    let outer = callback::enter_driver(|| {
        let first = psm_stack_pointer();
        let nested = stack::on_host(|| {
            let host = psm_stack_pointer();
            (host, callback::enter_driver(psm_stack_pointer))
        });
        (first, nested)
    });
    let (first, (host, nested)) = outer;
    assert!(nested < first && first - nested < stack::STACK_BYTES, "{first:#x} {nested:#x}");
    assert!(host.abs_diff(first) > stack::STACK_BYTES);
}

#[inline(never)]
fn psm_stack_pointer() -> usize {
    let here = 0_u8;
    std::hint::black_box(&raw const here).addr()
}
