//! ndis/oidtypes.h, ntddndis.h: object identifiers.

use crate::ntdef::ULONG;

/// An object identifier.
pub type NDIS_OID = ULONG;

/// OIDs that the miniport handles.
pub const OID_GEN_SUPPORTED_LIST: NDIS_OID = 0x0001_0101;
/// State of the hardware. NDIS answers it.
pub const OID_GEN_HARDWARE_STATUS: NDIS_OID = 0x0001_0102;
/// Media. NDIS answers it.
pub const OID_GEN_MEDIA_SUPPORTED: NDIS_OID = 0x0001_0103;
/// Media. NDIS answers it.
pub const OID_GEN_MEDIA_IN_USE: NDIS_OID = 0x0001_0104;
/// Maximum lookahead. NDIS answers it.
pub const OID_GEN_MAXIMUM_LOOKAHEAD: NDIS_OID = 0x0001_0105;
/// Maximum length of a packet without link header, in bytes. NDIS answers it.
pub const OID_GEN_MAXIMUM_FRAME_SIZE: NDIS_OID = 0x0001_0106;
/// In units of 100 bit/s. NDIS answers it.
pub const OID_GEN_LINK_SPEED: NDIS_OID = 0x0001_0107;
/// Memory for sending, in bytes.
pub const OID_GEN_TRANSMIT_BUFFER_SPACE: NDIS_OID = 0x0001_0108;
/// Memory for receiving, in bytes.
pub const OID_GEN_RECEIVE_BUFFER_SPACE: NDIS_OID = 0x0001_0109;
/// Unit of memory for sending, in bytes.
pub const OID_GEN_TRANSMIT_BLOCK_SIZE: NDIS_OID = 0x0001_010a;
/// Unit of memory for receiving, in bytes.
pub const OID_GEN_RECEIVE_BLOCK_SIZE: NDIS_OID = 0x0001_010b;
/// IEEE vendor code, or 0xffffff.
pub const OID_GEN_VENDOR_ID: NDIS_OID = 0x0001_010c;
/// ANSI string with its NUL.
pub const OID_GEN_VENDOR_DESCRIPTION: NDIS_OID = 0x0001_010d;
/// `NDIS_PACKET_TYPE_*`. NDIS answers the query.
pub const OID_GEN_CURRENT_PACKET_FILTER: NDIS_OID = 0x0001_010e;
/// Lookahead in bytes. NDIS answers the query.
pub const OID_GEN_CURRENT_LOOKAHEAD: NDIS_OID = 0x0001_010f;
/// NDIS version of the driver. NDIS answers it.
pub const OID_GEN_DRIVER_VERSION: NDIS_OID = 0x0001_0110;
/// Maximum length of a packet in bytes.
pub const OID_GEN_MAXIMUM_TOTAL_SIZE: NDIS_OID = 0x0001_0111;
/// Flags of the protocol. NDIS handles it.
pub const OID_GEN_PROTOCOL_OPTIONS: NDIS_OID = 0x0001_0112;
/// `NDIS_MAC_OPTION_*`. NDIS answers it.
pub const OID_GEN_MAC_OPTIONS: NDIS_OID = 0x0001_0113;
/// 0 up, 1 down. NDIS answers it.
pub const OID_GEN_MEDIA_CONNECT_STATUS: NDIS_OID = 0x0001_0114;
/// Maximum number of packets of a send. NDIS answers it.
pub const OID_GEN_MAXIMUM_SEND_PACKETS: NDIS_OID = 0x0001_0115;
/// Major in the upper, minor in the lower 16 bits.
pub const OID_GEN_VENDOR_DRIVER_VERSION: NDIS_OID = 0x0001_0116;
/// WMI GUIDs of the miniport.
pub const OID_GEN_SUPPORTED_GUIDS: NDIS_OID = 0x0001_0117;
/// Physical medium. NDIS answers it.
pub const OID_GEN_PHYSICAL_MEDIUM: NDIS_OID = 0x0001_0202;
/// Physical medium. NDIS answers it.
pub const OID_GEN_PHYSICAL_MEDIUM_EX: NDIS_OID = 0x0001_0213;
/// Name of the computer.
pub const OID_GEN_MACHINE_NAME: NDIS_OID = 0x0001_021a;
/// Packets sent.
pub const OID_GEN_XMIT_OK: NDIS_OID = 0x0002_0101;
/// Packets received.
pub const OID_GEN_RCV_OK: NDIS_OID = 0x0002_0102;
/// Packets not sent.
pub const OID_GEN_XMIT_ERROR: NDIS_OID = 0x0002_0103;
/// Packets received with errors.
pub const OID_GEN_RCV_ERROR: NDIS_OID = 0x0002_0104;
/// Received packets that were dropped without a buffer.
pub const OID_GEN_RCV_NO_BUFFER: NDIS_OID = 0x0002_0105;
/// [`NDIS_STATISTICS_INFO`](super::NDIS_STATISTICS_INFO)
pub const OID_GEN_STATISTICS: NDIS_OID = 0x0002_0106;
/// [`NDIS_LINK_STATE`](super::NDIS_LINK_STATE). NDIS answers it.
pub const OID_GEN_LINK_STATE: NDIS_OID = 0x0001_0207;
/// [`NDIS_LINK_PARAMETERS`](super::NDIS_LINK_PARAMETERS)
pub const OID_GEN_LINK_PARAMETERS: NDIS_OID = 0x0001_0208;
/// Both speeds in bit/s. NDIS answers it.
pub const OID_GEN_LINK_SPEED_EX: NDIS_OID = 0x0001_028b;
/// Whether the link is up. NDIS answers it.
pub const OID_GEN_MEDIA_CONNECT_STATUS_EX: NDIS_OID = 0x0001_028a;
/// Duplex. NDIS answers it.
pub const OID_GEN_MEDIA_DUPLEX_STATE: NDIS_OID = 0x0001_028c;
/// [`NDIS_INTERRUPT_MODERATION_PARAMETERS`](super::NDIS_INTERRUPT_MODERATION_PARAMETERS)
pub const OID_GEN_INTERRUPT_MODERATION: NDIS_OID = 0x0001_0209;
/// Power management. NDIS answers it from the attributes.
pub const OID_PNP_CAPABILITIES: NDIS_OID = 0xfd01_0100;
/// New power state.
pub const OID_PNP_SET_POWER: NDIS_OID = 0xfd01_0101;
/// Query: power state.
pub const OID_PNP_QUERY_POWER: NDIS_OID = 0xfd01_0102;
/// Wake-on-LAN.
pub const OID_PNP_ADD_WAKE_UP_PATTERN: NDIS_OID = 0xfd01_0103;
/// Wake-on-LAN.
pub const OID_PNP_REMOVE_WAKE_UP_PATTERN: NDIS_OID = 0xfd01_0104;
/// Wake-on-LAN.
pub const OID_PNP_ENABLE_WAKE_UP: NDIS_OID = 0xfd01_0106;
/// Power management. NDIS answers it from the attributes.
pub const OID_PM_CURRENT_CAPABILITIES: NDIS_OID = 0xfd01_0107;
/// Power management. NDIS answers it from the attributes.
pub const OID_PM_HARDWARE_CAPABILITIES: NDIS_OID = 0xfd01_0108;
/// Power management.
pub const OID_PM_PARAMETERS: NDIS_OID = 0xfd01_0109;
/// [`NDIS_OFFLOAD`](super::NDIS_OFFLOAD). NDIS answers it.
pub const OID_TCP_OFFLOAD_CURRENT_CONFIG: NDIS_OID = 0xfc01_020b;
/// [`NDIS_OFFLOAD_PARAMETERS`](super::NDIS_OFFLOAD_PARAMETERS)
pub const OID_TCP_OFFLOAD_PARAMETERS: NDIS_OID = 0xfc01_020c;
/// [`NDIS_OFFLOAD`](super::NDIS_OFFLOAD). NDIS answers it.
pub const OID_TCP_OFFLOAD_HARDWARE_CAPABILITIES: NDIS_OID = 0xfc01_020d;
/// [`NDIS_OFFLOAD_ENCAPSULATION`](super::NDIS_OFFLOAD_ENCAPSULATION)
pub const OID_OFFLOAD_ENCAPSULATION: NDIS_OID = 0x0101_010a;
