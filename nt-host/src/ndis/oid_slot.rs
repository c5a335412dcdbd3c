//! The OID request that a miniport handles. NDIS sends one at a time.

use std::sync::{Condvar, Mutex};

use nt_sys::ndis::NDIS_STATUS;

/// The pending request and its completion.
pub(super) struct OidSlot {
    /// Held by the thread whose request is sent.
    pub(super) asking: Mutex<()>,
    pub(super) pending: Mutex<Pending>,
    pub(super) completed: Condvar,
    /// Values that were set, and that NDIS returns itself.
    pub(super) set: Mutex<Cached>,
}

#[derive(Default)]
pub(super) struct Pending {
    /// The address of the request; 0 if there is none.
    pub(super) request: usize,
    pub(super) completion: Option<NDIS_STATUS>,
}

#[derive(Clone, Copy, Default)]
pub(super) struct Cached {
    pub(super) packet_filter: u32,
    pub(super) lookahead: u32,
}

impl OidSlot {
    pub(super) fn new() -> Self {
        Self {
            asking: Mutex::new(()),
            pending: Mutex::new(Pending::default()),
            completed: Condvar::new(),
            set: Mutex::new(Cached::default()),
        }
    }
}
