//! The version of Windows that the host reports, and the processor's features.

use nt_sys::ntdef::{NTSTATUS, PASSIVE_LEVEL, ULONG64};
use nt_sys::rtl::RTL_OSVERSIONINFOW;
use nt_sys::status::STATUS_SUCCESS;

use crate::irql;
use crate::ke::xstate;

/// Windows 11 22H2, whose NDIS is 6.87.
pub const MAJOR: u32 = 10;
/// The minor version.
pub const MINOR: u32 = 0;
/// The build.
pub const BUILD: u32 = 22621;

export! { "ntoskrnl.exe";
    /// wdm.h, RtlGetVersion.
    ///
    /// # IRQL
    /// PASSIVE_LEVEL.
    ///
    /// # Safety
    /// `version_information` is writable, and its size is set.
    pub unsafe fn RtlGetVersion(version_information: *mut RTL_OSVERSIONINFOW) -> NTSTATUS {
        irql::require_exactly("RtlGetVersion", PASSIVE_LEVEL);
        // SAFETY: as the caller promises.
        let information = unsafe { &mut *version_information };
        information.dwMajorVersion = MAJOR;
        information.dwMinorVersion = MINOR;
        information.dwBuildNumber = BUILD;
        // VER_PLATFORM_WIN32_NT.
        information.dwPlatformId = 2;
        information.szCSDVersion = [0; 128];
        STATUS_SUCCESS
    }

    /// ntddk.h, RtlGetEnabledExtendedFeatures.
    ///
    /// # IRQL
    /// PASSIVE_LEVEL.
    ///
    /// # Safety
    /// None.
    pub unsafe fn RtlGetEnabledExtendedFeatures(feature_mask: ULONG64) -> ULONG64 {
        irql::require_exactly("RtlGetEnabledExtendedFeatures", PASSIVE_LEVEL);
        feature_mask & xstate::enabled_features()
    }
}
