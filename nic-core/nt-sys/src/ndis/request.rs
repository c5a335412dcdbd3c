//! ndis/oidrequest.h, ndis.h: OID requests and status indications.

use super::{NDIS_HANDLE, NDIS_OBJECT_HEADER, NDIS_OID, NDIS_PORT_NUMBER, NDIS_STATUS};
use crate::ntdef::{GUID, PVOID, UCHAR, ULONG, USHORT};

/// An OID request.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct NDIS_OID_REQUEST {
    /// `NDIS_OBJECT_TYPE_OID_REQUEST`
    pub Header: NDIS_OBJECT_HEADER,
    /// Which member of `DATA` is valid.
    pub RequestType: NDIS_REQUEST_TYPE,
    /// The port it is for.
    pub PortNumber: NDIS_PORT_NUMBER,
    /// In seconds; 0 for none.
    pub Timeout: ULONG,
    /// The request ID for MiniportCancelOidRequest.
    pub RequestId: PVOID,
    /// The handle for a status indication that answers it.
    pub RequestHandle: NDIS_HANDLE,
    /// The request.
    pub DATA: NDIS_OID_REQUEST_DATA,
    /// Reserved for NDIS.
    pub NdisReserved: [UCHAR; 128],
    /// Reserved for the miniport.
    pub MiniportReserved: [UCHAR; 16],
    /// Reserved for the source.
    pub SourceReserved: [UCHAR; 16],
    /// Out: the revision that was understood.
    pub SupportedRevision: UCHAR,
    /// Reserved.
    pub Reserved1: UCHAR,
    /// Reserved.
    pub Reserved2: USHORT,
    /// NIC switch. Revision 2.
    pub SwitchId: ULONG,
    /// Virtual port. Revision 2.
    pub VPortId: ULONG,
    /// `NDIS_OID_REQUEST_FLAGS_*`. Revision 2.
    pub Flags: ULONG,
}

/// Of [`NDIS_OID_REQUEST`].
pub const NDIS_OID_REQUEST_REVISION_1: UCHAR = 1;
/// Of [`NDIS_OID_REQUEST`]; NDIS 6.50.
pub const NDIS_OID_REQUEST_REVISION_2: UCHAR = 2;
/// Size of revision 1.
pub const NDIS_SIZEOF_OID_REQUEST_REVISION_1: USHORT = 236;
/// Size of revision 2.
pub const NDIS_SIZEOF_OID_REQUEST_REVISION_2: USHORT = 248;

/// The body of an OID request. `Oid` is the first field of each.
#[repr(C)]
#[derive(Clone, Copy)]
pub union NDIS_OID_REQUEST_DATA {
    /// The OID of any of them.
    pub Oid: NDIS_OID,
    /// `NdisRequestQueryInformation` and `NdisRequestQueryStatistics`
    pub QUERY_INFORMATION: NDIS_OID_REQUEST_QUERY,
    /// `NdisRequestSetInformation`
    pub SET_INFORMATION: NDIS_OID_REQUEST_SET,
    /// `NdisRequestMethod`
    pub METHOD_INFORMATION: NDIS_OID_REQUEST_METHOD,
}

/// A query.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct NDIS_OID_REQUEST_QUERY {
    /// The OID.
    pub Oid: NDIS_OID,
    /// The buffer for the answer.
    pub InformationBuffer: PVOID,
    /// Size of `InformationBuffer` in bytes.
    pub InformationBufferLength: ULONG,
    /// Out: bytes of the answer.
    pub BytesWritten: ULONG,
    /// Out: bytes that the buffer must have.
    pub BytesNeeded: ULONG,
}

/// A set request.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct NDIS_OID_REQUEST_SET {
    /// The OID.
    pub Oid: NDIS_OID,
    /// The value.
    pub InformationBuffer: PVOID,
    /// Size of `InformationBuffer` in bytes.
    pub InformationBufferLength: ULONG,
    /// Out: bytes that were read.
    pub BytesRead: ULONG,
    /// Out: bytes that the buffer must have.
    pub BytesNeeded: ULONG,
}

