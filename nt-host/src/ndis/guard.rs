//! The pages of guarded NET_BUFFER_LISTs, for the signal handler, which must not wait for a lock.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Start and length of pages; the length is 0 in a free entry.
static PAGES: [(AtomicUsize, AtomicUsize); ENTRIES] =
    [const { (AtomicUsize::new(0), AtomicUsize::new(0)) }; ENTRIES];

/// Further pages are protected, but not named in reports.
const ENTRIES: usize = 4096;

pub(super) fn add(start: usize, bytes: usize) {
    for (entry, length) in &PAGES {
        if length.compare_exchange(0, bytes, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
            entry.store(start, Ordering::Release);
            return;
        }
    }
}

pub(super) fn remove(start: usize) {
    if let Some((entry, length)) =
        PAGES.iter().find(|(entry, _)| entry.load(Ordering::Acquire) == start)
    {
        entry.store(0, Ordering::Release);
        length.store(0, Ordering::Release);
    }
}

/// The NET_BUFFER_LIST whose pages contain a faulting address, and the offset in it.
pub(crate) fn explain(address: usize) -> Option<(usize, usize)> {
    PAGES.iter().find_map(|(entry, length)| {
        let start = entry.load(Ordering::Acquire);
        let offset = address.checked_sub(start).filter(|_| start != 0)?;
        (offset < length.load(Ordering::Acquire)).then_some((start, offset))
    })
}
