//! The OID request that a miniport has. NDIS sends one at a time.

use std::sync::{Condvar, Mutex};

use nt_sys::ndis::NDIS_STATUS;

/// The request that the miniport has, and its completion. NDIS sends one at a time.
pub(super) struct OidSlot {
    /// Held by the one that asks.
    pub(super) asking: Mutex<()>,
    pub(super) pending: Mutex<Pending>,
    pub(super) completed: Condvar,
    /// What was set, which NDIS answers itself.
    pub(super) set: Mutex<Cached>,
}

#[derive(Default)]
pub(super) struct Pending {
    /// Address of the request, 0 when there is none.
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
