//! `wdm.h`, Se: who calls, and what a security descriptor grants.

use crate::ntdef::{ACCESS_MASK, BOOLEAN, KPROCESSOR_MODE, LONG, NTSTATUS, PVOID};

/// The security context of a thread: its tokens. Opaque to drivers.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct SECURITY_SUBJECT_CONTEXT {
    pub ClientToken: PVOID,
    pub ImpersonationLevel: LONG,
    pub PrimaryToken: PVOID,
    pub ProcessAuditId: PVOID,
}

/// The specific rights of each generic right.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct GENERIC_MAPPING {
    pub GenericRead: ACCESS_MASK,
    pub GenericWrite: ACCESS_MASK,
    pub GenericExecute: ACCESS_MASK,
    pub GenericAll: ACCESS_MASK,
}

/// `SECURITY_DESCRIPTOR_CONTROL`.
pub const SE_DACL_PRESENT: u16 = 0x0004;
pub const SE_SACL_PRESENT: u16 = 0x0010;
pub const SE_DACL_PROTECTED: u16 = 0x1000;
pub const SE_SELF_RELATIVE: u16 = 0x8000;

pub const SECURITY_DESCRIPTOR_REVISION: u8 = 1;
pub const ACL_REVISION: u8 = 2;
pub const SID_REVISION: u8 = 1;

/// `ACE_HEADER::AceType`.
pub const ACCESS_ALLOWED_ACE_TYPE: u8 = 0x00;
pub const ACCESS_DENIED_ACE_TYPE: u8 = 0x01;
pub const SYSTEM_MANDATORY_LABEL_ACE_TYPE: u8 = 0x11;

/// The mask of a mandatory label.
pub const SYSTEM_MANDATORY_LABEL_NO_WRITE_UP: ACCESS_MASK = 1;
pub const SYSTEM_MANDATORY_LABEL_NO_READ_UP: ACCESS_MASK = 2;
pub const SYSTEM_MANDATORY_LABEL_NO_EXECUTE_UP: ACCESS_MASK = 4;

import! { "ntoskrnl.exe";
    pub fn SeCaptureSubjectContext(subject_context: *mut SECURITY_SUBJECT_CONTEXT);
    pub fn SeReleaseSubjectContext(subject_context: *mut SECURITY_SUBJECT_CONTEXT);
    pub fn SeLockSubjectContext(subject_context: *mut SECURITY_SUBJECT_CONTEXT);
    pub fn SeUnlockSubjectContext(subject_context: *mut SECURITY_SUBJECT_CONTEXT);
    /// Returns whether the access is granted. The descriptor may be self-relative.
    pub fn SeAccessCheck(
        security_descriptor: PVOID, subject_security_context: *mut SECURITY_SUBJECT_CONTEXT,
        subject_context_locked: BOOLEAN, desired_access: ACCESS_MASK,
        previously_granted_access: ACCESS_MASK, privileges: *mut PVOID,
        generic_mapping: *mut GENERIC_MAPPING, access_mode: KPROCESSOR_MODE,
        granted_access: *mut ACCESS_MASK, access_status: *mut NTSTATUS) -> BOOLEAN;
}
