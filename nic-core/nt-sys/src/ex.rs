//! `wdm.h`, Ex: pool, reader/writer spin locks, push locks, rundown protection.

use crate::ntdef::{BOOLEAN, KIRQL, LONG, PVOID, SIZE_T, ULONG, ULONG_PTR, ULONG64};

/// `POOL_FLAGS`.
pub type POOL_FLAGS = ULONG64;
pub const POOL_FLAG_USE_QUOTA: POOL_FLAGS = 0x1;
/// The allocation is not zeroed.
pub const POOL_FLAG_UNINITIALIZED: POOL_FLAGS = 0x2;
pub const POOL_FLAG_CACHE_ALIGNED: POOL_FLAGS = 0x8;
pub const POOL_FLAG_RAISE_ON_FAILURE: POOL_FLAGS = 0x20;
/// Non-paged pool that is not executable.
pub const POOL_FLAG_NON_PAGED: POOL_FLAGS = 0x40;
pub const POOL_FLAG_NON_PAGED_EXECUTE: POOL_FLAGS = 0x80;
pub const POOL_FLAG_PAGED: POOL_FLAGS = 0x100;

/// A reader/writer spin lock; initialized to 0.
pub type EX_SPIN_LOCK = LONG;

/// A push lock: a lock that waits; initialized to 0.
pub type EX_PUSH_LOCK = ULONG_PTR;
/// No flags: what the macros without `Ex` in the name pass.
pub const EX_DEFAULT_PUSH_LOCK_FLAGS: ULONG = 0;

/// Rundown protection: uses of an object that is to go away.
#[repr(C)]
#[derive(Debug)]
pub struct EX_RUNDOWN_REF {
    pub Count: ULONG_PTR,
}

import! { "ntoskrnl.exe";
    pub fn ExAllocatePool2(flags: POOL_FLAGS, number_of_bytes: SIZE_T, tag: ULONG) -> PVOID;
    pub fn ExFreePoolWithTag(block: PVOID, tag: ULONG);

    pub fn ExAcquireSpinLockShared(spin_lock: *mut EX_SPIN_LOCK) -> KIRQL;
    pub fn ExReleaseSpinLockShared(spin_lock: *mut EX_SPIN_LOCK, old_irql: KIRQL);
    pub fn ExAcquireSpinLockSharedAtDpcLevel(spin_lock: *mut EX_SPIN_LOCK);
    pub fn ExReleaseSpinLockSharedFromDpcLevel(spin_lock: *mut EX_SPIN_LOCK);
    pub fn ExAcquireSpinLockExclusive(spin_lock: *mut EX_SPIN_LOCK) -> KIRQL;
    pub fn ExReleaseSpinLockExclusive(spin_lock: *mut EX_SPIN_LOCK, old_irql: KIRQL);
    pub fn ExAcquireSpinLockExclusiveAtDpcLevel(spin_lock: *mut EX_SPIN_LOCK);
    pub fn ExReleaseSpinLockExclusiveFromDpcLevel(spin_lock: *mut EX_SPIN_LOCK);

    /// IRQL <= APC_LEVEL, in a critical region; so for its release.
    pub fn ExAcquirePushLockExclusiveEx(push_lock: *mut EX_PUSH_LOCK, flags: ULONG);
    pub fn ExReleasePushLockExclusiveEx(push_lock: *mut EX_PUSH_LOCK, flags: ULONG);

    pub fn ExInitializeRundownProtection(rundown: *mut EX_RUNDOWN_REF);
    pub fn ExReInitializeRundownProtection(rundown: *mut EX_RUNDOWN_REF);
    pub fn ExAcquireRundownProtection(rundown: *mut EX_RUNDOWN_REF) -> BOOLEAN;
    pub fn ExReleaseRundownProtection(rundown: *mut EX_RUNDOWN_REF);
    pub fn ExWaitForRundownProtectionRelease(rundown: *mut EX_RUNDOWN_REF);
    pub fn ExRundownCompleted(rundown: *mut EX_RUNDOWN_REF);
}
