//! ndis.h: an adapter's configuration in the registry.

use super::{NDIS_HANDLE, NDIS_OBJECT_HEADER, NDIS_STATUS};
use crate::ntdef::{PVOID, UCHAR, ULONG, UNICODE_STRING, USHORT};

/// The object whose configuration is opened.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct NDIS_CONFIGURATION_OBJECT {
    /// `NDIS_OBJECT_TYPE_CONFIGURATION_OBJECT`
    pub Header: NDIS_OBJECT_HEADER,
    /// The miniport adapter handle.
    pub NdisHandle: NDIS_HANDLE,
    /// 0
    pub Flags: ULONG,
}

/// Of [`NDIS_CONFIGURATION_OBJECT`].
pub const NDIS_CONFIGURATION_OBJECT_REVISION_1: UCHAR = 1;
/// Of [`NDIS_CONFIGURATION_OBJECT`].
pub const NDIS_SIZEOF_CONFIGURATION_OBJECT_REVISION_1: USHORT = 20;

/// The value of a keyword. It belongs to NDIS, and is freed when the configuration is closed.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct NDIS_CONFIGURATION_PARAMETER {
    /// Which member of `ParameterData` is valid.
    pub ParameterType: NDIS_PARAMETER_TYPE,
    /// The value.
    pub ParameterData: NDIS_CONFIGURATION_PARAMETER_DATA,
}

/// The value of a keyword.
#[repr(C)]
#[derive(Clone, Copy)]
pub union NDIS_CONFIGURATION_PARAMETER_DATA {
    /// `NdisParameterInteger`, `NdisParameterHexInteger`
    pub IntegerData: ULONG,
    /// `NdisParameterString`, `NdisParameterMultiString`
    pub StringData: UNICODE_STRING,
    /// `NdisParameterBinary`
    pub BinaryData: BINARY_DATA,
}

/// Bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct BINARY_DATA {
    /// Length in bytes.
    pub Length: USHORT,
    /// The bytes.
    pub Buffer: PVOID,
}

/// The type of a keyword's value.
pub type NDIS_PARAMETER_TYPE = u32;
/// A number, decimal in text.
pub const NdisParameterInteger: NDIS_PARAMETER_TYPE = 0;
/// A number, hexadecimal in text.
pub const NdisParameterHexInteger: NDIS_PARAMETER_TYPE = 1;
/// A string.
pub const NdisParameterString: NDIS_PARAMETER_TYPE = 2;
/// Strings.
pub const NdisParameterMultiString: NDIS_PARAMETER_TYPE = 3;
/// Bytes.
pub const NdisParameterBinary: NDIS_PARAMETER_TYPE = 4;

crate::import! { "ndis.sys";
    /// Opens an adapter's configuration.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    pub fn NdisOpenConfigurationEx(
        config_object: *const NDIS_CONFIGURATION_OBJECT, configuration_handle: *mut NDIS_HANDLE,
    ) -> NDIS_STATUS;

    /// Reads a keyword; fails with `NDIS_STATUS_FAILURE` if it is missing.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    pub fn NdisReadConfiguration(
        status: *mut NDIS_STATUS, parameter_value: *mut *mut NDIS_CONFIGURATION_PARAMETER,
        configuration_handle: NDIS_HANDLE, keyword: *const UNICODE_STRING,
        parameter_type: NDIS_PARAMETER_TYPE,
    );

    /// Closes a configuration.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    pub fn NdisCloseConfiguration(configuration_handle: NDIS_HANDLE);
}
