//! Rundown protection: waiting for the last use of an object.

use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;

use crate::event::{Event, EventKind, Wait};
use crate::status::Result;

/// Counts uses of an object. After it is closed no new use begins, and a thread can wait for the
/// end of the last one.
///
/// Unlike EX_RUNDOWN_REF it counts many uses at once: a chain of packets takes one atomic
/// operation.
pub struct Rundown {
    /// Twice the number of uses; bit 0 is set while it is closed.
    state: AtomicUsize,
    /// Set while it is closed and has no uses.
    is_drained: Event,
}

const CLOSED: usize = 1;
const USE: usize = 2;

impl Rundown {
    /// Makes a closed rundown without uses.
    pub fn closed() -> Result<Self> {
        let is_drained = Event::new(EventKind::Manual)?;
        is_drained.set();
        Ok(Self { state: AtomicUsize::new(CLOSED), is_drained })
    }

    /// Begins `uses` uses, or returns false and begins none if it is closed.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    #[must_use]
    pub fn enter(&self, uses: usize) -> bool {
        let uses = uses.wrapping_mul(USE);
        let begin = |state: usize| (state & CLOSED == 0).then(|| state.wrapping_add(uses));
        self.state.fetch_update(Ordering::Acquire, Ordering::Relaxed, begin).is_ok()
    }

    /// Ends `uses` uses.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    pub fn leave(&self, uses: usize) {
        if uses == 0 {
            return;
        }
        let uses = uses.wrapping_mul(USE);
        let before = self.state.fetch_sub(uses, Ordering::Release);
        if before == uses | CLOSED {
            self.is_drained.set();
        }
    }

    /// Prevents new uses.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    pub fn close(&self) {
        let before = self.state.fetch_or(CLOSED, Ordering::AcqRel);
        if before == 0 {
            self.is_drained.set();
        }
    }

    /// Waits for the end of the last use of a closed rundown. Any number of threads may wait, any
    /// number of times.
    ///
    /// # IRQL
    /// `<= APC_LEVEL`
    pub fn wait(&self) {
        // By the event, not by the state: the last use accesses the event after the state, and must
        // have finished with both before the caller may free the rundown.
        self.is_drained.wait_up_to(None);
    }

    /// As [`Rundown::wait`], but no longer than `timeout`.
    ///
    /// # IRQL
    /// `<= APC_LEVEL`
    pub fn wait_for(&self, timeout: Duration) -> Wait {
        self.is_drained.wait_up_to(Some(timeout))
    }

    /// Allows new uses again, after [`Rundown::wait`].
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    pub fn open(&self) {
        self.is_drained.clear();
        self.state.fetch_and(!CLOSED, Ordering::AcqRel);
    }

    /// The number of uses.
    pub fn uses(&self) -> usize {
        self.state.load(Ordering::Acquire) / USE
    }
}
