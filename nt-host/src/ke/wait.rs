//! Waits.

use core::ptr;
use core::sync::atomic::{AtomicU32, Ordering};

use nt_sys::ke::{
    DISPATCHER_HEADER, KWAIT_BLOCK, KWAIT_REASON, MAXIMUM_WAIT_OBJECTS, THREAD_WAIT_OBJECTS,
    WAIT_TYPE, WaitAll, WaitAny,
};
use nt_sys::ntdef::{
    APC_LEVEL, BOOLEAN, DISPATCH_LEVEL, KPROCESSOR_MODE, LARGE_INTEGER, NTSTATUS, PVOID, ULONG,
};
use nt_sys::status::{STATUS_SUCCESS, STATUS_TIMEOUT, STATUS_WAIT_0};

use crate::clock;
use crate::irql::{self, Name};
use crate::ke::dispatcher::{
    self, NOTIFICATION_EVENT, NOTIFICATION_TIMER, SEMAPHORE, SYNCHRONIZATION_EVENT,
    SYNCHRONIZATION_TIMER, THREAD, WaitBlock, Waiter,
};
use crate::stack;
use crate::violation::{Rule, stop};

const KINDS: &[u8] = &[
    NOTIFICATION_EVENT,
    SYNCHRONIZATION_EVENT,
    SEMAPHORE,
    THREAD,
    NOTIFICATION_TIMER,
    SYNCHRONIZATION_TIMER,
];

export! { "ntoskrnl.exe";
    /// wdm.h, KeWaitForSingleObject: a null `timeout` waits without limit, 0 does not wait, a
    /// negative value is relative.
    ///
    /// # IRQL
    /// <= APC_LEVEL; with a timeout of 0, <= DISPATCH_LEVEL.
    ///
    /// # Safety
    /// `object` is a dispatcher object that stays valid during the wait; `timeout` is null or
    /// readable.
    pub unsafe fn KeWaitForSingleObject(
        object: PVOID,
        _wait_reason: KWAIT_REASON,
        _wait_mode: KPROCESSOR_MODE,
        _alertable: BOOLEAN,
        timeout: *const LARGE_INTEGER,
    ) -> NTSTATUS {
        let function = "KeWaitForSingleObject";
        // SAFETY: as the caller promises.
        let timeout = unsafe { timeout.as_ref() }.copied();
        require_level(function, timeout);
        let header = object.cast::<DISPATCHER_HEADER>();
        // SAFETY: as the caller promises.
        unsafe { dispatcher::require(function, header, KINDS) };
        // SAFETY: as the caller promises.
        if unsafe { dispatcher::try_take(header) } {
            dispatcher::settle();
            return STATUS_SUCCESS;
        }
        if timeout == Some(0) {
            return STATUS_TIMEOUT;
        }
        let mut blocks = [WaitBlock::new(header)];
        // SAFETY: as the caller promises.
        unsafe { wait(false, &mut blocks, timeout) }
    }

    /// wdm.h, KeWaitForMultipleObjects: with WaitAny, the status is STATUS_WAIT_0 plus the index of
    /// the object.
    ///
    /// # IRQL
    /// As for [`KeWaitForSingleObject`].
    ///
    /// # Safety
    /// `objects` has `count` dispatcher objects that stay valid during the wait; `timeout` is null
    /// or readable.
    pub unsafe fn KeWaitForMultipleObjects(
        count: ULONG,
        objects: *const PVOID,
        wait_type: WAIT_TYPE,
        _wait_reason: KWAIT_REASON,
        _wait_mode: KPROCESSOR_MODE,
        _alertable: BOOLEAN,
        timeout: *const LARGE_INTEGER,
        wait_block_array: *mut KWAIT_BLOCK,
    ) -> NTSTATUS {
        let function = "KeWaitForMultipleObjects";
        // SAFETY: as the caller promises.
        let timeout = unsafe { timeout.as_ref() }.copied();
        require_level(function, timeout);
        if count > MAXIMUM_WAIT_OBJECTS
            || (wait_block_array.is_null() && count > THREAD_WAIT_OBJECTS)
            || count == 0
        {
            stop(
                Rule::BAD_ARGUMENT,
                function,
                format_args!("{count} objects: the limit is 3, or 64 with wait blocks"),
            );
        }
        if wait_type != WaitAll && wait_type != WaitAny {
            stop(Rule::BAD_ARGUMENT, function, format_args!("wait type {wait_type} is not valid"));
        }
        // SAFETY: as the caller promises.
        let objects = unsafe { core::slice::from_raw_parts(objects, count as usize) };
        stack::on_host(|| {
            let mut blocks: Vec<WaitBlock> =
                objects.iter().map(|object| WaitBlock::new(object.cast())).collect();
            for object in objects {
                // SAFETY: as the caller promises.
                unsafe { dispatcher::require(function, object.cast(), KINDS) };
            }
            // SAFETY: as the caller promises.
            unsafe { wait(wait_type == WaitAll, &mut blocks, timeout) }
        })
    }

    /// wdm.h, KeDelayExecutionThread.
    ///
    /// # IRQL
    /// <= APC_LEVEL.
    ///
    /// # Safety
    /// `interval` is readable.
    pub unsafe fn KeDelayExecutionThread(
        _wait_mode: KPROCESSOR_MODE,
        _alertable: BOOLEAN,
        interval: *const LARGE_INTEGER,
    ) -> NTSTATUS {
        let function = "KeDelayExecutionThread";
        require_level(function, None);
        // SAFETY: as the caller promises.
        let deadline = clock::deadline(unsafe { interval.read() });
        let never = AtomicU32::new(0);
        while clock::unbiased_time() < deadline {
            sleep(&never, Some(deadline));
        }
        STATUS_SUCCESS
    }
}

