//! `wdm.h`, Io: drivers, devices, files, IRPs and cancel-safe queues.

use crate::ke::{KDEVICE_QUEUE, KDPC, KEVENT, KSPIN_LOCK};
use crate::mm::MDL;
use crate::ntdef::{
    ACCESS_MASK, BOOLEAN, CCHAR, CHAR, CSHORT, DEVICE_TYPE, EPROCESS, GUID, KIRQL, KPROCESSOR_MODE,
    KTHREAD, LARGE_INTEGER, LIST_ENTRY, LONG, NTSTATUS, PVOID, UCHAR, ULONG, ULONG_PTR,
    UNICODE_STRING, USHORT,
};

/// The result of an I/O request.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct IO_STATUS_BLOCK {
    /// In C, in a union with a pointer of 8 bytes.
    pub Status: NTSTATUS,
    pub _pad: ULONG,
    pub Information: ULONG_PTR,
}

/// A driver's entry point: PASSIVE_LEVEL.
pub type DRIVER_INITIALIZE = unsafe extern "efiapi" fn(
    driver_object: *mut DRIVER_OBJECT,
    registry_path: *mut UNICODE_STRING,
) -> NTSTATUS;
/// A driver's unload routine: PASSIVE_LEVEL.
pub type DRIVER_UNLOAD = unsafe extern "efiapi" fn(driver_object: *mut DRIVER_OBJECT);
/// A dispatch routine: PASSIVE_LEVEL for those a file handle calls.
pub type DRIVER_DISPATCH =
    unsafe extern "efiapi" fn(device_object: *mut DEVICE_OBJECT, irp: *mut IRP) -> NTSTATUS;
/// A cancel routine: called at DISPATCH_LEVEL with the cancel spin lock held, which it must
/// release.
pub type DRIVER_CANCEL =
    unsafe extern "efiapi" fn(device_object: *mut DEVICE_OBJECT, irp: *mut IRP);
/// A completion routine: up to DISPATCH_LEVEL.
pub type IO_COMPLETION_ROUTINE = unsafe extern "efiapi" fn(
    device_object: *mut DEVICE_OBJECT,
    irp: *mut IRP,
    context: PVOID,
) -> NTSTATUS;

/// Dispatch routines of a driver object.
pub const IRP_MJ_COUNT: usize = IRP_MJ_MAXIMUM_FUNCTION as usize + 1;

/// A loaded driver.
#[repr(C)]
pub struct DRIVER_OBJECT {
    pub Type: CSHORT,
    pub Size: CSHORT,
    pub DeviceObject: *mut DEVICE_OBJECT,
    pub Flags: ULONG,
    pub DriverStart: PVOID,
    pub DriverSize: ULONG,
    pub DriverSection: PVOID,
    pub DriverExtension: PVOID,
    pub DriverName: UNICODE_STRING,
    pub HardwareDatabase: *mut UNICODE_STRING,
    pub FastIoDispatch: PVOID,
    pub DriverInit: Option<DRIVER_INITIALIZE>,
    pub DriverStartIo: Option<unsafe extern "efiapi" fn(*mut DEVICE_OBJECT, *mut IRP)>,
    pub DriverUnload: Option<DRIVER_UNLOAD>,
    pub MajorFunction: [Option<DRIVER_DISPATCH>; IRP_MJ_COUNT],
}

/// A device.
#[repr(C, align(16))]
pub struct DEVICE_OBJECT {
    pub Type: CSHORT,
    pub Size: USHORT,
    pub ReferenceCount: LONG,
    pub DriverObject: *mut DRIVER_OBJECT,
    pub NextDevice: *mut DEVICE_OBJECT,
    pub AttachedDevice: *mut DEVICE_OBJECT,
    pub CurrentIrp: *mut IRP,
    pub Timer: PVOID,
    pub Flags: ULONG,
    pub Characteristics: ULONG,
    pub Vpb: PVOID,
    pub DeviceExtension: PVOID,
    pub DeviceType: DEVICE_TYPE,
    pub StackSize: CCHAR,
    /// A union of a list entry and a wait context block.
    pub Queue: [ULONG_PTR; 9],
    pub AlignmentRequirement: ULONG,
    pub DeviceQueue: KDEVICE_QUEUE,
    pub Dpc: KDPC,
    pub ActiveThreadCount: ULONG,
    pub SecurityDescriptor: PVOID,
    pub DeviceLock: KEVENT,
    pub SectorSize: USHORT,
    pub Spare1: USHORT,
    pub DeviceObjectExtension: PVOID,
    pub Reserved: PVOID,
}

