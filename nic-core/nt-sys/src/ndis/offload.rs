//! ntddndis.h: what an adapter can compute for the stack above it.
//!
//! Bit fields are numbers here; each doc line has the bits. Every two-bit field is one of
//! `NDIS_OFFLOAD_*SUPPORTED` or `NDIS_OFFLOAD_SET_*`.

use super::NDIS_OBJECT_HEADER;
use crate::ntdef::{BOOLEAN, UCHAR, ULONG, USHORT};

/// Tasks that are offloaded. Revisions: 4 (NDIS 6.50), 5 (6.70), 6 (6.83), 7 (6.85).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct NDIS_OFFLOAD {
    /// `NDIS_OBJECT_TYPE_OFFLOAD`
    pub Header: NDIS_OBJECT_HEADER,
    /// Checksums.
    pub Checksum: NDIS_TCP_IP_CHECKSUM_OFFLOAD,
    /// Large send, version 1.
    pub LsoV1: NDIS_TCP_LARGE_SEND_OFFLOAD_V1,
    /// IPsec, version 1.
    pub IPsecV1: NDIS_IPSEC_OFFLOAD_V1,
    /// Large send, version 2.
    pub LsoV2: NDIS_TCP_LARGE_SEND_OFFLOAD_V2,
    /// Coexistence of IPsec and checksums.
    pub Flags: ULONG,
    /// IPsec, version 2. Revision 2.
    pub IPsecV2: NDIS_IPSEC_OFFLOAD_V2,
    /// Receive segment coalescing. Revision 3.
    pub Rsc: NDIS_TCP_RECV_SEG_COALESCE_OFFLOAD,
    /// Tasks inside GRE. Revision 3.
    pub EncapsulatedPacketTaskOffloadGre: NDIS_ENCAPSULATED_PACKET_TASK_OFFLOAD,
    /// Tasks inside VXLAN. Revision 4.
    pub EncapsulatedPacketTaskOffloadVxlan: NDIS_ENCAPSULATED_PACKET_TASK_OFFLOAD_V2,
    /// Encapsulations. Revision 4.
    pub EncapsulationTypes: UCHAR,
    /// 464XLAT. Revision 5.
    pub Rfc6877Xlat: NDIS_RFC6877_464XLAT_OFFLOAD,
    /// UDP segmentation. Revision 6.
    pub UdpSegmentation: NDIS_UDP_SEGMENTATION_OFFLOAD,
}

/// NDIS 6.50.
pub const NDIS_OFFLOAD_REVISION_4: UCHAR = 4;
/// NDIS 6.70.
pub const NDIS_OFFLOAD_REVISION_5: UCHAR = 5;
/// NDIS 6.83.
pub const NDIS_OFFLOAD_REVISION_6: UCHAR = 6;
/// NDIS 6.85.
pub const NDIS_OFFLOAD_REVISION_7: UCHAR = 7;
/// Size of revision 4.
pub const NDIS_SIZEOF_NDIS_OFFLOAD_REVISION_4: USHORT = 177;
/// Size of revision 5.
pub const NDIS_SIZEOF_NDIS_OFFLOAD_REVISION_5: USHORT = 188;
/// Size of revision 6.
pub const NDIS_SIZEOF_NDIS_OFFLOAD_REVISION_6: USHORT = 216;
/// Size of revision 7.
pub const NDIS_SIZEOF_NDIS_OFFLOAD_REVISION_7: USHORT = 216;

/// A two-bit field: not supported.
pub const NDIS_OFFLOAD_NOT_SUPPORTED: ULONG = 0;
/// A two-bit field: supported.
pub const NDIS_OFFLOAD_SUPPORTED: ULONG = 1;
/// A two-bit field of a request: no change.
pub const NDIS_OFFLOAD_SET_NO_CHANGE: ULONG = 0;
/// A two-bit field of a request: on.
pub const NDIS_OFFLOAD_SET_ON: ULONG = 1;
/// A two-bit field of a request: off.
pub const NDIS_OFFLOAD_SET_OFF: ULONG = 2;
/// Encapsulation: none supported.
pub const NDIS_ENCAPSULATION_NOT_SUPPORTED: ULONG = 0;
/// Encapsulation: packets without link header.
pub const NDIS_ENCAPSULATION_NULL: ULONG = 1;
/// Encapsulation: Ethernet.
pub const NDIS_ENCAPSULATION_IEEE_802_3: ULONG = 2;

