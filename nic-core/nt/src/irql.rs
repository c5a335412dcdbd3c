//! IRQL contracts as types.

use core::marker::PhantomData;

use nt_sys::ke::KeGetCurrentIrql;
use nt_sys::ntdef::PASSIVE_LEVEL;

/// Proof that NT called the driver at PASSIVE_LEVEL on this thread, so that the driver may wait.
///
/// Thread bodies and the callbacks of [`crate::miniport::Miniport`] that may wait get one and pass
/// it on; callbacks that NT calls at up to DISPATCH_LEVEL have none. It has no size, and can't
/// leave its thread. It doesn't cover spin locks that are acquired later: no wait may happen under
/// one.
#[derive(Clone, Copy)]
pub struct Passive {
    /// Neither `Send` nor `Sync`.
    of_thread: PhantomData<*const ()>,
}

impl Passive {
    /// For callbacks that NT calls at PASSIVE_LEVEL.
    pub(crate) const fn by_contract() -> Self {
        Self { of_thread: PhantomData }
    }

    /// Checks the current IRQL, where no callback provides a token.
    ///
    /// # IRQL
    /// any
    pub fn check() -> Option<Self> {
        // SAFETY: no condition.
        let irql = unsafe { KeGetCurrentIrql() };
        (irql == PASSIVE_LEVEL).then(Self::by_contract)
    }
}
