//! ndis/objectheader.h, ndis/types.h: the header of NDIS structs.

use crate::ntdef::{PVOID, UCHAR, ULONG, USHORT};

/// An opaque handle of NDIS.
pub type NDIS_HANDLE = PVOID;
/// The number of a port of a miniport adapter.
pub type NDIS_PORT_NUMBER = ULONG;

/// The port that every miniport adapter has.
pub const NDIS_DEFAULT_PORT_NUMBER: NDIS_PORT_NUMBER = 0;

/// Type, revision and size of the struct that begins with it.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NDIS_OBJECT_HEADER {
    /// One of `NDIS_OBJECT_TYPE_*`.
    pub Type: UCHAR,
    /// One of the struct's `*_REVISION_n`.
    pub Revision: UCHAR,
    /// Size of that revision in bytes: `NDIS_SIZEOF_*_REVISION_n`.
    pub Size: USHORT,
}

/// Structs without a type of their own.
pub const NDIS_OBJECT_TYPE_DEFAULT: UCHAR = 0x80;
/// [`NDIS_MINIPORT_INIT_PARAMETERS`](super::NDIS_MINIPORT_INIT_PARAMETERS)
pub const NDIS_OBJECT_TYPE_MINIPORT_INIT_PARAMETERS: UCHAR = 0x81;
/// [`NDIS_DEVICE_OBJECT_ATTRIBUTES`](super::NDIS_DEVICE_OBJECT_ATTRIBUTES)
pub const NDIS_OBJECT_TYPE_DEVICE_OBJECT_ATTRIBUTES: UCHAR = 0x85;
/// [`NDIS_MINIPORT_DRIVER_CHARACTERISTICS`](super::NDIS_MINIPORT_DRIVER_CHARACTERISTICS)
pub const NDIS_OBJECT_TYPE_MINIPORT_DRIVER_CHARACTERISTICS: UCHAR = 0x8a;
/// [`NDIS_OID_REQUEST`](super::NDIS_OID_REQUEST)
pub const NDIS_OBJECT_TYPE_OID_REQUEST: UCHAR = 0x96;
/// [`NDIS_STATUS_INDICATION`](super::NDIS_STATUS_INDICATION)
pub const NDIS_OBJECT_TYPE_STATUS_INDICATION: UCHAR = 0x98;
/// `NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES`
pub const NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES: UCHAR = 0x9e;
/// [`NDIS_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES`](super::NDIS_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES)
pub const NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES: UCHAR = 0x9f;
/// [`NDIS_MINIPORT_ADAPTER_OFFLOAD_ATTRIBUTES`](super::NDIS_MINIPORT_ADAPTER_OFFLOAD_ATTRIBUTES)
pub const NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_OFFLOAD_ATTRIBUTES: UCHAR = 0xa0;
/// [`NDIS_OFFLOAD`](super::NDIS_OFFLOAD)
pub const NDIS_OBJECT_TYPE_OFFLOAD: UCHAR = 0xa7;
/// [`NDIS_OFFLOAD_ENCAPSULATION`](super::NDIS_OFFLOAD_ENCAPSULATION)
pub const NDIS_OBJECT_TYPE_OFFLOAD_ENCAPSULATION: UCHAR = 0xa8;
/// [`NDIS_CONFIGURATION_OBJECT`](super::NDIS_CONFIGURATION_OBJECT)
pub const NDIS_OBJECT_TYPE_CONFIGURATION_OBJECT: UCHAR = 0xa9;

/// A version of NDIS, as `NdisGetVersion` returns it: major in the upper, minor in the lower 16
/// bits.
pub const fn NDIS_MAKE_VERSION(major: UCHAR, minor: UCHAR) -> ULONG {
    (major as ULONG) << 16 | minor as ULONG
}
