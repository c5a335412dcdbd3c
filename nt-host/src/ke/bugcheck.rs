//! KeBugCheckEx.

use nt_sys::ntdef::{ULONG, ULONG_PTR};

use crate::violation::{Rule, stop};

export! { "ntoskrnl.exe";
    /// wdm.h, KeBugCheckEx.
    ///
    /// # IRQL
    /// Any.
    ///
    /// # Safety
    /// None.
    pub unsafe fn KeBugCheckEx(
        code: ULONG,
        parameter1: ULONG_PTR,
        parameter2: ULONG_PTR,
        parameter3: ULONG_PTR,
        parameter4: ULONG_PTR,
    ) -> ! {
        stop(
            Rule::BUGCHECK,
            "KeBugCheckEx",
            format_args!(
                "{code:#010x} ({parameter1:#x}, {parameter2:#x}, {parameter3:#x}, {parameter4:#x})"
            ),
        )
    }
}
