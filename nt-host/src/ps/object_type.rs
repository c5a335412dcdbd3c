//! The type of threads, which is data that drivers import.

use core::ptr;

use nt_sys::ntdef::OBJECT_TYPE;

use crate::export::{Export, Exports};

pub(crate) const EXPORTS: Exports = Exports {
    module: "ntoskrnl.exe",
    exports: &[Export { name: "PsThreadType", address: (&raw const PsThreadType).cast() }],
};

/// The type itself, of which only the address counts.
static THREAD: u64 = 0;

/// wdm.h, PsThreadType.
#[unsafe(no_mangle)]
pub static PsThreadType: Type = Type((&raw const THREAD).cast_mut().cast());

/// An object type, as a pointer that never changes.
#[derive(Debug)]
#[repr(transparent)]
pub struct Type(*mut OBJECT_TYPE);

// SAFETY: nobody reads or writes where it points.
unsafe impl Sync for Type {}

impl Type {
    /// Whether it is another than a caller named. A caller in the kernel need not name one.
    pub(crate) fn is_other_than(&self, named: *mut OBJECT_TYPE) -> bool {
        !named.is_null() && !ptr::eq(named, self.0)
    }
}
