//! ntddndis.h, ndis/status.h, ndis.h: status codes.

use crate::ntdef::NTSTATUS;

/// A status code of NDIS.
pub type NDIS_STATUS = NTSTATUS;

/// Done.
pub const NDIS_STATUS_SUCCESS: NDIS_STATUS = 0x0;
/// Will be completed later.
pub const NDIS_STATUS_PENDING: NDIS_STATUS = 0x103;
/// Not accepted.
pub const NDIS_STATUS_NOT_ACCEPTED: NDIS_STATUS = 0x0001_0003;
/// Failed.
pub const NDIS_STATUS_FAILURE: NDIS_STATUS = 0xc000_0001_u32 as NDIS_STATUS;
/// Memory is short.
pub const NDIS_STATUS_RESOURCES: NDIS_STATUS = 0xc000_009a_u32 as NDIS_STATUS;
/// Not supported.
pub const NDIS_STATUS_NOT_SUPPORTED: NDIS_STATUS = 0xc000_00bb_u32 as NDIS_STATUS;
/// The buffer was too small for all data.
pub const NDIS_STATUS_BUFFER_OVERFLOW: NDIS_STATUS = 0x8000_0005_u32 as NDIS_STATUS;
/// A parameter is wrong.
pub const NDIS_STATUS_INVALID_PARAMETER: NDIS_STATUS = 0xc000_000d_u32 as NDIS_STATUS;
/// The state does not allow it.
pub const NDIS_STATUS_INVALID_STATE: NDIS_STATUS = 0xc000_0184_u32 as NDIS_STATUS;
/// The version is not supported.
pub const NDIS_STATUS_BAD_VERSION: NDIS_STATUS = 0xc001_0004_u32 as NDIS_STATUS;
/// The characteristics are wrong.
pub const NDIS_STATUS_BAD_CHARACTERISTICS: NDIS_STATUS = 0xc001_0005_u32 as NDIS_STATUS;
/// No such adapter.
pub const NDIS_STATUS_ADAPTER_NOT_FOUND: NDIS_STATUS = 0xc001_0006_u32 as NDIS_STATUS;
/// Aborted.
pub const NDIS_STATUS_REQUEST_ABORTED: NDIS_STATUS = 0xc001_000c_u32 as NDIS_STATUS;
/// The adapter is reset.
pub const NDIS_STATUS_RESET_IN_PROGRESS: NDIS_STATUS = 0xc001_000d_u32 as NDIS_STATUS;
/// The packet is wrong.
pub const NDIS_STATUS_INVALID_PACKET: NDIS_STATUS = 0xc001_000f_u32 as NDIS_STATUS;
/// The adapter is not ready.
pub const NDIS_STATUS_ADAPTER_NOT_READY: NDIS_STATUS = 0xc001_0011_u32 as NDIS_STATUS;
/// The length is wrong.
pub const NDIS_STATUS_INVALID_LENGTH: NDIS_STATUS = 0xc001_0014_u32 as NDIS_STATUS;
/// The value is wrong.
pub const NDIS_STATUS_INVALID_DATA: NDIS_STATUS = 0xc001_0015_u32 as NDIS_STATUS;
/// The buffer is too short.
pub const NDIS_STATUS_BUFFER_TOO_SHORT: NDIS_STATUS = 0xc001_0016_u32 as NDIS_STATUS;
/// No such OID.
pub const NDIS_STATUS_INVALID_OID: NDIS_STATUS = 0xc001_0017_u32 as NDIS_STATUS;
/// The adapter was removed.
pub const NDIS_STATUS_ADAPTER_REMOVED: NDIS_STATUS = 0xc001_0018_u32 as NDIS_STATUS;
/// The medium is not supported.
pub const NDIS_STATUS_UNSUPPORTED_MEDIA: NDIS_STATUS = 0xc001_0019_u32 as NDIS_STATUS;
/// The network is unreachable.
pub const NDIS_STATUS_NO_ROUTE_TO_DESTINATION: NDIS_STATUS = 0xc001_0029_u32 as NDIS_STATUS;
/// Sending was cancelled.
pub const NDIS_STATUS_SEND_ABORTED: NDIS_STATUS = 0xc023_000c_u32 as NDIS_STATUS;
/// The adapter is paused.
pub const NDIS_STATUS_PAUSED: NDIS_STATUS = 0xc023_002a_u32 as NDIS_STATUS;
/// The link is down.
pub const NDIS_STATUS_MEDIA_DISCONNECTED: NDIS_STATUS = 0xc023_001f_u32 as NDIS_STATUS;
/// The revision of a struct is not supported.
pub const NDIS_STATUS_UNSUPPORTED_REVISION: NDIS_STATUS = 0xc023_002c_u32 as NDIS_STATUS;
/// No such port.
pub const NDIS_STATUS_INVALID_PORT: NDIS_STATUS = 0xc023_002d_u32 as NDIS_STATUS;
/// The adapter is in a low power state.
pub const NDIS_STATUS_LOW_POWER_STATE: NDIS_STATUS = 0xc023_002f_u32 as NDIS_STATUS;
/// Indication: [`NDIS_LINK_STATE`](super::NDIS_LINK_STATE).
pub const NDIS_STATUS_LINK_STATE: NDIS_STATUS = 0x4001_0017;
/// Indication: the packet filter changed.
pub const NDIS_STATUS_PACKET_FILTER: NDIS_STATUS = 0x4001_0024;
/// Indication: addresses may be stale.
pub const NDIS_STATUS_NETWORK_CHANGE: NDIS_STATUS = 0x4001_0018;
/// Indication: NDIS_OPER_STATE.
pub const NDIS_STATUS_OPER_STATUS: NDIS_STATUS = 0x4001_0023;
/// Indication: [`NDIS_OFFLOAD`](super::NDIS_OFFLOAD).
pub const NDIS_STATUS_TASK_OFFLOAD_CURRENT_CONFIG: NDIS_STATUS = 0x4002_0006;
/// Indication: [`NDIS_OFFLOAD`](super::NDIS_OFFLOAD).
pub const NDIS_STATUS_TASK_OFFLOAD_HARDWARE_CAPABILITIES: NDIS_STATUS = 0x4002_0007;
