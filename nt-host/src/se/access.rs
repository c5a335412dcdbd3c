//! Access checks (wdm.h).
//!
//! A captured context holds the token of the thread that captured it. Between the capture and the
//! release, the context is in the table of those that are captured.

use core::ptr;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use nt_sys::ntdef::{
    ACCESS_MASK, BOOLEAN, KPROCESSOR_MODE, NTSTATUS, PASSIVE_LEVEL, PVOID, UserMode,
};
use nt_sys::se::{GENERIC_MAPPING, SECURITY_SUBJECT_CONTEXT};
use nt_sys::status::{STATUS_ACCESS_DENIED, STATUS_SUCCESS};

use super::descriptor::Descriptor;
use super::sddl;
use super::token::{self, Token};
use crate::irql;
use crate::loaded;
use crate::violation::{Rule, stop};

/// `MAXIMUM_ALLOWED` and `ACCESS_SYSTEM_SECURITY`.
const SPECIAL: ACCESS_MASK = 0x0300_0000;
/// A descriptor longer than an ACL can be has a wrong length somewhere.
const MAX_DESCRIPTOR_BYTES: usize = 4096;

/// Captured contexts by the token number that they hold.
static CAPTURED: Mutex<Captured> = Mutex::new(Captured { next: 1, tokens: BTreeMap::new() });

struct Captured {
    next: usize,
    tokens: BTreeMap<usize, Context>,
}

struct Context {
    token: Token,
    locks: u32,
}

fn lock() -> MutexGuard<'static, Captured> {
    CAPTURED.lock().unwrap_or_else(PoisonError::into_inner)
}

fn left() -> Vec<String> {
    lock().tokens.keys().map(|number| format!("subject context {number} not released")).collect()
}

/// Calls `f` with the captured context. Stops if there is none.
///
/// # Safety
/// `context` is readable.
unsafe fn with<R>(
    function: &str,
    context: *mut SECURITY_SUBJECT_CONTEXT,
    f: impl FnOnce(&mut Context) -> R,
) -> R {
    // SAFETY: as the caller promises.
    let number = unsafe { (*context).PrimaryToken }.addr();
    let mut captured = lock();
    let Some(context) = captured.tokens.get_mut(&number) else {
        drop(captured);
        stop(Rule::BAD_OBJECT, function, format_args!("the subject context is not captured"));
    };
    f(context)
}