/// An open file.
#[repr(C)]
pub struct FILE_OBJECT {
    pub Type: CSHORT,
    pub Size: CSHORT,
    pub DeviceObject: *mut DEVICE_OBJECT,
    pub Vpb: PVOID,
    pub FsContext: PVOID,
    pub FsContext2: PVOID,
    pub SectionObjectPointer: PVOID,
    pub PrivateCacheMap: PVOID,
    pub FinalStatus: NTSTATUS,
    pub RelatedFileObject: *mut FILE_OBJECT,
    pub LockOperation: BOOLEAN,
    pub DeletePending: BOOLEAN,
    pub ReadAccess: BOOLEAN,
    pub WriteAccess: BOOLEAN,
    pub DeleteAccess: BOOLEAN,
    pub SharedRead: BOOLEAN,
    pub SharedWrite: BOOLEAN,
    pub SharedDelete: BOOLEAN,
    pub Flags: ULONG,
    pub FileName: UNICODE_STRING,
    pub CurrentByteOffset: LARGE_INTEGER,
    pub Waiters: ULONG,
    pub Busy: ULONG,
    pub LastLock: PVOID,
    pub Lock: KEVENT,
    pub Event: KEVENT,
    pub CompletionContext: PVOID,
    pub IrpListLock: KSPIN_LOCK,
    pub IrpList: LIST_ENTRY,
    pub FileObjectExtension: PVOID,
}

/// `IRP::AssociatedIrp`.
#[repr(C)]
#[derive(Clone, Copy)]
pub union IRP_ASSOCIATED {
    pub MasterIrp: *mut IRP,
    pub IrpCount: LONG,
    pub SystemBuffer: PVOID,
}

/// `IRP::Overlay`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct IRP_OVERLAY {
    pub UserApcRoutine: PVOID,
    pub UserApcContext: PVOID,
}

/// `IRP::Tail.Overlay`: the part that belongs to drivers.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct IRP_TAIL_OVERLAY {
    /// In C, in a union with a `KDEVICE_QUEUE_ENTRY`.
    pub DriverContext: [PVOID; 4],
    pub Thread: *mut KTHREAD,
    pub AuxiliaryBuffer: *mut CHAR,
    pub ListEntry: LIST_ENTRY,
    pub CurrentStackLocation: *mut IO_STACK_LOCATION,
    pub OriginalFileObject: *mut FILE_OBJECT,
}

/// `IRP::Tail`.
#[repr(C)]
#[derive(Clone, Copy)]
pub union IRP_TAIL {
    pub Overlay: IRP_TAIL_OVERLAY,
    /// A `KAPC`.
    pub Apc: [ULONG_PTR; 11],
    pub CompletionKey: PVOID,
}

/// An I/O request packet. Its stack locations follow it in memory.
#[repr(C, align(16))]
pub struct IRP {
    pub Type: CSHORT,
    pub Size: USHORT,
    pub MdlAddress: *mut MDL,
    pub Flags: ULONG,
    pub AssociatedIrp: IRP_ASSOCIATED,
    pub ThreadListEntry: LIST_ENTRY,
    pub IoStatus: IO_STATUS_BLOCK,
    pub RequestorMode: KPROCESSOR_MODE,
    pub PendingReturned: BOOLEAN,
    pub StackCount: CHAR,
    pub CurrentLocation: CHAR,
    pub Cancel: BOOLEAN,
    pub CancelIrql: KIRQL,
    pub ApcEnvironment: CCHAR,
    pub AllocationFlags: UCHAR,
    pub UserIosb: *mut IO_STATUS_BLOCK,
    pub UserEvent: *mut KEVENT,
    pub Overlay: IRP_OVERLAY,
    /// Exchanged atomically (`IoSetCancelRoutine`).
    pub CancelRoutine: Option<DRIVER_CANCEL>,
    pub UserBuffer: PVOID,
    pub Tail: IRP_TAIL,
}

/// `Parameters.Create`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct IO_STACK_CREATE {
    pub SecurityContext: *mut IO_SECURITY_CONTEXT,
    pub Options: ULONG,
    pub _pad0: ULONG,
    pub FileAttributes: USHORT,
    pub ShareAccess: USHORT,
    pub _pad1: ULONG,
    pub EaLength: ULONG,
    pub _pad2: ULONG,
}

