//! `wdm.h`, Ps: system threads.

use crate::ntdef::{
    ACCESS_MASK, CLIENT_ID, HANDLE, KTHREAD, NTSTATUS, OBJECT_ATTRIBUTES, OBJECT_TYPE, PVOID,
};

/// The start routine of a system thread, which runs at PASSIVE_LEVEL.
pub type KSTART_ROUTINE = unsafe extern "efiapi" fn(start_context: PVOID);

pub const SYNCHRONIZE: ACCESS_MASK = 0x0010_0000;
pub const THREAD_ALL_ACCESS: ACCESS_MASK = 0x001f_ffff;

import! { "ntoskrnl.exe";
    pub fn PsCreateSystemThread(
        thread_handle: *mut HANDLE, desired_access: ACCESS_MASK,
        object_attributes: *mut OBJECT_ATTRIBUTES, process_handle: HANDLE,
        client_id: *mut CLIENT_ID, start_routine: KSTART_ROUTINE,
        start_context: PVOID) -> NTSTATUS;
    /// Does not return when it succeeds.
    pub fn PsTerminateSystemThread(exit_status: NTSTATUS) -> NTSTATUS;
    /// The object type of threads, for `ObReferenceObjectByHandle`. `*PsThreadType` of the header
    /// reads through the address of the import.
    pub static PsThreadType: *mut OBJECT_TYPE;
    /// `KeGetCurrentThread`, as an export.
    pub fn PsGetCurrentThread() -> *mut KTHREAD;
}