/// Checksums.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct NDIS_TCP_IP_CHECKSUM_OFFLOAD {
    /// Of sent IPv4 packets.
    pub IPv4Transmit: NDIS_CHECKSUM_OFFLOAD_FIELDS,
    /// Of received IPv4 packets.
    pub IPv4Receive: NDIS_CHECKSUM_OFFLOAD_FIELDS,
    /// Of sent IPv6 packets.
    pub IPv6Transmit: NDIS_CHECKSUM_OFFLOAD_FIELDS,
    /// Of received IPv6 packets.
    pub IPv6Receive: NDIS_CHECKSUM_OFFLOAD_FIELDS,
}

/// One of the four anonymous structs of [`NDIS_TCP_IP_CHECKSUM_OFFLOAD`].
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct NDIS_CHECKSUM_OFFLOAD_FIELDS {
    /// `NDIS_ENCAPSULATION_*`
    pub Encapsulation: ULONG,
    /// Bits 0-1 IP options (IPv6: extension headers), 2-3 TCP options, 4-5 TCP checksum, 6-7 UDP
    /// checksum, 8-9 IPv4 header checksum.
    pub Supported: ULONG,
}

impl NDIS_CHECKSUM_OFFLOAD_FIELDS {
    /// Shift of the field of IP options, or IPv6 extension headers.
    pub const IP_OPTIONS_SHIFT: u32 = 0;
    /// Shift of the field of TCP options.
    pub const TCP_OPTIONS_SHIFT: u32 = 2;
    /// Shift of the field of the TCP checksum.
    pub const TCP_CHECKSUM_SHIFT: u32 = 4;
    /// Shift of the field of the UDP checksum.
    pub const UDP_CHECKSUM_SHIFT: u32 = 6;
    /// Shift of the field of the IPv4 header's checksum.
    pub const IP_CHECKSUM_SHIFT: u32 = 8;
}

/// Large send, version 1.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct NDIS_TCP_LARGE_SEND_OFFLOAD_V1 {
    /// `NDIS_ENCAPSULATION_*`
    pub Encapsulation: ULONG,
    /// Maximum length in bytes.
    pub MaxOffLoadSize: ULONG,
    /// Minimum number of segments.
    pub MinSegmentCount: ULONG,
    /// Bits 0-1 TCP options, 2-3 IP options.
    pub Options: ULONG,
}

/// IPsec, version 1.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct NDIS_IPSEC_OFFLOAD_V1 {
    /// Encapsulation and combinations.
    pub Supported: [ULONG; 5],
    /// Authentication header.
    pub IPv4AH: ULONG,
    /// Encapsulating security payload.
    pub IPv4ESP: ULONG,
}

/// Large send, version 2.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct NDIS_TCP_LARGE_SEND_OFFLOAD_V2 {
    /// Of IPv4.
    pub IPv4: NDIS_SEGMENTATION_OFFLOAD_FIELDS,
    /// Of IPv6.
    pub IPv6: NDIS_SEGMENTATION_OFFLOAD_FIELDS,
    /// Of IPv6: bits 0-1 extension headers, 2-3 TCP options.
    pub IPv6Options: ULONG,
}

/// One IP version's part of a segmentation offload.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct NDIS_SEGMENTATION_OFFLOAD_FIELDS {
    /// `NDIS_ENCAPSULATION_*`
    pub Encapsulation: ULONG,
    /// Maximum length in bytes.
    pub MaxOffLoadSize: ULONG,
    /// Minimum number of segments. For UDP bits 0-5; bit 6: a shorter last segment is supported.
    pub MinSegmentCount: ULONG,
}