export! { "ntoskrnl.exe";
    /// wdm.h, SeCaptureSubjectContext.
    ///
    /// # IRQL
    /// PASSIVE_LEVEL.
    ///
    /// # Safety
    /// `subject_context` is writable.
    pub unsafe fn SeCaptureSubjectContext(subject_context: *mut SECURITY_SUBJECT_CONTEXT) {
        irql::require_exactly("SeCaptureSubjectContext", PASSIVE_LEVEL);
        loaded::at_unload(left);
        let mut captured = lock();
        let number = captured.next;
        captured.next += 1;
        captured.tokens.insert(number, Context { token: token::current(), locks: 0 });
        let context = SECURITY_SUBJECT_CONTEXT {
            ClientToken: ptr::null_mut(),
            ImpersonationLevel: 0,
            PrimaryToken: ptr::without_provenance_mut(number),
            ProcessAuditId: ptr::null_mut(),
        };
        // SAFETY: as the caller promises.
        unsafe { subject_context.write(context) };
    }

    /// wdm.h, SeReleaseSubjectContext.
    ///
    /// # IRQL
    /// PASSIVE_LEVEL.
    ///
    /// # Safety
    /// The context was captured, and is not used again.
    pub unsafe fn SeReleaseSubjectContext(subject_context: *mut SECURITY_SUBJECT_CONTEXT) {
        const FUNCTION: &str = "SeReleaseSubjectContext";
        irql::require_exactly(FUNCTION, PASSIVE_LEVEL);
        // SAFETY: as the caller promises.
        if unsafe { with(FUNCTION, subject_context, |context| context.locks) } != 0 {
            stop(Rule::BAD_OBJECT, FUNCTION, format_args!("the subject context is locked"));
        }
        // SAFETY: as the caller promises.
        let number = unsafe { (*subject_context).PrimaryToken }.addr();
        lock().tokens.remove(&number);
    }

    /// wdm.h, SeLockSubjectContext.
    ///
    /// # IRQL
    /// PASSIVE_LEVEL.
    ///
    /// # Safety
    /// The context was captured.
    pub unsafe fn SeLockSubjectContext(subject_context: *mut SECURITY_SUBJECT_CONTEXT) {
        const FUNCTION: &str = "SeLockSubjectContext";
        irql::require_exactly(FUNCTION, PASSIVE_LEVEL);
        // SAFETY: as the caller promises.
        unsafe { with(FUNCTION, subject_context, |context| context.locks += 1) };
    }

    /// wdm.h, SeUnlockSubjectContext.
    ///
    /// # IRQL
    /// PASSIVE_LEVEL.
    ///
    /// # Safety
    /// The context was captured and locked.
    pub unsafe fn SeUnlockSubjectContext(subject_context: *mut SECURITY_SUBJECT_CONTEXT) {
        const FUNCTION: &str = "SeUnlockSubjectContext";
        irql::require_exactly(FUNCTION, PASSIVE_LEVEL);
        let unlock = |context: &mut Context| {
            let is_locked = context.locks > 0;
            context.locks = context.locks.saturating_sub(1);
            is_locked
        };
        // SAFETY: as the caller promises.
        if !unsafe { with(FUNCTION, subject_context, unlock) } {
            stop(Rule::BAD_OBJECT, FUNCTION, format_args!("the subject context is not locked"));
        }
    }

    /// wdm.h, SeAccessCheck: for self-relative descriptors with a DACL, and without privileges.
    /// What the page leaves open stops.
    ///
    /// # IRQL
    /// PASSIVE_LEVEL.
    ///
    /// # Safety
    /// The pointers are valid, `privileges` may be null; the descriptor is readable up to the end
    /// that it states.
    pub unsafe fn SeAccessCheck(
        security_descriptor: PVOID,
        subject_security_context: *mut SECURITY_SUBJECT_CONTEXT,
        subject_context_locked: BOOLEAN,
        desired_access: ACCESS_MASK,
        previously_granted_access: ACCESS_MASK,
        privileges: *mut PVOID,
        generic_mapping: *mut GENERIC_MAPPING,
        access_mode: KPROCESSOR_MODE,
        granted_access: *mut ACCESS_MASK,
        access_status: *mut NTSTATUS,
    ) -> BOOLEAN {
        const FUNCTION: &str = "SeAccessCheck";
        irql::require_exactly(FUNCTION, PASSIVE_LEVEL);
        let refuse = |why: &str| -> ! { stop(Rule::BAD_ARGUMENT, FUNCTION, format_args!("{why}")) };
        // SAFETY: as the caller promises.
        let (token, locks) = unsafe {
            with(FUNCTION, subject_security_context, |context| {
                (context.token.clone(), context.locks)
            })
        };
        if subject_context_locked != 0 && locks == 0 {
            refuse("the subject context is not locked");
        }
        if desired_access & SPECIAL != 0 {
            refuse("the host doesn't model MAXIMUM_ALLOWED and ACCESS_SYSTEM_SECURITY");
        }
        // SAFETY: as the caller promises.
        let bytes = unsafe { descriptor_bytes(security_descriptor.cast::<u8>()) };
        let descriptor = bytes.ok_or("it has no valid length").and_then(Descriptor::read);
        let descriptor = match descriptor {
            Ok(descriptor) => descriptor,
            Err(why) => refuse(&format!("the security descriptor: {why}")),
        };
        // SAFETY: as the caller promises.
        let mapping = unsafe { *generic_mapping };
        let desired = sddl::map(desired_access, &mapping);
        let missing = desired & !previously_granted_access;
        let is_granted =
            access_mode != UserMode || descriptor.grants(&token, missing, &mapping);
        // SAFETY: as the caller promises.
        if let Some(privileges) = unsafe { privileges.as_mut() } {
            *privileges = ptr::null_mut();
        }
        let (granted, status) = if is_granted {
            (desired | previously_granted_access, STATUS_SUCCESS)
        } else {
            (0, STATUS_ACCESS_DENIED)
        };
        // SAFETY: as the caller promises.
        unsafe { granted_access.write(granted) };
        // SAFETY: as the caller promises.
        unsafe { access_status.write(status) };
        BOOLEAN::from(is_granted)
    }
}

/// The bytes of a self-relative descriptor: up to the end of its last part.
///
/// # Safety
/// The descriptor is readable up to the end that it states.
unsafe fn descriptor_bytes<'a>(start: *const u8) -> Option<&'a [u8]> {
    // SAFETY: as the caller promises.
    let header = unsafe { core::slice::from_raw_parts(start, 20) };
    let offset = |at: usize| Some(u32::from_le_bytes(header.get(at..at + 4)?.try_into().ok()?));
    let mut end = header.len();
    // Of a SID, its second byte counts its subauthorities; of an ACL, the second word is its size.
    for at in [4, 8, 12, 16] {
        let offset = offset(at)? as usize;
        if offset == 0 {
            continue;
        }
        let part = start.wrapping_add(offset);
        // SAFETY: as the caller promises.
        let head = unsafe { core::slice::from_raw_parts(part, 4) };
        let bytes = if at < 12 {
            8 + 4 * usize::from(head[1])
        } else {
            usize::from(u16::from_le_bytes([head[2], head[3]]))
        };
        end = end.max(offset.checked_add(bytes)?);
    }
    // SAFETY: as the caller promises.
    (end <= MAX_DESCRIPTOR_BYTES).then(|| unsafe { core::slice::from_raw_parts(start, end) })
}
