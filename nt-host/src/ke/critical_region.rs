//! Critical regions: no normal kernel APC is delivered here at all, so only the pairing is kept.

use core::cell::Cell;

use nt_sys::ntdef::APC_LEVEL;

use crate::irql;
use crate::violation::{Rule, stop};

thread_local! {
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

/// Whether this thread is in a critical region, or at a level that is as good.
pub(crate) fn inside() -> bool {
    DEPTH.get() != 0 || irql::current() >= APC_LEVEL
}

export! { "ntoskrnl.exe";
    /// wdm.h, KeEnterCriticalRegion.
    ///
    /// # IRQL
    /// <= APC_LEVEL.
    ///
    /// # Safety
    /// None.
    pub unsafe fn KeEnterCriticalRegion() {
        irql::require_at_most("KeEnterCriticalRegion", APC_LEVEL);
        DEPTH.set(DEPTH.get().wrapping_add(1));
    }

    /// wdm.h, KeLeaveCriticalRegion.
    ///
    /// # IRQL
    /// <= APC_LEVEL.
    ///
    /// # Safety
    /// None.
    pub unsafe fn KeLeaveCriticalRegion() {
        let function = "KeLeaveCriticalRegion";
        irql::require_at_most(function, APC_LEVEL);
        let Some(depth) = DEPTH.get().checked_sub(1) else {
            stop(Rule::BAD_OBJECT, function, format_args!("the thread is in no critical region"));
        };
        DEPTH.set(depth);
    }
}
