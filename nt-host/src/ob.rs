//! Objects: memory with a reference count in front, and handles to objects.

use core::ffi::c_void;
use core::ptr;
use core::sync::atomic::{AtomicIsize, AtomicU64, Ordering};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use nt_sys::ntdef::{
    ACCESS_MASK, DISPATCH_LEVEL, HANDLE, KPROCESSOR_MODE, LONG_PTR, NTSTATUS, OBJECT_TYPE,
    PASSIVE_LEVEL, PVOID,
};
use nt_sys::status::{STATUS_INVALID_HANDLE, STATUS_OBJECT_TYPE_MISMATCH, STATUS_SUCCESS};

use crate::irql;
use crate::ps::object_type::PsThreadType;
use crate::violation::{Rule, stop};

const LIVE: u64 = u64::from_le_bytes(*b"NtObject");
const DEAD: u64 = u64::from_le_bytes(*b"NtObDead");

/// The header before the body of an object.
#[repr(C, align(16))]
struct Header {
    magic: AtomicU64,
    references: AtomicIsize,
    kind: &'static str,
    destroy: unsafe fn(*mut Header),
}

#[repr(C)]
struct Object<T> {
    header: Header,
    body: T,
}

struct Table {
    /// Bodies of live objects, with the names of their types.
    objects: BTreeMap<usize, &'static str>,
    handles: BTreeMap<usize, usize>,
    next_handle: usize,
}

static TABLE: Mutex<Table> =
    Mutex::new(Table { objects: BTreeMap::new(), handles: BTreeMap::new(), next_handle: 4 });

/// Creates an object with one reference.
pub(crate) fn create<T>(kind: &'static str, body: T) -> *mut T {
    const { assert!(align_of::<T>() <= align_of::<Header>()) };
    let header = Header {
        magic: AtomicU64::new(LIVE),
        references: AtomicIsize::new(1),
        kind,
        destroy: destroy::<T>,
    };
    let object = Box::into_raw(Box::new(Object { header, body }));
    // SAFETY: the object was just made.
    let body = unsafe { &raw mut (*object).body };
    lock().objects.insert(body.expose_provenance(), kind);
    body
}

/// Adds a reference.
///
/// # Safety
/// `body` is that of an object to which the caller has a reference.
pub(crate) unsafe fn reference(function: &str, body: *mut c_void) -> isize {
    // SAFETY: as the caller promises.
    unsafe { header(function, body) }.references.fetch_add(1, Ordering::Relaxed) + 1
}

/// Releases a reference. The last release destroys the object.
///
/// # Safety
/// As for [`reference()`]. The caller does not use the object any more.
pub(crate) unsafe fn dereference(function: &str, body: *mut c_void) -> isize {
    // SAFETY: as the caller promises.
    let header = unsafe { header(function, body) };
    let left = header.references.fetch_sub(1, Ordering::AcqRel) - 1;
    if left == 0 {
        header.magic.store(DEAD, Ordering::Relaxed);
        lock().objects.remove(&body.addr());
        let destroy = header.destroy;
        // SAFETY: the last reference is gone.
        unsafe { destroy(ptr::from_ref(header).cast_mut()) };
    }
    left
}

/// Creates a handle to an object. The handle takes over the caller's reference.
pub(crate) fn insert(body: *mut c_void) -> HANDLE {
    let mut table = lock();
    let handle = table.next_handle;
    table.next_handle += 4;
    table.handles.insert(handle, body.expose_provenance());
    ptr::without_provenance_mut(handle)
}

/// Lists the live objects of a type, one line each.
pub(crate) fn left(kind: &str) -> Vec<String> {
    lock()
        .objects
        .iter()
        .filter(|(_, found)| **found == kind)
        .map(|(address, kind)| format!("{kind} object still referenced at {address:#x}"))
        .collect()
}

/// Lists the open handles, one line each.
pub(crate) fn handles_left() -> Vec<String> {
    lock().handles.keys().map(|handle| format!("handle {handle:#x} still open")).collect()
}

