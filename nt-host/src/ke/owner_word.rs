//! Lock words that name the owner of the lock.
//!
//! The word is 0 when the lock is free. Otherwise it is twice the owner's thread number, plus 1 if
//! a thread sleeps on the lock. A thread that holds a lock can be preempted here, so a long wait
//! sleeps.

use core::cell::Cell;
use core::ptr;
use core::sync::atomic::{AtomicU32, Ordering};

/// Set in the word when a thread sleeps on the lock.
const PARKED: u32 = 1;

thread_local! {
    static THREAD_NUMBER: Cell<u32> = const { Cell::new(0) };
}

/// Twice this thread's number, which is the word of a lock that it holds.
pub(crate) fn thread_word() -> u32 {
    let number = THREAD_NUMBER.get();
    if number != 0 {
        return number;
    }
    static NEXT: AtomicU32 = AtomicU32::new(2);
    let number = NEXT.fetch_add(2, Ordering::Relaxed);
    THREAD_NUMBER.set(number);
    number
}

/// Whether this thread owns the lock with this word.
pub(crate) fn is_mine(word: u32) -> bool {
    word & !PARKED == thread_word()
}

/// Acquires the lock if it is free and no thread sleeps on it.
pub(crate) fn try_acquire(word: &AtomicU32) -> bool {
    word.compare_exchange(0, thread_word(), Ordering::Acquire, Ordering::Relaxed).is_ok()
}

/// Acquires the lock. Sleeps until it is free.
#[cold]
pub(crate) fn acquire_asleep(word: &AtomicU32) {
    // From here on the word says that a thread sleeps, even when this thread has acquired the lock:
    // others may sleep.
    let mine = thread_word() | PARKED;
    loop {
        let now = word.load(Ordering::Relaxed);
        if now == 0 {
            if word.compare_exchange(0, mine, Ordering::Acquire, Ordering::Relaxed).is_ok() {
                return;
            }
        } else if now & PARKED != 0
            || word
                .compare_exchange(now, now | PARKED, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
        {
            futex_wait(word, now | PARKED);
        }
    }
}

/// Releases the lock and wakes one thread that sleeps on it. Returns the word before.
pub(crate) fn release(word: &AtomicU32) -> u32 {
    let before = word.swap(0, Ordering::Release);
    if before & PARKED != 0 {
        futex_wake_one(word);
    }
    before
}

/// Sleeps while the word has this value.
fn futex_wait(word: &AtomicU32, value: u32) {
    // SAFETY: `word` is valid for the call; without a timeout.
    unsafe {
        libc::syscall(
            libc::SYS_futex,
            word.as_ptr(),
            libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG,
            value,
            ptr::null::<libc::timespec>(),
        )
    };
}

/// Wakes one thread that sleeps on the word.
fn futex_wake_one(word: &AtomicU32) {
    // SAFETY: the address only names the queue; it is not read.
    unsafe {
        libc::syscall(
            libc::SYS_futex,
            word.as_ptr(),
            libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG,
            1,
        )
    };
}
