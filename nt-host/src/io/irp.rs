//! Allocation of IRPs, and their stack locations.

use core::ptr;

use nt_sys::io::{IO_STACK_LOCATION, IO_TYPE_IRP, IRP, IRP_TAIL_OVERLAY};
use nt_sys::ntdef::{BOOLEAN, CCHAR, DISPATCH_LEVEL, NTSTATUS, USHORT};

use crate::irql;
use crate::pool::{self, Owner, Request};
use crate::violation::{Rule, stop};

/// 'Irp ': the tag of IRPs.
pub const TAG: u32 = u32::from_le_bytes(*b"Irp ");

/// `IRP::AllocationFlags` of an IRP that was allocated. An IRP in the caller's memory does not have
/// it.
const ALLOCATED: u8 = 0x04;

/// The size in bytes of an IRP with this many stack locations (`IoSizeOfIrp`).
#[must_use]
pub fn bytes(stack_size: i8) -> usize {
    size_of::<IRP>() + usize::from(stack_size.unsigned_abs()) * size_of::<IO_STACK_LOCATION>()
}

/// Allocates an IRP. Returns null if there is no memory.
pub(crate) fn allocate(stack_size: i8, owner: Owner) -> *mut IRP {
    let bytes = bytes(stack_size);
    let request = Request { owner, tag: TAG, zeroed: true, alignment: 16 };
    let irp = pool::allocate(bytes, request).cast::<IRP>();
    if !irp.is_null() {
        // SAFETY: just allocated, with these bytes.
        unsafe { initialize(irp, bytes, stack_size) };
        // SAFETY: just allocated.
        unsafe { (*irp).AllocationFlags = ALLOCATED };
    }
    irp
}

/// Stops unless `irp` is a valid IRP. An IRP that was freed is reported as such.
///
/// # Safety
/// `irp` is readable.
pub(crate) unsafe fn require(function: &str, irp: *mut IRP) {
    if pool::freed_tag(irp.cast()) == Some(TAG) {
        stop(
            Rule::DOUBLE_COMPLETION,
            function,
            format_args!("the IRP at {irp:p} was completed or freed before"),
        );
    }
    // SAFETY: as the caller promises.
    unsafe { require_type(function, irp) };
}

/// Stops unless `irp` has the type and the size of an IRP.
///
/// # Safety
/// As for [`require`].
unsafe fn require_type(function: &str, irp: *mut IRP) {
    // SAFETY: as the caller promises.
    if irp.is_null() || unsafe { (*irp).Type } != IO_TYPE_IRP {
        stop(Rule::BAD_IRP, function, format_args!("there is no IRP at {irp:p}"));
    }
}

/// The stack location with this number: 1 belongs to the last driver, `StackCount` to the first.
pub(crate) fn location(irp: *mut IRP, number: i8) -> *mut IO_STACK_LOCATION {
    let first = irp.wrapping_add(1).cast::<IO_STACK_LOCATION>();
    first.wrapping_offset(isize::from(number) - 1)
}

/// The part of an IRP that belongs to drivers.
///
/// # Safety
/// `irp` is valid for `'a`, and nothing else uses this part of it.
pub(crate) unsafe fn overlay<'a>(irp: *mut IRP) -> &'a mut IRP_TAIL_OVERLAY {
    // SAFETY: as the caller promises.
    let tail = unsafe { &raw mut (*irp).Tail };
    // SAFETY: all members of the union begin where it does, and this one is plain data.
    unsafe { &mut *tail.cast::<IRP_TAIL_OVERLAY>() }
}

/// # Safety
/// `irp` has `bytes` writable bytes.
unsafe fn initialize(irp: *mut IRP, bytes: usize, stack_size: i8) {
    // SAFETY: as the caller promises.
    unsafe { irp.cast::<u8>().write_bytes(0, bytes) };
    let past = location(irp, stack_size + 1);
    // SAFETY: as the caller promises; all zeros is a value of this type.
    let fields = unsafe { &mut *irp };
    fields.Type = IO_TYPE_IRP;
    fields.Size = bytes as USHORT;
    fields.StackCount = stack_size;
    fields.CurrentLocation = stack_size + 1;
    let entry = &raw mut fields.ThreadListEntry;
    fields.ThreadListEntry.Flink = entry;
    fields.ThreadListEntry.Blink = entry;
    fields.Tail.Overlay.CurrentStackLocation = past;
}

