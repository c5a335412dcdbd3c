//! The object type of threads, a variable that drivers import.

use core::ptr;

use nt_sys::ntdef::OBJECT_TYPE;

use crate::export::{Export, Exports};

pub(crate) const EXPORTS: Exports = Exports {
    module: "ntoskrnl.exe",
    exports: &[Export { name: "PsThreadType", address: (&raw const PsThreadType).cast() }],
};

/// The target of [`PsThreadType`]. Only its address is used.
static THREAD: u64 = 0;

/// wdm.h, PsThreadType.
#[unsafe(no_mangle)]
pub static PsThreadType: Type = Type((&raw const THREAD).cast_mut().cast());

/// A pointer to an object type. It never changes.
#[derive(Debug)]
#[repr(transparent)]
pub struct Type(*mut OBJECT_TYPE);

// SAFETY: the pointer is never dereferenced.
unsafe impl Sync for Type {}

impl Type {
    /// Whether the caller named a different type. A caller in the kernel may pass null.
    pub(crate) fn is_other_than(&self, named: *mut OBJECT_TYPE) -> bool {
        !named.is_null() && !ptr::eq(named, self.0)
    }
}
