//! ntddndis.h: the state of a link.

use super::NDIS_OBJECT_HEADER;
use crate::ntdef::{UCHAR, ULONG, ULONGLONG, USHORT};

/// The state of `NDIS_STATUS_LINK_STATE`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NDIS_LINK_STATE {
    /// `NDIS_OBJECT_TYPE_DEFAULT`
    pub Header: NDIS_OBJECT_HEADER,
    /// Whether it is up.
    pub MediaConnectState: NDIS_MEDIA_CONNECT_STATE,
    /// Duplex.
    pub MediaDuplexState: NDIS_MEDIA_DUPLEX_STATE,
    /// Bits per second.
    pub XmitLinkSpeed: ULONGLONG,
    /// Bits per second.
    pub RcvLinkSpeed: ULONGLONG,
    /// Flow control.
    pub PauseFunctions: NDIS_SUPPORTED_PAUSE_FUNCTIONS,
    /// `NDIS_LINK_STATE_*_AUTO_NEGOTIATED`
    pub AutoNegotiationFlags: ULONG,
}

/// Of [`NDIS_LINK_STATE`].
pub const NDIS_LINK_STATE_REVISION_1: UCHAR = 1;
/// Of [`NDIS_LINK_STATE`].
pub const NDIS_SIZEOF_LINK_STATE_REVISION_1: USHORT = 40;

/// The parameters of `OID_GEN_LINK_PARAMETERS`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct NDIS_LINK_PARAMETERS {
    /// `NDIS_OBJECT_TYPE_DEFAULT`
    pub Header: NDIS_OBJECT_HEADER,
    /// Duplex.
    pub MediaDuplexState: NDIS_MEDIA_DUPLEX_STATE,
    /// Bits per second.
    pub XmitLinkSpeed: ULONGLONG,
    /// Bits per second.
    pub RcvLinkSpeed: ULONGLONG,
    /// Flow control.
    pub PauseFunctions: NDIS_SUPPORTED_PAUSE_FUNCTIONS,
    /// `NDIS_LINK_STATE_*_AUTO_NEGOTIATED`
    pub AutoNegotiationFlags: ULONG,
}

/// Of [`NDIS_LINK_PARAMETERS`].
pub const NDIS_LINK_PARAMETERS_REVISION_1: UCHAR = 1;

/// Whether a link is up (ifdef.h).
pub type NDIS_MEDIA_CONNECT_STATE = u32;
/// Unknown.
pub const MediaConnectStateUnknown: NDIS_MEDIA_CONNECT_STATE = 0;
/// Up.
pub const MediaConnectStateConnected: NDIS_MEDIA_CONNECT_STATE = 1;
/// Down.
pub const MediaConnectStateDisconnected: NDIS_MEDIA_CONNECT_STATE = 2;

/// Duplex of a link (ifdef.h).
pub type NDIS_MEDIA_DUPLEX_STATE = u32;
/// Unknown.
pub const MediaDuplexStateUnknown: NDIS_MEDIA_DUPLEX_STATE = 0;
/// Half.
pub const MediaDuplexStateHalf: NDIS_MEDIA_DUPLEX_STATE = 1;
/// Full.
pub const MediaDuplexStateFull: NDIS_MEDIA_DUPLEX_STATE = 2;

/// Flow control by pause frames.
pub type NDIS_SUPPORTED_PAUSE_FUNCTIONS = u32;
/// None.
pub const NdisPauseFunctionsUnsupported: NDIS_SUPPORTED_PAUSE_FUNCTIONS = 0;
/// Unknown.
pub const NdisPauseFunctionsUnknown: NDIS_SUPPORTED_PAUSE_FUNCTIONS = 4;

/// The transmit speed was negotiated.
pub const NDIS_LINK_STATE_XMIT_LINK_SPEED_AUTO_NEGOTIATED: ULONG = 0x1;
/// The receive speed was negotiated.
pub const NDIS_LINK_STATE_RCV_LINK_SPEED_AUTO_NEGOTIATED: ULONG = 0x2;
/// Duplex was negotiated.
pub const NDIS_LINK_STATE_DUPLEX_AUTO_NEGOTIATED: ULONG = 0x4;
/// Flow control was negotiated.
pub const NDIS_LINK_STATE_PAUSE_FUNCTIONS_AUTO_NEGOTIATED: ULONG = 0x8;
/// An unknown speed.
pub const NDIS_LINK_SPEED_UNKNOWN: ULONGLONG = ULONGLONG::MAX;
