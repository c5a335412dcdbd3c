//! The process: there is only one.

use core::ptr;

use nt_sys::io::IRP;
use nt_sys::ntdef::{DISPATCH_LEVEL, EPROCESS, ULONG};

use crate::irql;

static PROCESS: u64 = 0;

export! { "ntoskrnl.exe";
    /// wdm.h, IoGetCurrentProcess (`PsGetCurrentProcess`).
    ///
    /// # IRQL
    /// <= DISPATCH_LEVEL.
    ///
    /// # Safety
    /// None.
    pub unsafe fn IoGetCurrentProcess() -> *mut EPROCESS {
        irql::require_at_most("IoGetCurrentProcess", DISPATCH_LEVEL);
        ptr::from_ref(&PROCESS).cast_mut().cast()
    }

    /// ntddk.h, IoGetRequestorProcessId.
    ///
    /// # IRQL
    /// <= DISPATCH_LEVEL.
    ///
    /// # Safety
    /// None: the IRP is not touched.
    pub unsafe fn IoGetRequestorProcessId(_irp: *mut IRP) -> ULONG {
        irql::require_at_most("IoGetRequestorProcessId", DISPATCH_LEVEL);
        std::process::id()
    }
}
