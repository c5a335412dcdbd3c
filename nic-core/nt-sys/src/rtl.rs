//! `wdm.h` and `ntddk.h`, Rtl and Dbg: run-time library and debug output.

use core::ffi::{c_char, c_void};

use crate::ntdef::{NTSTATUS, PVOID, ULONG, ULONG64, UNICODE_STRING, WCHAR};

/// The version of the system.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct RTL_OSVERSIONINFOW {
    /// Set by the caller.
    pub dwOSVersionInfoSize: ULONG,
    pub dwMajorVersion: ULONG,
    pub dwMinorVersion: ULONG,
    pub dwBuildNumber: ULONG,
    pub dwPlatformId: ULONG,
    pub szCSDVersion: [WCHAR; 128],
}

/// The parts of the extended processor state that are saved, and the buffer.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct XSTATE_CONTEXT {
    pub Mask: ULONG64,
    pub Length: ULONG,
    pub Reserved1: ULONG,
    pub Area: *mut c_void,
    pub Buffer: PVOID,
}

pub const XSTATE_MASK_LEGACY: ULONG64 = 0x3;
/// AVX: the upper halves of YMM0 to YMM15.
pub const XSTATE_MASK_GSSE: ULONG64 = 0x4;
/// AVX-512: mask registers, upper halves of ZMM0 to ZMM15, ZMM16 to ZMM31.
pub const XSTATE_MASK_AVX512: ULONG64 = 0xe0;

pub const DPFLTR_IHVDRIVER_ID: ULONG = 77;
pub const DPFLTR_ERROR_LEVEL: ULONG = 0;
pub const DPFLTR_WARNING_LEVEL: ULONG = 1;
pub const DPFLTR_TRACE_LEVEL: ULONG = 2;
pub const DPFLTR_INFO_LEVEL: ULONG = 3;

import! { "ntoskrnl.exe";
    pub fn RtlGetVersion(version_information: *mut RTL_OSVERSIONINFOW) -> NTSTATUS;
    pub fn RtlGetEnabledExtendedFeatures(feature_mask: ULONG64) -> ULONG64;
    pub fn RtlInitUnicodeString(destination: *mut UNICODE_STRING, source: *const WCHAR);
    pub fn RtlFreeUnicodeString(unicode_string: *mut UNICODE_STRING);
    /// Prints to the debugger: a C format with the usual conversions and `%wZ`.
    pub fn DbgPrintEx(component_id: ULONG, level: ULONG, format: *const c_char, ...) -> ULONG;
}