/// IPsec, version 2.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct NDIS_IPSEC_OFFLOAD_V2 {
    /// `NDIS_ENCAPSULATION_*`
    pub Encapsulation: ULONG,
    /// `IPv6Supported` and the ten booleans after it.
    pub Supported: [BOOLEAN; 11],
    /// ESP in UDP.
    pub UdpEsp: ULONG,
    /// Algorithms.
    pub AuthenticationAlgorithms: ULONG,
    /// Algorithms.
    pub EncryptionAlgorithms: ULONG,
    /// Maximum number of security associations.
    pub SaOffloadCapacity: ULONG,
}

/// Receive segment coalescing.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct NDIS_TCP_RECV_SEG_COALESCE_OFFLOAD {
    /// C's `IPv4.Enabled`.
    pub IPv4Enabled: BOOLEAN,
    /// C's `IPv6.Enabled`.
    pub IPv6Enabled: BOOLEAN,
}

/// Tasks inside GRE.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct NDIS_ENCAPSULATED_PACKET_TASK_OFFLOAD {
    /// Four bits each: send checksum, receive checksum, LSOv2, RSS, VMQ, USO.
    pub Supported: ULONG,
    /// Maximum length of headers in bytes.
    pub MaxHeaderSizeSupported: ULONG,
}

/// Tasks inside VXLAN.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct NDIS_ENCAPSULATED_PACKET_TASK_OFFLOAD_V2 {
    /// Four bits each: send checksum, receive checksum, LSOv2, RSS, VMQ, USO.
    pub Supported: ULONG,
    /// Maximum length of headers in bytes.
    pub MaxHeaderSizeSupported: ULONG,
    /// Of VXLAN.
    pub EncapsulationProtocolInfo: ULONG,
    /// Reserved.
    pub Reserved: [ULONG; 2],
}

/// 464XLAT.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct NDIS_RFC6877_464XLAT_OFFLOAD {
    /// Supported or on.
    pub XlatOffload: ULONG,
    /// Flags.
    pub Flags: ULONG,
}

/// UDP segmentation.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct NDIS_UDP_SEGMENTATION_OFFLOAD {
    /// Of IPv4.
    pub IPv4: NDIS_SEGMENTATION_OFFLOAD_FIELDS,
    /// Of IPv6.
    pub IPv6: NDIS_SEGMENTATION_OFFLOAD_FIELDS,
    /// Of IPv6: bits 0-1 extension headers.
    pub IPv6Options: ULONG,
}

/// TCP chimney.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct NDIS_TCP_CONNECTION_OFFLOAD {
    /// `NDIS_OBJECT_TYPE_DEFAULT`
    pub Header: NDIS_OBJECT_HEADER,
    /// `NDIS_ENCAPSULATION_*`
    pub Encapsulation: ULONG,
    /// Bit fields.
    pub Supported: ULONG,
    /// Maximum number of connections.
    pub TcpConnectionOffloadCapacity: ULONG,
    /// Flags.
    pub Flags: ULONG,
}

/// Of [`NDIS_TCP_CONNECTION_OFFLOAD`].
pub const NDIS_TCP_CONNECTION_OFFLOAD_REVISION_2: UCHAR = 2;

