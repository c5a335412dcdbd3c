//! `ntdef.h` and `wdm.h`: the basic types.

use core::ffi::c_void;

pub type CHAR = i8;
pub type CCHAR = i8;
pub type UCHAR = u8;
pub type BOOLEAN = u8;
pub type CSHORT = i16;
pub type SHORT = i16;
pub type USHORT = u16;
pub type WCHAR = u16;
pub type LONG = i32;
pub type ULONG = u32;
pub type LONG64 = i64;
pub type LONGLONG = i64;
pub type ULONG64 = u64;
pub type ULONGLONG = u64;
pub type LONG_PTR = isize;
pub type ULONG_PTR = usize;
pub type SIZE_T = usize;
pub type PVOID = *mut c_void;
pub type HANDLE = *mut c_void;

/// A union of one 64-bit and two 32-bit views in C; passed and returned like an `i64`.
pub type LARGE_INTEGER = i64;
/// The unsigned [`LARGE_INTEGER`].
pub type ULARGE_INTEGER = u64;

/// The status of an operation: negative is failure.
pub type NTSTATUS = i32;
pub type ACCESS_MASK = ULONG;
pub type KIRQL = UCHAR;
pub type KPRIORITY = LONG;
pub type KAFFINITY = ULONG_PTR;
pub type KPROCESSOR_MODE = CCHAR;
pub type DEVICE_TYPE = ULONG;
pub type LCID = ULONG;
/// A spin lock; initialized to 0.
pub type KSPIN_LOCK = ULONG_PTR;

pub const TRUE: BOOLEAN = 1;
pub const FALSE: BOOLEAN = 0;

pub const KernelMode: KPROCESSOR_MODE = 0;
pub const UserMode: KPROCESSOR_MODE = 1;

pub const PASSIVE_LEVEL: KIRQL = 0;
pub const APC_LEVEL: KIRQL = 1;
pub const DISPATCH_LEVEL: KIRQL = 2;
/// The highest level, on 64-bit processors.
pub const HIGH_LEVEL: KIRQL = 15;

/// Whether a status is success or informational.
#[must_use]
pub const fn NT_SUCCESS(status: NTSTATUS) -> bool {
    status >= 0
}

/// A counted UTF-16 string; lengths in bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct UNICODE_STRING {
    pub Length: USHORT,
    pub MaximumLength: USHORT,
    pub Buffer: *mut WCHAR,
}

/// A link of a doubly linked list, or its head.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct LIST_ENTRY {
    pub Flink: *mut LIST_ENTRY,
    pub Blink: *mut LIST_ENTRY,
}

/// A link of a singly linked list, or its head.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct SINGLE_LIST_ENTRY {
    pub Next: *mut SINGLE_LIST_ENTRY,
}

/// A globally unique identifier.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GUID {
    pub Data1: u32,
    pub Data2: u16,
    pub Data3: u16,
    pub Data4: [u8; 8],
}

/// How an object is opened.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct OBJECT_ATTRIBUTES {
    pub Length: ULONG,
    pub RootDirectory: HANDLE,
    pub ObjectName: *mut UNICODE_STRING,
    pub Attributes: ULONG,
    pub SecurityDescriptor: PVOID,
    pub SecurityQualityOfService: PVOID,
}

pub const OBJ_KERNEL_HANDLE: ULONG = 0x200;

/// A process and a thread by their numbers.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct CLIENT_ID {
    pub UniqueProcess: HANDLE,
    pub UniqueThread: HANDLE,
}

/// A processor by group and number.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PROCESSOR_NUMBER {
    pub Group: USHORT,
    pub Number: UCHAR,
    pub Reserved: UCHAR,
}

/// Processors of one group.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GROUP_AFFINITY {
    pub Mask: KAFFINITY,
    pub Group: USHORT,
    pub Reserved: [USHORT; 3],
}

pub const ALL_PROCESSOR_GROUPS: USHORT = 0xffff;

/// An opaque process object (`PEPROCESS`).
#[repr(C)]
pub struct EPROCESS {
    _opaque: [u8; 0],
}

/// An opaque thread object (`PETHREAD`, `PKTHREAD`).
#[repr(C)]
pub struct KTHREAD {
    _opaque: [u8; 0],
}

/// An opaque object type (`POBJECT_TYPE`).
#[repr(C)]
pub struct OBJECT_TYPE {
    _opaque: [u8; 0],
}