/// `Parameters.Read` and `Parameters.Write`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct IO_STACK_READ_WRITE {
    pub Length: ULONG,
    pub _pad0: ULONG,
    pub Key: ULONG,
    pub Flags: ULONG,
    pub ByteOffset: LARGE_INTEGER,
}

/// `Parameters.DeviceIoControl`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct IO_STACK_DEVICE_IO_CONTROL {
    pub OutputBufferLength: ULONG,
    pub _pad0: ULONG,
    pub InputBufferLength: ULONG,
    pub _pad1: ULONG,
    pub IoControlCode: ULONG,
    pub _pad2: ULONG,
    pub Type3InputBuffer: PVOID,
}

/// `Parameters.Others`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct IO_STACK_OTHERS {
    pub Argument1: PVOID,
    pub Argument2: PVOID,
    pub Argument3: PVOID,
    pub Argument4: PVOID,
}

/// `IO_STACK_LOCATION::Parameters`.
#[repr(C)]
#[derive(Clone, Copy)]
pub union IO_STACK_PARAMETERS {
    pub Create: IO_STACK_CREATE,
    pub Read: IO_STACK_READ_WRITE,
    pub Write: IO_STACK_READ_WRITE,
    pub DeviceIoControl: IO_STACK_DEVICE_IO_CONTROL,
    pub Others: IO_STACK_OTHERS,
}

/// One driver's part of an IRP.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct IO_STACK_LOCATION {
    pub MajorFunction: UCHAR,
    pub MinorFunction: UCHAR,
    pub Flags: UCHAR,
    pub Control: UCHAR,
    pub Parameters: IO_STACK_PARAMETERS,
    pub DeviceObject: *mut DEVICE_OBJECT,
    pub FileObject: *mut FILE_OBJECT,
    pub CompletionRoutine: Option<IO_COMPLETION_ROUTINE>,
    pub Context: PVOID,
}

/// Who opens a file, and for what.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct IO_SECURITY_CONTEXT {
    pub SecurityQos: PVOID,
    pub AccessState: PVOID,
    pub DesiredAccess: ACCESS_MASK,
    pub FullCreateOptions: ULONG,
}

pub type IO_CSQ_INSERT_IRP = unsafe extern "efiapi" fn(csq: *mut IO_CSQ, irp: *mut IRP);
pub type IO_CSQ_REMOVE_IRP = unsafe extern "efiapi" fn(csq: *mut IO_CSQ, irp: *mut IRP);
pub type IO_CSQ_PEEK_NEXT_IRP =
    unsafe extern "efiapi" fn(csq: *mut IO_CSQ, irp: *mut IRP, peek_context: PVOID) -> *mut IRP;
pub type IO_CSQ_ACQUIRE_LOCK = unsafe extern "efiapi" fn(csq: *mut IO_CSQ, irql: *mut KIRQL);
pub type IO_CSQ_RELEASE_LOCK = unsafe extern "efiapi" fn(csq: *mut IO_CSQ, irql: KIRQL);
pub type IO_CSQ_COMPLETE_CANCELED_IRP = unsafe extern "efiapi" fn(csq: *mut IO_CSQ, irp: *mut IRP);

/// A cancel-safe queue of IRPs.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct IO_CSQ {
    pub Type: ULONG,
    pub CsqInsertIrp: Option<IO_CSQ_INSERT_IRP>,
    pub CsqRemoveIrp: Option<IO_CSQ_REMOVE_IRP>,
    pub CsqPeekNextIrp: Option<IO_CSQ_PEEK_NEXT_IRP>,
    pub CsqAcquireLock: Option<IO_CSQ_ACQUIRE_LOCK>,
    pub CsqReleaseLock: Option<IO_CSQ_RELEASE_LOCK>,
    pub CsqCompleteCanceledIrp: Option<IO_CSQ_COMPLETE_CANCELED_IRP>,
    pub ReservePointer: PVOID,
}

/// One IRP's place in an [`IO_CSQ`].
#[repr(C)]
#[derive(Clone, Copy)]
pub struct IO_CSQ_IRP_CONTEXT {
    pub Type: ULONG,
    pub Irp: *mut IRP,
    pub Csq: *mut IO_CSQ,
}

pub const IO_TYPE_CSQ_IRP_CONTEXT: ULONG = 1;
pub const IO_TYPE_CSQ: ULONG = 2;

pub const IO_TYPE_DEVICE: CSHORT = 3;
pub const IO_TYPE_DRIVER: CSHORT = 4;
pub const IO_TYPE_FILE: CSHORT = 5;
pub const IO_TYPE_IRP: CSHORT = 6;

