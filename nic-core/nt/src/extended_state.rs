//! The registers beyond XMM, which NT keeps for a driver only between a save and its restore.

use nic_crypto::{Processor, Tier};

use crate::Passive;

/// The AEAD kernels that a driver may use on this machine.
#[derive(Clone, Copy, Debug)]
pub struct ExtendedRegisters {
    processor: Processor,
    /// The state of the widest registers; zero if they are XMM.
    #[cfg(target_arch = "x86_64")]
    mask: u64,
}

impl ExtendedRegisters {
    /// Asks the processor and NT.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    #[must_use]
    pub fn detect(_passive: Passive) -> Self {
        #[cfg(target_arch = "x86_64")]
        return saved::detect();
        #[cfg(not(target_arch = "x86_64"))]
        Self { processor: Processor::detect() }
    }

    /// Calls `work` with the tier that suits a batch of `bytes` bytes. The registers of a wide tier
    /// are saved before and restored after; if that fails, `work` gets [`Processor::base`].
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`; `work` returns at the level at which it was called.
    pub fn with_tier<R>(&self, bytes: usize, work: impl FnOnce(Tier<'_>) -> R) -> R {
        #[cfg(target_arch = "x86_64")]
        if bytes >= saved::MIN_BYTES && self.mask != 0 {
            let mut room = core::mem::MaybeUninit::uninit();
            if let Some(saved) = saved::Saved::new(self.mask, &mut room) {
                return work(self.processor.extended(&saved.registers()));
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = bytes;
        work(self.processor.base())
    }
}

/// Saves on x64.
#[cfg(target_arch = "x86_64")]
mod saved {
    use core::mem::MaybeUninit;

    use nic_crypto::{ExtendedState, Level, Processor};
    use nt_sys::ke::{KeRestoreExtendedProcessorState, KeSaveExtendedProcessorState, XSTATE_SAVE};
    use nt_sys::ntdef::NT_SUCCESS;
    use nt_sys::rtl::{RtlGetEnabledExtendedFeatures, XSTATE_MASK_AVX512, XSTATE_MASK_GSSE};

    use super::ExtendedRegisters;

    /// The fewest bytes for which wide registers bring more than a save costs, 240 to 560 cycles.
    /// AES-GCM takes 950 cycles for 1,420 bytes in XMM registers, half as many in ZMM registers.
    pub(super) const MIN_BYTES: usize = 1024;

    pub(super) fn detect() -> ExtendedRegisters {
        // SAFETY: the caller's token says that this is PASSIVE_LEVEL.
        let enabled =
            unsafe { RtlGetEnabledExtendedFeatures(XSTATE_MASK_GSSE | XSTATE_MASK_AVX512) };
        let has = |mask| enabled & mask == mask;
        let (highest, mask) = if has(XSTATE_MASK_GSSE | XSTATE_MASK_AVX512) {
            (Level::Avx512, XSTATE_MASK_GSSE | XSTATE_MASK_AVX512)
        } else if has(XSTATE_MASK_GSSE) {
            (Level::Avx2, XSTATE_MASK_GSSE)
        } else {
            (Level::Sse, 0)
        };
        ExtendedRegisters { processor: Processor::detect().limited(highest), mask }
    }

    /// Saved registers; drop restores them, on the same thread and at the same IRQL.
    pub(super) struct Saved<'r>(&'r mut XSTATE_SAVE);

    impl<'r> Saved<'r> {
        /// Saves the registers of `mask`. `None` if NT has no memory for them.
        pub(super) fn new(mask: u64, room: &'r mut MaybeUninit<XSTATE_SAVE>) -> Option<Self> {
            // SAFETY: the room stays where it is until drop. The IRQL is that of `with_tier`.
            let status = unsafe { KeSaveExtendedProcessorState(mask, room.as_mut_ptr()) };
            if !NT_SUCCESS(status) {
                return None;
            }
            // SAFETY: the save has filled it.
            Some(Self(unsafe { room.assume_init_mut() }))
        }

        /// The registers, until they are restored.
        pub(super) fn registers(&self) -> ExtendedState<'_> {
            // SAFETY: they are saved until drop.
            unsafe { ExtendedState::assume_saved() }
        }
    }

    impl Drop for Saved<'_> {
        fn drop(&mut self) {
            // SAFETY: the save has filled it; `with_tier` doesn't change thread or IRQL between.
            unsafe { KeRestoreExtendedProcessorState(self.0) };
        }
    }
}
