//! The order in which locks are acquired ("Deadlock Detection", windows-driver-docs). If a lock is
//! held when another is acquired, the first is ordered before the second. Two locks in both orders
//! can deadlock, even if they have not done so in this run.
//!
//! Driver Verifier watches spin locks, mutexes and fast mutexes. This module watches spin locks of
//! all kinds and push locks. A lock is identified by its address until its memory is freed. Locks
//! on a driver's stack are not watched, because nothing reports the end of a frame.

use core::cell::RefCell;
use core::fmt;
use core::ops::Range;
use core::sync::atomic::{AtomicBool, Ordering};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::stack;
use crate::violation::{Rule, stop};

/// Whether the machine's option is on.
static WANTED: AtomicBool = AtomicBool::new(false);
/// Whether the option is on and every free of driver memory is reported to [`forget`].
static WATCHING: AtomicBool = AtomicBool::new(false);

/// For each lock, the locks that were acquired while it was held.
static AFTER: Mutex<BTreeMap<usize, BTreeSet<usize>>> = Mutex::new(BTreeMap::new());

thread_local! {
    /// The locks that this thread holds, in the order of their acquisition.
    static HELD: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}

/// Sets the option, before a driver is loaded.
pub(crate) fn want(on: bool) {
    WANTED.store(on, Ordering::Relaxed);
}

/// Starts when the first driver is loaded. `frees_are_told` is false if memory that the driver
/// frees is not reported here: a new lock could then have the address of a freed one.
pub(crate) fn begin(frees_are_told: bool) {
    let watching = WANTED.load(Ordering::Relaxed) && frees_are_told;
    WATCHING.store(watching, Ordering::Relaxed);
}

/// Ends when the last driver is unloaded.
pub(crate) fn end() {
    WATCHING.store(false, Ordering::Relaxed);
    *lock() = BTreeMap::new();
}

/// Records that a lock is about to be acquired, before any wait. Stops if that contradicts an
/// earlier order.
#[inline]
pub(crate) fn acquire(function: &str, address: usize) {
    if WATCHING.load(Ordering::Relaxed) {
        stack::on_host(|| note_acquire(function, address));
    }
}

/// Records that a lock was released.
#[inline]
pub(crate) fn release(address: usize) {
    if WATCHING.load(Ordering::Relaxed) {
        HELD.with_borrow_mut(|held| {
            let place = held.iter().rposition(|known| *known == address);
            place.map(|place| held.remove(place))
        });
    }
}

/// Forgets the locks in memory that is freed.
#[inline]
pub(crate) fn forget(memory: Range<usize>) {
    if WATCHING.load(Ordering::Relaxed) {
        // Allocations below are the host's own, so that their frees do not call this function
        // again.
        let _host = stack::leave_driver_code();
        let mut after = lock();
        let gone: Vec<usize> = after.range(memory).map(|(address, _)| *address).collect();
        for address in gone {
            after.remove(&address);
            for others in after.values_mut() {
                others.remove(&address);
            }
        }
    }
}

fn note_acquire(function: &str, address: usize) {
    if stack::driver_stack().is_some_and(|stack| stack.contains(&address)) {
        return;
    }
    HELD.with_borrow_mut(|held| {
        // Recursion is reported by the lock itself.
        if !held.is_empty() && !held.contains(&address) {
            let mut after = lock();
            // Enters a lock at its first acquisition, so that `forget` finds it.
            after.entry(address).or_default();
            for before in held.iter().copied() {
                if !after.entry(before).or_default().insert(address) {
                    continue;
                }
                if let Some(path) = path(&after, address, before) {
                    drop(after);
                    stop(
                        Rule::LOCK_ORDER,
                        function,
                        format_args!(
                            "the lock at {address:#x} is acquired while that at {before:#x} is \
                             held; the other way round before: {}",
                            Path(&path)
                        ),
                    );
                }
            }
        }
        held.push(address);
    });
}

/// A path of orders from one lock to another: each lock was held when the next was acquired.
fn path(after: &BTreeMap<usize, BTreeSet<usize>>, from: usize, to: usize) -> Option<Vec<usize>> {
    let mut came_from = BTreeMap::from([(from, from)]);
    let mut open = vec![from];
    while let Some(lock) = open.pop() {
        if lock == to {
            let mut path = vec![to];
            while let Some(before) = path.last().and_then(|last| came_from.get(last)).copied()
                && path.last() != Some(&from)
            {
                path.push(before);
            }
            path.reverse();
            return Some(path);
        }
        for next in after.get(&lock).into_iter().flatten() {
            came_from.entry(*next).or_insert_with(|| {
                open.push(*next);
                lock
            });
        }
    }
    None
}

struct Path<'a>(&'a [usize]);

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, lock) in self.0.iter().enumerate() {
            write!(f, "{}{lock:#x}", if number == 0 { "" } else { ", then " })?;
        }
        Ok(())
    }
}

fn lock() -> MutexGuard<'static, BTreeMap<usize, BTreeSet<usize>>> {
    AFTER.lock().unwrap_or_else(PoisonError::into_inner)
}
