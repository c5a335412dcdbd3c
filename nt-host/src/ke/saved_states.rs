//! The saves of extended processor state that a thread has not restored.

use core::cell::Cell;

use nt_sys::ke::XSTATE_SAVE;

thread_local! {
    static DEPTH: Cell<usize> = const { Cell::new(0) };
    static LAST: Cell<*mut XSTATE_SAVE> = const { Cell::new(core::ptr::null_mut()) };
}

/// The number of this thread's saves.
pub(crate) fn depth() -> usize {
    DEPTH.get()
}

/// This thread's last save; null if there is none.
pub(super) fn last() -> *mut XSTATE_SAVE {
    LAST.get()
}

/// Notes a save. Returns the one before.
pub(super) fn push(save: *mut XSTATE_SAVE) -> *mut XSTATE_SAVE {
    DEPTH.set(DEPTH.get() + 1);
    LAST.replace(save)
}

/// Notes the restore of the last save, before which was `previous`.
pub(super) fn pop(previous: *mut XSTATE_SAVE) {
    LAST.set(previous);
    DEPTH.set(DEPTH.get() - 1);
}