/// The parameters of `OID_TCP_OFFLOAD_PARAMETERS`; each is one of `NDIS_OFFLOAD_PARAMETERS_*`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct NDIS_OFFLOAD_PARAMETERS {
    /// `NDIS_OBJECT_TYPE_DEFAULT`
    pub Header: NDIS_OBJECT_HEADER,
    /// IPv4 header checksums.
    pub IPv4Checksum: UCHAR,
    /// TCP checksums over IPv4.
    pub TCPIPv4Checksum: UCHAR,
    /// UDP checksums over IPv4.
    pub UDPIPv4Checksum: UCHAR,
    /// TCP checksums over IPv6.
    pub TCPIPv6Checksum: UCHAR,
    /// UDP checksums over IPv6.
    pub UDPIPv6Checksum: UCHAR,
    /// Large send, version 1.
    pub LsoV1: UCHAR,
    /// IPsec, version 1.
    pub IPsecV1: UCHAR,
    /// Large send, version 2, of IPv4.
    pub LsoV2IPv4: UCHAR,
    /// Large send, version 2, of IPv6.
    pub LsoV2IPv6: UCHAR,
    /// TCP chimney.
    pub TcpConnectionIPv4: UCHAR,
    /// TCP chimney.
    pub TcpConnectionIPv6: UCHAR,
    /// Flags.
    pub Flags: ULONG,
    /// Revision 2.
    pub IPsecV2: UCHAR,
    /// Revision 2.
    pub IPsecV2IPv4: UCHAR,
    /// Receive segment coalescing of IPv4. Revision 3.
    pub RscIPv4: UCHAR,
    /// Receive segment coalescing of IPv6. Revision 3.
    pub RscIPv6: UCHAR,
    /// Revision 3.
    pub EncapsulatedPacketTaskOffload: UCHAR,
    /// Revision 3.
    pub EncapsulationTypes: UCHAR,
    /// Revision 4.
    pub EncapsulationProtocolParameters: ULONG,
    /// UDP segmentation of IPv4. Revision 5.
    pub UdpSegmentationIPv4: UCHAR,
    /// UDP segmentation of IPv6. Revision 5.
    pub UdpSegmentationIPv6: UCHAR,
}

/// Of [`NDIS_OFFLOAD_PARAMETERS`]; NDIS 6.50.
pub const NDIS_OFFLOAD_PARAMETERS_REVISION_4: UCHAR = 4;
/// Of [`NDIS_OFFLOAD_PARAMETERS`]; NDIS 6.83.
pub const NDIS_OFFLOAD_PARAMETERS_REVISION_5: UCHAR = 5;
/// Size of revision 1, the minimum.
pub const NDIS_SIZEOF_OFFLOAD_PARAMETERS_REVISION_1: USHORT = 20;
/// Size of revision 5.
pub const NDIS_SIZEOF_OFFLOAD_PARAMETERS_REVISION_5: USHORT = 34;
/// No change.
pub const NDIS_OFFLOAD_PARAMETERS_NO_CHANGE: UCHAR = 0;
/// Off for transmit and receive.
pub const NDIS_OFFLOAD_PARAMETERS_TX_RX_DISABLED: UCHAR = 1;
/// On for transmit.
pub const NDIS_OFFLOAD_PARAMETERS_TX_ENABLED_RX_DISABLED: UCHAR = 2;
/// On for receive.
pub const NDIS_OFFLOAD_PARAMETERS_RX_ENABLED_TX_DISABLED: UCHAR = 3;
/// On for transmit and receive.
pub const NDIS_OFFLOAD_PARAMETERS_TX_RX_ENABLED: UCHAR = 4;

/// encapsulationconfig.h: the parameters of `OID_OFFLOAD_ENCAPSULATION`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct NDIS_OFFLOAD_ENCAPSULATION {
    /// `NDIS_OBJECT_TYPE_OFFLOAD_ENCAPSULATION`
    pub Header: NDIS_OBJECT_HEADER,
    /// Of IPv4.
    pub IPv4: NDIS_OFFLOAD_ENCAPSULATION_FIELDS,
    /// Of IPv6.
    pub IPv6: NDIS_OFFLOAD_ENCAPSULATION_FIELDS,
}

/// One of the two anonymous structs of [`NDIS_OFFLOAD_ENCAPSULATION`].
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct NDIS_OFFLOAD_ENCAPSULATION_FIELDS {
    /// `NDIS_OFFLOAD_SET_*`
    pub Enabled: ULONG,
    /// `NDIS_ENCAPSULATION_*` if it is on; else 0.
    pub EncapsulationType: ULONG,
    /// Length of the link header in bytes if it is on; else 0.
    pub HeaderSize: ULONG,
}

/// Of [`NDIS_OFFLOAD_ENCAPSULATION`].
pub const NDIS_OFFLOAD_ENCAPSULATION_REVISION_1: UCHAR = 1;
/// Of [`NDIS_OFFLOAD_ENCAPSULATION`].
pub const NDIS_SIZEOF_OFFLOAD_ENCAPSULATION_REVISION_1: USHORT = 28;
