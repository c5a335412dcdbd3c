//! The performance counter, which is the HAL's.

use nt_sys::ntdef::{HIGH_LEVEL, LARGE_INTEGER};

use crate::clock;
use crate::irql;

export! { "hal.dll";
    /// wdm.h, KeQueryPerformanceCounter.
    ///
    /// # IRQL
    /// Any.
    ///
    /// # Safety
    /// `frequency` is null or writable.
    pub unsafe fn KeQueryPerformanceCounter(frequency: *mut LARGE_INTEGER) -> LARGE_INTEGER {
        irql::require_at_most("KeQueryPerformanceCounter", HIGH_LEVEL);
        // SAFETY: as the caller promises.
        if let Some(frequency) = unsafe { frequency.as_mut() } {
            *frequency = clock::PER_SECOND.cast_signed();
        }
        clock::performance_counter().cast_signed()
    }
}
