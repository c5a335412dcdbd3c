//! ntddndis.h: counters of an adapter.

use super::NDIS_OBJECT_HEADER;
use crate::ntdef::{UCHAR, ULONG, ULONGLONG, USHORT};

/// The answer to `OID_GEN_STATISTICS`. Counters begin with MiniportInitializeEx.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NDIS_STATISTICS_INFO {
    /// `NDIS_OBJECT_TYPE_DEFAULT`
    pub Header: NDIS_OBJECT_HEADER,
    /// `NDIS_STATISTICS_FLAGS_VALID_*`
    pub SupportedStatistics: ULONG,
    /// Received packets that were discarded without a buffer.
    pub ifInDiscards: ULONGLONG,
    /// Received packets with errors.
    pub ifInErrors: ULONGLONG,
    /// Received bytes.
    pub ifHCInOctets: ULONGLONG,
    /// Received directed packets.
    pub ifHCInUcastPkts: ULONGLONG,
    /// Received multicast packets.
    pub ifHCInMulticastPkts: ULONGLONG,
    /// Received broadcast packets.
    pub ifHCInBroadcastPkts: ULONGLONG,
    /// Sent bytes.
    pub ifHCOutOctets: ULONGLONG,
    /// Sent directed packets.
    pub ifHCOutUcastPkts: ULONGLONG,
    /// Sent multicast packets.
    pub ifHCOutMulticastPkts: ULONGLONG,
    /// Sent broadcast packets.
    pub ifHCOutBroadcastPkts: ULONGLONG,
    /// Packets that were not sent because of errors.
    pub ifOutErrors: ULONGLONG,
    /// Packets that were discarded before they were sent.
    pub ifOutDiscards: ULONGLONG,
    /// Bytes of received directed packets.
    pub ifHCInUcastOctets: ULONGLONG,
    /// Bytes of received multicast packets.
    pub ifHCInMulticastOctets: ULONGLONG,
    /// Bytes of received broadcast packets.
    pub ifHCInBroadcastOctets: ULONGLONG,
    /// Bytes of sent directed packets.
    pub ifHCOutUcastOctets: ULONGLONG,
    /// Bytes of sent multicast packets.
    pub ifHCOutMulticastOctets: ULONGLONG,
    /// Bytes of sent broadcast packets.
    pub ifHCOutBroadcastOctets: ULONGLONG,
}

/// Of [`NDIS_STATISTICS_INFO`].
pub const NDIS_STATISTICS_INFO_REVISION_1: UCHAR = 1;
/// Of [`NDIS_STATISTICS_INFO`].
pub const NDIS_SIZEOF_STATISTICS_INFO_REVISION_1: USHORT = 152;

/// `ifHCInUcastPkts` is valid.
pub const NDIS_STATISTICS_FLAGS_VALID_DIRECTED_FRAMES_RCV: ULONG = 0x0000_0001;
/// `ifHCInMulticastPkts` is valid.
pub const NDIS_STATISTICS_FLAGS_VALID_MULTICAST_FRAMES_RCV: ULONG = 0x0000_0002;
/// `ifHCInBroadcastPkts` is valid.
pub const NDIS_STATISTICS_FLAGS_VALID_BROADCAST_FRAMES_RCV: ULONG = 0x0000_0004;
/// `ifHCInOctets` is valid.
pub const NDIS_STATISTICS_FLAGS_VALID_BYTES_RCV: ULONG = 0x0000_0008;
/// `ifInDiscards` is valid.
pub const NDIS_STATISTICS_FLAGS_VALID_RCV_DISCARDS: ULONG = 0x0000_0010;
/// `ifInErrors` is valid.
pub const NDIS_STATISTICS_FLAGS_VALID_RCV_ERROR: ULONG = 0x0000_0020;
/// `ifHCOutUcastPkts` is valid.
pub const NDIS_STATISTICS_FLAGS_VALID_DIRECTED_FRAMES_XMIT: ULONG = 0x0000_0040;
/// `ifHCOutMulticastPkts` is valid.
pub const NDIS_STATISTICS_FLAGS_VALID_MULTICAST_FRAMES_XMIT: ULONG = 0x0000_0080;
/// `ifHCOutBroadcastPkts` is valid.
pub const NDIS_STATISTICS_FLAGS_VALID_BROADCAST_FRAMES_XMIT: ULONG = 0x0000_0100;
/// `ifHCOutOctets` is valid.
pub const NDIS_STATISTICS_FLAGS_VALID_BYTES_XMIT: ULONG = 0x0000_0200;
/// `ifOutErrors` is valid.
pub const NDIS_STATISTICS_FLAGS_VALID_XMIT_ERROR: ULONG = 0x0000_0400;
/// `ifOutDiscards` is valid.
pub const NDIS_STATISTICS_FLAGS_VALID_XMIT_DISCARDS: ULONG = 0x0000_8000;
/// `ifHCInUcastOctets` is valid.
pub const NDIS_STATISTICS_FLAGS_VALID_DIRECTED_BYTES_RCV: ULONG = 0x0001_0000;
/// `ifHCInMulticastOctets` is valid.
pub const NDIS_STATISTICS_FLAGS_VALID_MULTICAST_BYTES_RCV: ULONG = 0x0002_0000;
/// `ifHCInBroadcastOctets` is valid.
pub const NDIS_STATISTICS_FLAGS_VALID_BROADCAST_BYTES_RCV: ULONG = 0x0004_0000;
/// `ifHCOutUcastOctets` is valid.
pub const NDIS_STATISTICS_FLAGS_VALID_DIRECTED_BYTES_XMIT: ULONG = 0x0008_0000;
/// `ifHCOutMulticastOctets` is valid.
pub const NDIS_STATISTICS_FLAGS_VALID_MULTICAST_BYTES_XMIT: ULONG = 0x0010_0000;
/// `ifHCOutBroadcastOctets` is valid.
pub const NDIS_STATISTICS_FLAGS_VALID_BROADCAST_BYTES_XMIT: ULONG = 0x0020_0000;

/// General attributes: `OID_GEN_XMIT_OK` is answered.
pub const NDIS_STATISTICS_XMIT_OK_SUPPORTED: ULONG = 0x0000_0001;
/// General attributes: `OID_GEN_RCV_OK` is answered.
pub const NDIS_STATISTICS_RCV_OK_SUPPORTED: ULONG = 0x0000_0002;
/// General attributes: `OID_GEN_STATISTICS` is answered.
pub const NDIS_STATISTICS_GEN_STATISTICS_SUPPORTED: ULONG = 0x0040_0000;
