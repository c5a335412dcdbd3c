//! Extended processor state: here Linux keeps it for each thread, so only the rules remain.

use nt_sys::ke::XSTATE_SAVE;
use nt_sys::ntdef::{DISPATCH_LEVEL, NTSTATUS, ULONG64};
use nt_sys::rtl::{XSTATE_MASK_AVX512, XSTATE_MASK_GSSE, XSTATE_MASK_LEGACY};
use nt_sys::status::{STATUS_INSUFFICIENT_RESOURCES, STATUS_NOT_SUPPORTED, STATUS_SUCCESS};

use super::saved_states;
use crate::violation::{Rule, stop};
use crate::{irql, pool};

/// The features that the processor has and the system keeps.
#[must_use]
pub fn enabled_features() -> ULONG64 {
    let mut mask = XSTATE_MASK_LEGACY;
    if std::arch::is_x86_feature_detected!("avx") {
        mask |= XSTATE_MASK_GSSE;
    }
    if std::arch::is_x86_feature_detected!("avx512f") {
        mask |= XSTATE_MASK_AVX512;
    }
    mask
}

export! { "ntoskrnl.exe";
    /// wdm.h, KeSaveExtendedProcessorState: each save has its restore, on the same thread, the last
    /// first.
    ///
    /// # IRQL
    /// <= DISPATCH_LEVEL.
    ///
    /// # Safety
    /// `save` is writable and stays until the restore.
    pub unsafe fn KeSaveExtendedProcessorState(mask: ULONG64, save: *mut XSTATE_SAVE) -> NTSTATUS {
        irql::require_at_most("KeSaveExtendedProcessorState", DISPATCH_LEVEL);
        if mask & !enabled_features() != 0 {
            return STATUS_NOT_SUPPORTED;
        }
        // wdm.h: the system allocates the memory for the registers.
        if !pool::admit() {
            return STATUS_INSUFFICIENT_RESOURCES;
        }
        // SAFETY: as the caller promises; all zeros is a value of this type.
        unsafe { save.write_bytes(0, 1) };
        let previous = saved_states::push(save);
        let level = irql::current();
        // SAFETY: as the caller promises.
        unsafe { (*save).Prev = previous };
        // SAFETY: as the caller promises.
        unsafe { (*save).Level = level };
        STATUS_SUCCESS
    }

    /// wdm.h, KeRestoreExtendedProcessorState.
    ///
    /// # IRQL
    /// That of the save.
    ///
    /// # Safety
    /// `save` was filled by [`KeSaveExtendedProcessorState`].
    pub unsafe fn KeRestoreExtendedProcessorState(save: *mut XSTATE_SAVE) {
        let function = "KeRestoreExtendedProcessorState";
        if saved_states::last() != save || saved_states::depth() == 0 {
            stop(
                Rule::EXTENDED_STATE,
                function,
                format_args!("{save:p} is not what this thread saved last"),
            );
        }
        // SAFETY: as the caller promises.
        let level = unsafe { (*save).Level };
        irql::require_exactly(function, level);
        // SAFETY: as the caller promises.
        let previous = unsafe { (*save).Prev };
        saved_states::pop(previous);
    }
}