pub const IRP_MJ_CREATE: UCHAR = 0x00;
pub const IRP_MJ_CLOSE: UCHAR = 0x02;
pub const IRP_MJ_READ: UCHAR = 0x03;
pub const IRP_MJ_WRITE: UCHAR = 0x04;
pub const IRP_MJ_DEVICE_CONTROL: UCHAR = 0x0e;
pub const IRP_MJ_INTERNAL_DEVICE_CONTROL: UCHAR = 0x0f;
pub const IRP_MJ_SHUTDOWN: UCHAR = 0x10;
pub const IRP_MJ_CLEANUP: UCHAR = 0x12;
pub const IRP_MJ_POWER: UCHAR = 0x16;
pub const IRP_MJ_SYSTEM_CONTROL: UCHAR = 0x17;
pub const IRP_MJ_PNP: UCHAR = 0x1b;
pub const IRP_MJ_MAXIMUM_FUNCTION: UCHAR = 0x1b;

/// Minor function codes of IRP_MJ_PNP.
pub const IRP_MN_START_DEVICE: UCHAR = 0x00;
pub const IRP_MN_QUERY_REMOVE_DEVICE: UCHAR = 0x01;
pub const IRP_MN_REMOVE_DEVICE: UCHAR = 0x02;
pub const IRP_MN_CANCEL_REMOVE_DEVICE: UCHAR = 0x03;
pub const IRP_MN_SURPRISE_REMOVAL: UCHAR = 0x17;

/// `IRP::Flags`.
pub const IRP_BUFFERED_IO: ULONG = 0x10;
pub const IRP_DEALLOCATE_BUFFER: ULONG = 0x20;
pub const IRP_INPUT_OPERATION: ULONG = 0x40;
pub const IRP_CREATE_OPERATION: ULONG = 0x80;
pub const IRP_CLOSE_OPERATION: ULONG = 0x400;

/// `IO_STACK_LOCATION::Control`.
pub const SL_PENDING_RETURNED: UCHAR = 0x01;
pub const SL_INVOKE_ON_CANCEL: UCHAR = 0x20;
pub const SL_INVOKE_ON_SUCCESS: UCHAR = 0x40;
pub const SL_INVOKE_ON_ERROR: UCHAR = 0x80;

/// `DEVICE_OBJECT::Flags`.
pub const DO_BUFFERED_IO: ULONG = 0x04;
pub const DO_EXCLUSIVE: ULONG = 0x08;
pub const DO_DIRECT_IO: ULONG = 0x10;
pub const DO_DEVICE_INITIALIZING: ULONG = 0x80;

pub const FILE_DEVICE_NETWORK: DEVICE_TYPE = 0x12;
pub const FILE_DEVICE_PHYSICAL_NETCARD: DEVICE_TYPE = 0x17;
pub const FILE_DEVICE_UNKNOWN: DEVICE_TYPE = 0x22;
pub const FILE_DEVICE_SECURE_OPEN: ULONG = 0x100;

/// How buffers are passed: the low two bits of a control code.
pub const METHOD_BUFFERED: ULONG = 0;
pub const METHOD_IN_DIRECT: ULONG = 1;
pub const METHOD_OUT_DIRECT: ULONG = 2;
pub const METHOD_NEITHER: ULONG = 3;

/// The access that a control code needs: bits 14 and 15.
pub const FILE_ANY_ACCESS: ULONG = 0;
pub const FILE_READ_ACCESS: ULONG = 1;
pub const FILE_WRITE_ACCESS: ULONG = 2;

pub const FILE_READ_DATA: ACCESS_MASK = 1;
pub const FILE_WRITE_DATA: ACCESS_MASK = 2;
pub const FILE_GENERIC_READ: ACCESS_MASK = 0x0012_0089;
pub const FILE_GENERIC_WRITE: ACCESS_MASK = 0x0012_0116;
pub const FILE_GENERIC_EXECUTE: ACCESS_MASK = 0x0012_00a0;
pub const FILE_ALL_ACCESS: ACCESS_MASK = 0x001f_01ff;
pub const GENERIC_ALL: ACCESS_MASK = 0x1000_0000;
pub const GENERIC_EXECUTE: ACCESS_MASK = 0x2000_0000;
pub const GENERIC_READ: ACCESS_MASK = 0x8000_0000;
pub const GENERIC_WRITE: ACCESS_MASK = 0x4000_0000;

/// `FILE_INFORMATION` of a successful create: `FILE_OPENED`.
pub const FILE_OPENED: ULONG_PTR = 1;

