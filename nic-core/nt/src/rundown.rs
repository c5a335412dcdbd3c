//! Rundown: waiting until nobody uses something any more.

use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;

use crate::event::{Event, EventKind, Wait};
use crate::status::Result;

/// Counts uses and can be closed: then no new ones begin, and the end of the last is waited for.
///
/// What EX_RUNDOWN_REF does, for many uses at once: a chain of packets enters with one atomic
/// operation.
pub struct Rundown {
    /// The uses, times two; bit 0 says closed.
    state: AtomicUsize,
    /// Set while it is closed and has no uses.
    is_drained: Event,
}

const CLOSED: usize = 1;
const USE: usize = 2;

impl Rundown {
    /// Makes a rundown that is closed, with no uses.
    pub fn closed() -> Result<Self> {
        let is_drained = Event::new(EventKind::Manual)?;
        is_drained.set();
        Ok(Self { state: AtomicUsize::new(CLOSED), is_drained })
    }

    /// Begins `uses` uses. False where it is closed; then none has begun.
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

    /// Lets no new uses begin.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    pub fn close(&self) {
        let before = self.state.fetch_or(CLOSED, Ordering::AcqRel);
        if before == 0 {
            self.is_drained.set();
        }
    }

    /// Waits for the end of the last use of a closed rundown. Any number of threads may, as often
    /// as they like.
    ///
    /// # IRQL
    /// `<= APC_LEVEL`
    pub fn wait(&self) {
        // Always by the event, never by a look at the state: the last use touches the event after
        // the state, and it must be done with both before the caller may free this.
        self.is_drained.wait();
    }

    /// As [`Rundown::wait`], but no longer than `timeout`.
    ///
    /// # IRQL
    /// `<= APC_LEVEL`
    pub fn wait_for(&self, timeout: Duration) -> Wait {
        self.is_drained.wait_for(timeout)
    }

    /// Lets uses begin again, after [`Rundown::wait`].
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    pub fn open(&self) {
        self.is_drained.clear();
        self.state.fetch_and(!CLOSED, Ordering::AcqRel);
    }

    /// Uses under way.
    pub fn uses(&self) -> usize {
        self.state.load(Ordering::Acquire) / USE
    }
}
