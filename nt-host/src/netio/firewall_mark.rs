//! The firewall mark of the machine's sockets, by which Linux's rules choose tables.

use std::sync::atomic::{AtomicU32, Ordering};

use super::notification;

static MARK: AtomicU32 = AtomicU32::new(0);

/// The mark; 0 for none.
pub(crate) fn current() -> u32 {
    MARK.load(Ordering::Acquire)
}

/// Notes that the sockets have another mark: other routes count.
pub(crate) fn set(mark: u32) {
    if MARK.swap(mark, Ordering::AcqRel) != mark {
        notification::network_set();
    }
}