export! { "ntoskrnl.exe";
    /// wdm.h, IoAllocateIrp.
    ///
    /// # IRQL
    /// <= DISPATCH_LEVEL.
    ///
    /// # Safety
    /// None.
    pub unsafe fn IoAllocateIrp(stack_size: CCHAR, _charge_quota: BOOLEAN) -> *mut IRP {
        let function = "IoAllocateIrp";
        irql::require_at_most(function, DISPATCH_LEVEL);
        if stack_size < 1 || stack_size == CCHAR::MAX {
            stop(
                Rule::BAD_ARGUMENT,
                function,
                format_args!("{stack_size} stack locations are not valid"),
            );
        }
        if !pool::admit() {
            return ptr::null_mut();
        }
        allocate(stack_size, Owner::Driver)
    }

    /// wdm.h, IoFreeIrp: only for an IRP of [`IoAllocateIrp`] that no lower driver has.
    ///
    /// # IRQL
    /// <= DISPATCH_LEVEL.
    ///
    /// # Safety
    /// Nothing uses the IRP any more.
    pub unsafe fn IoFreeIrp(irp: *mut IRP) {
        let function = "IoFreeIrp";
        irql::require_at_most(function, DISPATCH_LEVEL);
        // SAFETY: as the caller promises.
        unsafe { require_own(function, irp) };
        // SAFETY: as the caller promises.
        unsafe { pool::free(function, irp.cast(), TAG) };
    }

    /// wdm.h, IoReuseIrp: initializes the IRP again, with a status.
    ///
    /// # IRQL
    /// <= DISPATCH_LEVEL.
    ///
    /// # Safety
    /// As for [`IoFreeIrp`].
    pub unsafe fn IoReuseIrp(irp: *mut IRP, status: NTSTATUS) {
        let function = "IoReuseIrp";
        irql::require_at_most(function, DISPATCH_LEVEL);
        // SAFETY: as the caller promises.
        unsafe { require_own(function, irp) };
        // SAFETY: as the caller promises.
        let stack_size = unsafe { (*irp).StackCount };
        // SAFETY: as the caller promises.
        let flags = unsafe { (*irp).AllocationFlags };
        // SAFETY: it has the bytes for its stack locations.
        unsafe { initialize(irp, bytes(stack_size), stack_size) };
        // SAFETY: as the caller promises.
        unsafe { (*irp).AllocationFlags = flags };
        // SAFETY: as the caller promises.
        unsafe { (*irp).IoStatus.Status = status };
    }

    /// wdm.h, IoInitializeIrp: not for IRPs of [`IoAllocateIrp`].
    ///
    /// # IRQL
    /// <= DISPATCH_LEVEL.
    ///
    /// # Safety
    /// `irp` has `packet_size` writable bytes, aligned to 16.
    pub unsafe fn IoInitializeIrp(irp: *mut IRP, packet_size: USHORT, stack_size: CCHAR) {
        let function = "IoInitializeIrp";
        irql::require_at_most(function, DISPATCH_LEVEL);
        if stack_size < 1
            || stack_size == CCHAR::MAX
            || usize::from(packet_size) < bytes(stack_size)
            || !irp.is_aligned()
        {
            stop(
                Rule::BAD_ARGUMENT,
                function,
                format_args!("{packet_size} bytes for {stack_size} stack locations at {irp:p}"),
            );
        }
        // SAFETY: as the caller promises.
        unsafe { initialize(irp, usize::from(packet_size), stack_size) };
    }
}

/// Stops unless the driver owns the IRP and no other driver has it.
///
/// # Safety
/// `irp` is readable.
unsafe fn require_own(function: &str, irp: *mut IRP) {
    if pool::freed_tag(irp.cast()) == Some(TAG) {
        stop(Rule::DOUBLE_FREE, function, format_args!("the IRP at {irp:p} was freed before"));
    }
    // SAFETY: as the caller promises.
    unsafe { require_type(function, irp) };
    // SAFETY: as the caller promises.
    let fields = unsafe { &*irp };
    if fields.CurrentLocation <= fields.StackCount {
        stop(
            Rule::BAD_IRP,
            function,
            format_args!("the IRP at {irp:p} was sent to a lower driver and is not completed"),
        );
    }
}
