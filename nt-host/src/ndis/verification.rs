//! Whether the expensive checks of NDIS are on.

use std::sync::atomic::{AtomicU8, Ordering};

/// Whether the expensive checks are on. The default is on in debug builds; [`set_verification`] and
/// `NT_HOST_VERIFY=1` override it.
#[must_use]
pub fn verification() -> bool {
    match VERIFICATION.load(Ordering::Relaxed) {
        1 => false,
        2 => true,
        _ => {
            let on = std::env::var_os("NT_HOST_VERIFY")
                .map_or(cfg!(debug_assertions), |value| value != "0");
            set_verification(on);
            on
        }
    }
}

/// Turns the expensive checks on or off: filling all of a packet's data after completion, and
/// checking the free lists of pools.
pub fn set_verification(on: bool) {
    VERIFICATION.store(if on { 2 } else { 1 }, Ordering::Relaxed);
}

static VERIFICATION: AtomicU8 = AtomicU8::new(0);