fn require_level(function: &str, timeout: Option<i64>) {
    if timeout == Some(0) {
        irql::require_at_most(function, DISPATCH_LEVEL);
    } else if irql::current() > APC_LEVEL {
        stop(
            Rule::WAIT_AT_DISPATCH,
            function,
            format_args!("can block, and was called at {}", Name(irql::current())),
        );
    } else {
        irql::require_at_most(function, APC_LEVEL);
    }
}

/// Waits until one object, or all objects, are signalled, and consumes their signals.
///
/// # Safety
/// The objects are valid during the wait.
unsafe fn wait(all: bool, blocks: &mut [WaitBlock], timeout: Option<i64>) -> NTSTATUS {
    let deadline = timeout.map(clock::deadline);
    let waiter = Waiter::new(all, blocks);
    {
        let _lock = dispatcher::lock();
        // SAFETY: the objects are valid, and the lock is held.
        if let Some(index) = unsafe { waiter.try_end() } {
            return STATUS_WAIT_0 + index;
        }
        if timeout == Some(0) {
            return STATUS_TIMEOUT;
        }
        // SAFETY: the waiter stays here until it is unlinked, by the thread that ends the wait or
        // below.
        unsafe { waiter.link() };
    }
    loop {
        let ended = waiter.word.load(Ordering::Acquire);
        if ended != 0 {
            // The thread that ended the wait still accesses the object, which this caller may free.
            // Wait until it has finished.
            dispatcher::settle();
            return STATUS_WAIT_0 + (ended - 1).cast_signed();
        }
        if deadline.is_some_and(|deadline| clock::unbiased_time() >= deadline) {
            let _lock = dispatcher::lock();
            let ended = waiter.word.load(Ordering::Acquire);
            if ended != 0 {
                return STATUS_WAIT_0 + (ended - 1).cast_signed();
            }
            // SAFETY: linked above, and no thread has ended the wait.
            unsafe { waiter.unlink() };
            return STATUS_TIMEOUT;
        }
        sleep(&waiter.word, deadline);
    }
}

/// Sleeps while the word is 0, until the deadline in unbiased time.
fn sleep(word: &AtomicU32, deadline: Option<u64>) {
    let time = deadline.map(|deadline| {
        let duration = clock::duration(deadline);
        libc::timespec {
            tv_sec: duration.as_secs().min(i64::MAX.cast_unsigned() / 2).cast_signed(),
            tv_nsec: i64::from(duration.subsec_nanos()),
        }
    });
    let time = time.as_ref().map_or(ptr::null(), ptr::from_ref);
    // SAFETY: `word` and `time` are valid for the call.
    unsafe {
        libc::syscall(
            libc::SYS_futex,
            word.as_ptr(),
            libc::FUTEX_WAIT_BITSET | libc::FUTEX_PRIVATE_FLAG,
            0,
            time,
            ptr::null::<u32>(),
            libc::FUTEX_BITSET_MATCH_ANY,
        )
    };
}
