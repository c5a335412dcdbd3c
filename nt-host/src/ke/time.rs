//! Time, as drivers read it.

use nt_sys::ntdef::{HIGH_LEVEL, LARGE_INTEGER, ULONG64};

use crate::clock;
use crate::irql;

export! { "ntoskrnl.exe";
    /// wdm.h, KeQueryInterruptTimePrecise: with the time that the machine slept, in 100 ns.
    ///
    /// # IRQL
    /// Any.
    ///
    /// # Safety
    /// `qpc_time_stamp` is null or writable.
    pub unsafe fn KeQueryInterruptTimePrecise(qpc_time_stamp: *mut ULONG64) -> ULONG64 {
        irql::require_at_most("KeQueryInterruptTimePrecise", HIGH_LEVEL);
        // SAFETY: as the caller promises.
        if let Some(stamp) = unsafe { qpc_time_stamp.as_mut() } {
            *stamp = clock::performance_counter();
        }
        clock::interrupt_time()
    }

    /// wdm.h, KeQuerySystemTimePrecise: UTC in 100 ns since 1601.
    ///
    /// # IRQL
    /// Any.
    ///
    /// # Safety
    /// `current_time` is writable.
    pub unsafe fn KeQuerySystemTimePrecise(current_time: *mut LARGE_INTEGER) {
        irql::require_at_most("KeQuerySystemTimePrecise", HIGH_LEVEL);
        // SAFETY: as the caller promises.
        unsafe { current_time.write(clock::system_time().cast_signed()) };
    }
}
