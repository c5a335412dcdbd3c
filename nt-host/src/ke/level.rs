//! Raising and lowering the IRQL.

use nt_sys::ntdef::{DISPATCH_LEVEL, HIGH_LEVEL, KIRQL};

use crate::irql::{self, Name};
use crate::ke::spin_lock;
use crate::violation::{Rule, stop};

export! { "ntoskrnl.exe";
    /// wdm.h, KeGetCurrentIrql.
    ///
    /// # IRQL
    /// Any.
    ///
    /// # Safety
    /// None.
    pub unsafe fn KeGetCurrentIrql() -> KIRQL {
        irql::require_at_most("KeGetCurrentIrql", HIGH_LEVEL);
        irql::current()
    }

    /// wdm.h, KfRaiseIrql (`KeRaiseIrql`): the new level must not be lower than the current one.
    ///
    /// # IRQL
    /// Any up to `new_irql`.
    ///
    /// # Safety
    /// None.
    pub unsafe fn KfRaiseIrql(new_irql: KIRQL) -> KIRQL {
        irql::require_at_most("KfRaiseIrql", HIGH_LEVEL);
        raise("KfRaiseIrql", new_irql)
    }

    /// wdm.h, KeRaiseIrqlToDpcLevel.
    ///
    /// # IRQL
    /// <= DISPATCH_LEVEL.
    ///
    /// # Safety
    /// None.
    pub unsafe fn KeRaiseIrqlToDpcLevel() -> KIRQL {
        irql::require_at_most("KeRaiseIrqlToDpcLevel", DISPATCH_LEVEL);
        raise("KeRaiseIrqlToDpcLevel", DISPATCH_LEVEL)
    }

    /// wdm.h, KeLowerIrql: back to the level that the raise returned.
    ///
    /// # IRQL
    /// Any from `new_irql`.
    ///
    /// # Safety
    /// None.
    pub unsafe fn KeLowerIrql(new_irql: KIRQL) {
        irql::require_at_most("KeLowerIrql", HIGH_LEVEL);
        lower("KeLowerIrql", new_irql);
    }
}

fn raise(function: &str, level: KIRQL) -> KIRQL {
    let before = irql::current();
    if level < before || level > HIGH_LEVEL {
        stop(
            Rule::WRONG_IRQL,
            function,
            format_args!("raises from {} to {}", Name(before), Name(level)),
        );
    }
    irql::set(level);
    before
}

/// Lowers the IRQL; below DISPATCH_LEVEL no spin lock may be held.
pub(crate) fn lower(function: &str, level: KIRQL) {
    let before = irql::current();
    if level > before {
        stop(
            Rule::WRONG_IRQL,
            function,
            format_args!("lowers from {} to {}", Name(before), Name(level)),
        );
    }
    if level < DISPATCH_LEVEL && spin_lock::held() != 0 {
        stop(
            Rule::SPIN_LOCK_HELD,
            function,
            format_args!("lowers to {} with {} spin locks held", Name(level), spin_lock::held()),
        );
    }
    irql::set(level);
}