/// The class of the device interfaces of network adapters (ndisguid.h).
pub const GUID_DEVINTERFACE_NET: GUID = GUID {
    Data1: 0xcac8_8484,
    Data2: 0x7515,
    Data3: 0x4c03,
    Data4: [0x82, 0xe6, 0x71, 0xa8, 0x7a, 0xba, 0xc3, 0x61],
};

/// An I/O control code (`CTL_CODE`).
#[must_use]
pub const fn CTL_CODE(device_type: ULONG, function: ULONG, method: ULONG, access: ULONG) -> ULONG {
    (device_type << 16) | (access << 14) | (function << 2) | method
}

import! { "ntoskrnl.exe";
    pub fn IofCompleteRequest(irp: *mut IRP, priority_boost: CCHAR);
    pub fn IofCallDriver(device_object: *mut DEVICE_OBJECT, irp: *mut IRP) -> NTSTATUS;
    pub fn IoAllocateIrp(stack_size: CCHAR, charge_quota: BOOLEAN) -> *mut IRP;
    pub fn IoFreeIrp(irp: *mut IRP);
    pub fn IoReuseIrp(irp: *mut IRP, status: NTSTATUS);
    pub fn IoInitializeIrp(irp: *mut IRP, packet_size: USHORT, stack_size: CCHAR);
    pub fn IoCancelIrp(irp: *mut IRP) -> BOOLEAN;
    pub fn IoAcquireCancelSpinLock(irql: *mut KIRQL);
    pub fn IoReleaseCancelSpinLock(irql: KIRQL);

    pub fn IoCsqInitialize(
        csq: *mut IO_CSQ, insert: IO_CSQ_INSERT_IRP, remove: IO_CSQ_REMOVE_IRP,
        peek_next: IO_CSQ_PEEK_NEXT_IRP, acquire_lock: IO_CSQ_ACQUIRE_LOCK,
        release_lock: IO_CSQ_RELEASE_LOCK,
        complete_canceled: IO_CSQ_COMPLETE_CANCELED_IRP) -> NTSTATUS;
    pub fn IoCsqInsertIrp(csq: *mut IO_CSQ, irp: *mut IRP, context: *mut IO_CSQ_IRP_CONTEXT);
    pub fn IoCsqRemoveNextIrp(csq: *mut IO_CSQ, peek_context: PVOID) -> *mut IRP;
    pub fn IoCsqRemoveIrp(csq: *mut IO_CSQ, context: *mut IO_CSQ_IRP_CONTEXT) -> *mut IRP;

    pub fn IoAllocateMdl(
        virtual_address: PVOID, length: ULONG, secondary_buffer: BOOLEAN, charge_quota: BOOLEAN,
        irp: *mut IRP) -> *mut MDL;
    pub fn IoFreeMdl(mdl: *mut MDL);
    pub fn IoBuildPartialMdl(
        source: *mut MDL, target: *mut MDL, virtual_address: PVOID, length: ULONG);

    pub fn IoGetRequestorProcessId(irp: *mut IRP) -> ULONG;
    /// `PsGetCurrentProcess` is a macro for this.
    pub fn IoGetCurrentProcess() -> *mut EPROCESS;

    pub fn IoCreateDevice(
        driver_object: *mut DRIVER_OBJECT, device_extension_size: ULONG,
        device_name: *mut UNICODE_STRING, device_type: DEVICE_TYPE, characteristics: ULONG,
        exclusive: BOOLEAN, device_object: *mut *mut DEVICE_OBJECT) -> NTSTATUS;
    pub fn IoDeleteDevice(device_object: *mut DEVICE_OBJECT);
    pub fn IoCreateSymbolicLink(
        symbolic_link_name: *mut UNICODE_STRING, device_name: *mut UNICODE_STRING) -> NTSTATUS;
    pub fn IoDeleteSymbolicLink(symbolic_link_name: *mut UNICODE_STRING) -> NTSTATUS;

    /// `symbolic_link_name` gets memory that `RtlFreeUnicodeString` frees.
    pub fn IoRegisterDeviceInterface(
        physical_device_object: *mut DEVICE_OBJECT, interface_class_guid: *const GUID,
        reference_string: *mut UNICODE_STRING,
        symbolic_link_name: *mut UNICODE_STRING) -> NTSTATUS;
    pub fn IoSetDeviceInterfaceState(
        symbolic_link_name: *mut UNICODE_STRING, enable: BOOLEAN) -> NTSTATUS;
}
