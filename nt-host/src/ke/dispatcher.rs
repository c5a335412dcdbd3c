//! Dispatcher objects: their common header and their lists of waiters.
//!
//! One lock guards all lists of waiters, as in NT before Windows 7. The state of an object changes
//! only atomically. A signalled object has no waiters, so a signalled object can be acquired
//! without the lock.

use core::ptr;
use core::sync::atomic::{AtomicI32, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use nt_sys::ke::DISPATCHER_HEADER;
use nt_sys::ntdef::LIST_ENTRY;

use crate::violation::{Rule, stop};

// SAFETY 1: the block is one of the slice that the waiter was made from, and stays until the end of
//           the wait.
// SAFETY 2: the lock is held. Only its holder reads and writes blocks and lists of waiters.
// SAFETY 3: each entry of a list of waiters is the first field of a linked block.
// SAFETY 4: an object is valid while a thread waits on it.

/// Types of objects, by the values of `KOBJECTS`.
pub(crate) const NOTIFICATION_EVENT: u8 = 0;
pub(crate) const SYNCHRONIZATION_EVENT: u8 = 1;
pub(crate) const SEMAPHORE: u8 = 5;
pub(crate) const THREAD: u8 = 6;
pub(crate) const NOTIFICATION_TIMER: u8 = 8;
pub(crate) const SYNCHRONIZATION_TIMER: u8 = 9;

static LOCK: Mutex<()> = Mutex::new(());

/// The lock of all lists of waiters.
pub(crate) fn lock() -> MutexGuard<'static, ()> {
    LOCK.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits until no thread is in the middle of signalling. A thread that was woken may free the
/// object, for example an event on its own stack. The signalling thread must have finished with the
/// object by then.
pub(crate) fn settle() {
    if LOCK.try_lock().is_err() {
        drop(lock());
    }
}

/// A thread that waits.
pub(crate) struct Waiter {
    /// 0 during the wait, then 1 plus the index of the object that ended it.
    pub(crate) word: AtomicU32,
    /// Whether the thread waits for all objects instead of any.
    all: bool,
    blocks: *mut WaitBlock,
    count: usize,
}

/// The link between a waiting thread and one of its objects.
#[repr(C)]
pub(crate) struct WaitBlock {
    entry: LIST_ENTRY,
    header: *mut DISPATCHER_HEADER,
    waiter: *const Waiter,
    index: u32,
}

impl WaitBlock {
    pub(crate) fn new(header: *mut DISPATCHER_HEADER) -> Self {
        let entry = LIST_ENTRY { Flink: ptr::null_mut(), Blink: ptr::null_mut() };
        Self { entry, header, waiter: ptr::null(), index: 0 }
    }
}

impl Waiter {
    pub(crate) fn new(all: bool, blocks: &mut [WaitBlock]) -> Self {
        let (blocks, count) = (blocks.as_mut_ptr(), blocks.len());
        Self { word: AtomicU32::new(0), all, blocks, count }
    }

    /// Ends the wait without sleeping if the objects allow it, and returns the index of the object.
    /// The caller holds [`lock`].
    ///
    /// # Safety
    /// The objects are valid.
    pub(crate) unsafe fn try_end(&self) -> Option<i32> {
        if self.all {
            // SAFETY: as the caller promises.
            let all = unsafe { self.all_signalled() };
            if all {
                // SAFETY: as the caller promises.
                unsafe { self.take_all() };
            }
            return all.then_some(0);
        }
        (0..self.count)
            .find(|index| {
                // SAFETY: 1.
                let block = unsafe { self.blocks.add(*index) };
                // SAFETY: 1.
                let header = unsafe { (*block).header };
                // SAFETY: as the caller promises.
                unsafe { try_take(header) }
            })
            .map(|index| index as i32)
    }

    /// Links the waiter to its objects. The caller holds [`lock`].
    ///
    /// # Safety
    /// The waiter and its blocks stay in place until it is unlinked. The objects are valid.
    pub(crate) unsafe fn link(&self) {
        for index in 0..self.count {
            // SAFETY: 1.
            let block = unsafe { self.blocks.add(index) };
            // SAFETY: 1 and 2.
            let block = unsafe { &mut *block };
            block.waiter = self;
            block.index = index as u32;
            // SAFETY: 4.
            let head = unsafe { &raw mut (*block.header).WaitListHead };
            // SAFETY: `head` is the head of a list, and the block is in no list.
            unsafe { insert_tail(head, &raw mut block.entry) };
        }
    }

    /// Unlinks the waiter from its objects. The caller holds [`lock`].
    ///
    /// # Safety
    /// It is linked.
    pub(crate) unsafe fn unlink(&self) {
        for index in 0..self.count {
            // SAFETY: 1.
            let block = unsafe { self.blocks.add(index) };
            // SAFETY: the block is linked.
            unsafe { remove(block.cast()) };
        }
    }

    /// Whether all of its objects are signalled. The caller holds [`lock`].
    unsafe fn all_signalled(&self) -> bool {
        (0..self.count).all(|index| {
            // SAFETY: 1.
            let block = unsafe { self.blocks.add(index) };
            // SAFETY: 1.
            let header = unsafe { (*block).header };
            // SAFETY: 4.
            unsafe { state(header) }.load(Ordering::Acquire) > 0
        })
    }

    /// Consumes the signals of all its objects. The caller holds [`lock`].
    unsafe fn take_all(&self) {
        for index in 0..self.count {
            // SAFETY: 1.
            let block = unsafe { self.blocks.add(index) };
            // SAFETY: 1.
            let header = unsafe { (*block).header };
            // SAFETY: 4.
            unsafe { try_take(header) };
        }
    }
}

/// Initializes the header of an object.
///
/// # Safety
/// `header` is writable, and nobody waits on it.
pub(crate) unsafe fn initialize(header: *mut DISPATCHER_HEADER, kind: u8, words: u8, state: i32) {
    // SAFETY: as the caller promises.
    let head = unsafe { &raw mut (*header).WaitListHead };
    let value = DISPATCHER_HEADER {
        Type: kind,
        Signalling: 0,
        Size: words,
        Reserved1: 0,
        SignalState: state,
        WaitListHead: LIST_ENTRY { Flink: head, Blink: head },
    };
    // SAFETY: as the caller promises.
    unsafe { header.write(value) };
}

/// Stops unless `header` is an initialized object of one of these types.
///
/// # Safety
/// `header` is readable if it is aligned and not null.
pub(crate) unsafe fn require(function: &str, header: *mut DISPATCHER_HEADER, kinds: &[u8]) {
    if header.is_null() || !header.is_aligned() {
        stop(Rule::BAD_OBJECT, function, format_args!("there is no object at {header:p}"));
    }
    // SAFETY: as the caller promises.
    let DISPATCHER_HEADER { Type: kind, Size: words, .. } = unsafe { *header };
    if !kinds.contains(&kind) || words == 0 {
        stop(
            Rule::BAD_OBJECT,
            function,
            format_args!(
                "the object at {header:p} is not initialized, or of another type ({kind})"
            ),
        );
    }
}

/// The signal state of an object.
///
/// # Safety
/// The object is valid for `'a`.
pub(crate) unsafe fn state<'a>(header: *mut DISPATCHER_HEADER) -> &'a AtomicI32 {
    // SAFETY: as the caller promises.
    let state = unsafe { &raw mut (*header).SignalState };
    // SAFETY: aligned; changed by atomic operations only.
    unsafe { AtomicI32::from_ptr(state) }
}

/// Consumes the signal of an object if it is signalled, as the end of a wait does.
///
/// # Safety
/// The object is valid.
pub(crate) unsafe fn try_take(header: *mut DISPATCHER_HEADER) -> bool {
    // SAFETY: as the caller promises.
    let kind = unsafe { (*header).Type };
    // SAFETY: as the caller promises.
    let state = unsafe { state(header) };
    match kind {
        SYNCHRONIZATION_EVENT | SYNCHRONIZATION_TIMER => {
            state.compare_exchange(1, 0, Ordering::Acquire, Ordering::Relaxed).is_ok()
        }
        SEMAPHORE => state
            .fetch_update(Ordering::Acquire, Ordering::Relaxed, |count| {
                (count > 0).then(|| count - 1)
            })
            .is_ok(),
        _ => state.load(Ordering::Acquire) > 0,
    }
}

/// Ends the waits that the new state of an object allows. The caller holds [`lock`].
///
/// # Safety
/// The object is valid.
pub(crate) unsafe fn release_waiters(header: *mut DISPATCHER_HEADER) {
    // SAFETY: as the caller promises.
    let head = unsafe { &raw mut (*header).WaitListHead };
    // SAFETY: 2.
    let mut entry = unsafe { (*head).Flink };
    while entry != head {
        let block = entry.cast::<WaitBlock>();
        // SAFETY: 3.
        let next = unsafe { (*entry).Flink };
        // SAFETY: 3, and a linked block is valid.
        let WaitBlock { waiter, index, .. } = unsafe { &*block };
        let (waiter, index) = (*waiter, *index);
        // SAFETY: a linked waiter is valid.
        let waiter = unsafe { &*waiter };
        let ended = if waiter.all {
            // SAFETY: the lock is held.
            let all = unsafe { waiter.all_signalled() };
            if all {
                // SAFETY: the lock is held.
                unsafe { waiter.take_all() };
            }
            all
        } else {
            // SAFETY: as the caller promises.
            let taken = unsafe { try_take(header) };
            if !taken {
                return;
            }
            taken
        };
        entry = next;
        if ended {
            // The next entry can belong to the same waiter, which may wait on one object twice.
            // Start over.
            entry = head;
            // SAFETY: the waiter is linked.
            unsafe { waiter.unlink() };
            let word = &waiter.word;
            let address = word.as_ptr();
            word.store(if waiter.all { 1 } else { index + 1 }, Ordering::Release);
            // The waiter may not exist from here on.
            wake(address);
            // SAFETY: 2.
            entry = unsafe { (*entry).Flink };
        }
    }
}

/// Signals an object: sets its state and ends the waits that this allows. Returns the previous
/// state.
///
/// # Safety
/// The object is valid.
pub(crate) unsafe fn signal(header: *mut DISPATCHER_HEADER) -> i32 {
    let lock = lock();
    // SAFETY: as the caller promises.
    let before = unsafe { state(header) }.swap(1, Ordering::AcqRel);
    // SAFETY: as the caller promises; the lock is held.
    unsafe { release_waiters(header) };
    drop(lock);
    before
}

fn wake(address: *mut u32) {
    // SAFETY: the address only names the queue; it is not read.
    unsafe {
        libc::syscall(libc::SYS_futex, address, libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG, 1)
    };
}

/// # Safety
/// `head` is the head of a list, and `entry` is in no list.
unsafe fn insert_tail(head: *mut LIST_ENTRY, entry: *mut LIST_ENTRY) {
    // SAFETY: as the caller promises.
    let last = unsafe { (*head).Blink };
    // SAFETY: as the caller promises.
    unsafe { entry.write(LIST_ENTRY { Flink: head, Blink: last }) };
    // SAFETY: the last entry, or the head.
    unsafe { (*last).Flink = entry };
    // SAFETY: as the caller promises.
    unsafe { (*head).Blink = entry };
}

/// # Safety
/// `entry` is in a list.
unsafe fn remove(entry: *mut LIST_ENTRY) {
    // SAFETY: as the caller promises.
    let LIST_ENTRY { Flink: next, Blink: last } = unsafe { *entry };
    // SAFETY: neighbours in a list.
    unsafe { (*last).Flink = next };
    // SAFETY: neighbours in a list.
    unsafe { (*next).Blink = last };
}