export! { "ntoskrnl.exe";
    /// wdm.h, ObReferenceObjectByHandle: for handles of threads, in kernel mode only.
    ///
    /// # IRQL
    /// PASSIVE_LEVEL.
    ///
    /// # Safety
    /// `object` is writable.
    pub unsafe fn ObReferenceObjectByHandle(
        handle: HANDLE,
        _desired_access: ACCESS_MASK,
        object_type: *mut OBJECT_TYPE,
        _access_mode: KPROCESSOR_MODE,
        object: *mut PVOID,
        _handle_information: PVOID,
    ) -> NTSTATUS {
        let function = "ObReferenceObjectByHandle";
        irql::require_exactly(function, PASSIVE_LEVEL);
        let Some(body) = lock().handles.get(&handle.addr()).copied() else {
            return STATUS_INVALID_HANDLE;
        };
        if PsThreadType.is_other_than(object_type) {
            return STATUS_OBJECT_TYPE_MISMATCH;
        }
        let body = ptr::with_exposed_provenance_mut(body);
        // SAFETY: the handle has a reference.
        unsafe { reference(function, body) };
        // SAFETY: as the caller promises.
        unsafe { object.write(body) };
        STATUS_SUCCESS
    }

    /// wdm.h, ObfReferenceObject (`ObReferenceObject`).
    ///
    /// # IRQL
    /// <= DISPATCH_LEVEL.
    ///
    /// # Safety
    /// The caller has a reference to `object`.
    pub unsafe fn ObfReferenceObject(object: PVOID) -> LONG_PTR {
        let function = "ObfReferenceObject";
        irql::require_at_most(function, DISPATCH_LEVEL);
        // SAFETY: as the caller promises.
        unsafe { reference(function, object) }
    }

    /// wdm.h, ObfDereferenceObject (`ObDereferenceObject`).
    ///
    /// # IRQL
    /// <= DISPATCH_LEVEL.
    ///
    /// # Safety
    /// The caller has a reference to `object`, and does not use it any more.
    pub unsafe fn ObfDereferenceObject(object: PVOID) -> LONG_PTR {
        let function = "ObfDereferenceObject";
        irql::require_at_most(function, DISPATCH_LEVEL);
        // SAFETY: as the caller promises.
        unsafe { dereference(function, object) }
    }

    /// wdm.h, ZwClose.
    ///
    /// # IRQL
    /// PASSIVE_LEVEL.
    ///
    /// # Safety
    /// `handle` is not used any more.
    pub unsafe fn ZwClose(handle: HANDLE) -> NTSTATUS {
        let function = "ZwClose";
        irql::require_exactly(function, PASSIVE_LEVEL);
        let Some(body) = lock().handles.remove(&handle.addr()) else {
            return STATUS_INVALID_HANDLE;
        };
        // SAFETY: the handle had a reference, and is gone.
        unsafe { dereference(function, ptr::with_exposed_provenance_mut(body)) };
        STATUS_SUCCESS
    }
}

/// # Safety
/// `body` is that of an object.
unsafe fn header<'a>(function: &str, body: *mut c_void) -> &'a Header {
    if !lock().objects.contains_key(&body.addr()) {
        stop(Rule::BAD_OBJECT, function, format_args!("there is no object at {body:p}"));
    }
    let header = body.wrapping_byte_sub(size_of::<Header>()).cast::<Header>();
    // SAFETY: a live object has its header there.
    let header = unsafe { &*header };
    if header.magic.load(Ordering::Relaxed) != LIVE {
        stop(
            Rule::BAD_OBJECT,
            function,
            format_args!("the {} at {body:p} was destroyed", header.kind),
        );
    }
    header
}

/// # Safety
/// `header` is that of an `Object<T>` without references.
unsafe fn destroy<T>(header: *mut Header) {
    // SAFETY: as the caller promises.
    drop(unsafe { Box::from_raw(header.cast::<Object<T>>()) });
}

fn lock() -> MutexGuard<'static, Table> {
    TABLE.lock().unwrap_or_else(PoisonError::into_inner)
}
