//! Whether the costly checks of NDIS are on.

use std::sync::atomic::{AtomicU8, Ordering};

/// Whether the costly checks are on: in debug builds, or as [`set_verification`] or
/// `NT_HOST_VERIFY=1` says.
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

/// Turns the costly checks on or off: all of a packet's data is filled after completion, free lists
/// of pools are checked.
pub fn set_verification(on: bool) {
    VERIFICATION.store(if on { 2 } else { 1 }, Ordering::Relaxed);
}

static VERIFICATION: AtomicU8 = AtomicU8::new(0);
