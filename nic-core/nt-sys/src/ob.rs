//! `wdm.h`, Ob and Zw: objects and handles.

use crate::ntdef::{ACCESS_MASK, HANDLE, KPROCESSOR_MODE, LONG_PTR, NTSTATUS, OBJECT_TYPE, PVOID};

import! { "ntoskrnl.exe";
    /// `object_type` may be null for KernelMode.
    pub fn ObReferenceObjectByHandle(
        handle: HANDLE, desired_access: ACCESS_MASK, object_type: *mut OBJECT_TYPE,
        access_mode: KPROCESSOR_MODE, object: *mut PVOID, handle_information: PVOID) -> NTSTATUS;
    /// `ObReferenceObject` is a macro for this.
    pub fn ObfReferenceObject(object: PVOID) -> LONG_PTR;
    /// `ObDereferenceObject` is a macro for this.
    pub fn ObfDereferenceObject(object: PVOID) -> LONG_PTR;
    pub fn ZwClose(handle: HANDLE) -> NTSTATUS;
}