/// A method request.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct NDIS_OID_REQUEST_METHOD {
    /// The OID.
    pub Oid: NDIS_OID,
    /// Input, then output.
    pub InformationBuffer: PVOID,
    /// Size of the input in bytes.
    pub InputBufferLength: ULONG,
    /// Size of the output in bytes.
    pub OutputBufferLength: ULONG,
    /// The method.
    pub MethodId: ULONG,
    /// Out: bytes that were written.
    pub BytesWritten: ULONG,
    /// Out: bytes that were read.
    pub BytesRead: ULONG,
    /// Out: bytes that the buffer must have.
    pub BytesNeeded: ULONG,
}

/// The kind of an OID request.
pub type NDIS_REQUEST_TYPE = u32;
/// A query.
pub const NdisRequestQueryInformation: NDIS_REQUEST_TYPE = 0;
/// A set request.
pub const NdisRequestSetInformation: NDIS_REQUEST_TYPE = 1;
/// A query from user mode.
pub const NdisRequestQueryStatistics: NDIS_REQUEST_TYPE = 2;
/// A method request.
pub const NdisRequestMethod: NDIS_REQUEST_TYPE = 12;

/// A status indication from a miniport to overlying drivers.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct NDIS_STATUS_INDICATION {
    /// `NDIS_OBJECT_TYPE_STATUS_INDICATION`
    pub Header: NDIS_OBJECT_HEADER,
    /// The miniport adapter handle.
    pub SourceHandle: NDIS_HANDLE,
    /// The port it concerns.
    pub PortNumber: NDIS_PORT_NUMBER,
    /// The status code.
    pub StatusCode: NDIS_STATUS,
    /// Reserved.
    pub Flags: ULONG,
    /// Null, or `RequestHandle` of the OID request that it answers.
    pub DestinationHandle: NDIS_HANDLE,
    /// `RequestId` of the OID request that it answers.
    pub RequestId: PVOID,
    /// Further information, or null.
    pub StatusBuffer: PVOID,
    /// Size of `StatusBuffer` in bytes.
    pub StatusBufferSize: ULONG,
    /// Of WMI.
    pub Guid: GUID,
    /// Reserved for NDIS.
    pub NdisReserved: [PVOID; 4],
}

/// Of [`NDIS_STATUS_INDICATION`].
pub const NDIS_STATUS_INDICATION_REVISION_1: UCHAR = 1;
/// Of [`NDIS_STATUS_INDICATION`].
pub const NDIS_SIZEOF_STATUS_INDICATION_REVISION_1: USHORT = 112;

/// The parameters of `OID_GEN_INTERRUPT_MODERATION`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct NDIS_INTERRUPT_MODERATION_PARAMETERS {
    /// `NDIS_OBJECT_TYPE_DEFAULT`
    pub Header: NDIS_OBJECT_HEADER,
    /// `NDIS_INTERRUPT_MODERATION_CHANGE_NEEDS_*`
    pub Flags: ULONG,
    /// Whether interrupts are moderated.
    pub InterruptModeration: NDIS_INTERRUPT_MODERATION,
}

/// Of [`NDIS_INTERRUPT_MODERATION_PARAMETERS`].
pub const NDIS_INTERRUPT_MODERATION_PARAMETERS_REVISION_1: UCHAR = 1;
/// Of [`NDIS_INTERRUPT_MODERATION_PARAMETERS`].
pub const NDIS_SIZEOF_INTERRUPT_MODERATION_PARAMETERS_REVISION_1: USHORT = 12;

/// Whether interrupts are moderated.
pub type NDIS_INTERRUPT_MODERATION = u32;
/// There are no interrupts, or moderation is not supported.
pub const NdisInterruptModerationNotSupported: NDIS_INTERRUPT_MODERATION = 1;
/// Enabled.
pub const NdisInterruptModerationEnabled: NDIS_INTERRUPT_MODERATION = 2;
/// Disabled.
pub const NdisInterruptModerationDisabled: NDIS_INTERRUPT_MODERATION = 3;
