//! ndis.h, ntddndis.h: attributes of an adapter, which MiniportInitializeEx sets.

use super::{
    NDIS_HANDLE, NDIS_MEDIA_CONNECT_STATE, NDIS_MEDIA_DUPLEX_STATE, NDIS_OBJECT_HEADER,
    NDIS_OFFLOAD, NDIS_OID, NDIS_TCP_CONNECTION_OFFLOAD,
};
use crate::ntdef::{BOOLEAN, PVOID, UCHAR, ULONG, ULONGLONG, USHORT};

/// The first attributes to set.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES {
    /// `NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES`
    pub Header: NDIS_OBJECT_HEADER,
    /// The context of the miniport's handlers.
    pub MiniportAdapterContext: NDIS_HANDLE,
    /// `NDIS_MINIPORT_ATTRIBUTES_*`
    pub AttributeFlags: ULONG,
    /// Seconds between calls of MiniportCheckForHangEx; 0 for the default.
    pub CheckForHangTimeInSeconds: ULONG,
    /// The bus.
    pub InterfaceType: NDIS_INTERFACE_TYPE,
}

/// Of [`NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES`].
pub const NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES_REVISION_1: UCHAR = 1;
/// Of [`NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES`]; NDIS 6.30.
pub const NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES_REVISION_2: UCHAR = 2;
/// Size of revision 1.
pub const NDIS_SIZEOF_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES_REVISION_1: USHORT = 28;
/// Size of revision 2.
pub const NDIS_SIZEOF_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES_REVISION_2: USHORT = 28;

/// The driver controls hardware.
pub const NDIS_MINIPORT_ATTRIBUTES_HARDWARE_DEVICE: ULONG = 0x0001;
/// The driver calls non-NDIS functions on its device.
pub const NDIS_MINIPORT_ATTRIBUTES_NDIS_WDM: ULONG = 0x0002;
/// Surprise removal is handled.
pub const NDIS_MINIPORT_ATTRIBUTES_SURPRISE_REMOVE_OK: ULONG = 0x0004;
/// Not halted when the system sleeps.
pub const NDIS_MINIPORT_ATTRIBUTES_NO_HALT_ON_SUSPEND: ULONG = 0x0020;
/// Bus master DMA.
pub const NDIS_MINIPORT_ATTRIBUTES_BUS_MASTER: ULONG = 0x0040;
/// Not paused before it sleeps.
pub const NDIS_MINIPORT_ATTRIBUTES_NO_PAUSE_ON_SUSPEND: ULONG = 0x0100;

/// The kind of a bus.
pub type NDIS_INTERFACE_TYPE = i32;
/// No bus.
pub const NdisInterfaceInternal: NDIS_INTERFACE_TYPE = 0;

/// The general attributes.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct NDIS_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES {
    /// `NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES`
    pub Header: NDIS_OBJECT_HEADER,
    /// Reserved.
    pub Flags: ULONG,
    /// Medium.
    pub MediaType: NDIS_MEDIUM,
    /// Physical medium.
    pub PhysicalMediumType: NDIS_PHYSICAL_MEDIUM,
    /// Bytes of a packet without its link header.
    pub MtuSize: ULONG,
    /// Bits per second.
    pub MaxXmitLinkSpeed: ULONGLONG,
    /// Bits per second.
    pub XmitLinkSpeed: ULONGLONG,
    /// Bits per second.
    pub MaxRcvLinkSpeed: ULONGLONG,
    /// Bits per second.
    pub RcvLinkSpeed: ULONGLONG,
    /// Whether the link is up.
    pub MediaConnectState: NDIS_MEDIA_CONNECT_STATE,
    /// Duplex.
    pub MediaDuplexState: NDIS_MEDIA_DUPLEX_STATE,
    /// Lookahead in bytes.
    pub LookaheadSize: ULONG,
    /// Of NDIS 6.0 and 6.1; null.
    pub PowerManagementCapabilities: PVOID,
    /// `NDIS_MAC_OPTION_*`
    pub MacOptions: ULONG,
    /// `NDIS_PACKET_TYPE_*`
    pub SupportedPacketFilters: ULONG,
    /// Maximum number of multicast addresses.
    pub MaxMulticastListSize: ULONG,
    /// Length of the addresses in bytes.
    pub MacAddressLength: USHORT,
    /// Permanent address.
    pub PermanentMacAddress: [UCHAR; NDIS_MAX_PHYS_ADDRESS_LENGTH],
    /// Current address.
    pub CurrentMacAddress: [UCHAR; NDIS_MAX_PHYS_ADDRESS_LENGTH],
    /// RSS capabilities, or null.
    pub RecvScaleCapabilities: PVOID,
    /// Kind of access.
    pub AccessType: NET_IF_ACCESS_TYPE,
    /// Direction.
    pub DirectionType: NET_IF_DIRECTION_TYPE,
    /// Kind of connection.
    pub ConnectionType: NET_IF_CONNECTION_TYPE,
    /// IANA interface type.
    pub IfType: USHORT,
    /// Whether there is a physical connector.
    pub IfConnectorPresent: BOOLEAN,
    /// `NDIS_STATISTICS_*_SUPPORTED`
    pub SupportedStatistics: ULONG,
    /// [`NDIS_SUPPORTED_PAUSE_FUNCTIONS`](super::NDIS_SUPPORTED_PAUSE_FUNCTIONS)
    pub SupportedPauseFunctions: ULONG,
    /// Bytes wanted before the data of a sent packet.
    pub DataBackFillSize: ULONG,
    /// Bytes wanted before the context space of a sent list.
    pub ContextBackFillSize: ULONG,
    /// OIDs that the miniport handles.
    pub SupportedOidList: *mut NDIS_OID,
    /// Size of `SupportedOidList` in bytes.
    pub SupportedOidListLength: ULONG,
    /// `NDIS_LINK_STATE_*_AUTO_NEGOTIATED`
    pub AutoNegotiationFlags: ULONG,
    /// Power management capabilities, or null. Revision 2.
    pub PowerManagementCapabilitiesEx: *mut NDIS_PM_CAPABILITIES,
}

/// Of [`NDIS_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES`].
pub const NDIS_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES_REVISION_1: UCHAR = 1;
/// Of [`NDIS_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES`]; NDIS 6.20.
pub const NDIS_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES_REVISION_2: UCHAR = 2;
/// Size of revision 1.
pub const NDIS_SIZEOF_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES_REVISION_1: USHORT = 216;
/// Size of revision 2.
pub const NDIS_SIZEOF_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES_REVISION_2: USHORT = 224;

/// Maximum length of an address in bytes.
pub const NDIS_MAX_PHYS_ADDRESS_LENGTH: usize = 32;

/// The kind of a medium.
pub type NDIS_MEDIUM = u32;
/// IP packets without a link header.
pub const NdisMediumIP: NDIS_MEDIUM = 19;
/// The kind of a physical medium.
pub type NDIS_PHYSICAL_MEDIUM = u32;
/// None.
pub const NdisPhysicalMediumUnspecified: NDIS_PHYSICAL_MEDIUM = 0;

/// Lookahead data may be copied.
pub const NDIS_MAC_OPTION_COPY_LOOKAHEAD_DATA: ULONG = 0x01;
/// Transfers do not pend.
pub const NDIS_MAC_OPTION_TRANSFERS_NOT_PEND: ULONG = 0x04;
/// The miniport does not loop back.
pub const NDIS_MAC_OPTION_NO_LOOPBACK: ULONG = 0x08;

/// To this address.
pub const NDIS_PACKET_TYPE_DIRECTED: ULONG = 0x0001;
/// To multicast addresses in the list.
pub const NDIS_PACKET_TYPE_MULTICAST: ULONG = 0x0002;
/// To any multicast address.
pub const NDIS_PACKET_TYPE_ALL_MULTICAST: ULONG = 0x0004;
/// To the broadcast address.
pub const NDIS_PACKET_TYPE_BROADCAST: ULONG = 0x0008;
/// All.
pub const NDIS_PACKET_TYPE_PROMISCUOUS: ULONG = 0x0020;
/// Also all that this adapter sends.
pub const NDIS_PACKET_TYPE_ALL_LOCAL: ULONG = 0x0080;
/// To any functional address.
pub const NDIS_PACKET_TYPE_ALL_FUNCTIONAL: ULONG = 0x2000;

/// Kind of access to an interface (ifdef.h).
pub type NET_IF_ACCESS_TYPE = u32;
/// Broadcast.
pub const NET_IF_ACCESS_BROADCAST: NET_IF_ACCESS_TYPE = 2;
/// Point to point.
pub const NET_IF_ACCESS_POINT_TO_POINT: NET_IF_ACCESS_TYPE = 3;
/// Direction of an interface (ifdef.h).
pub type NET_IF_DIRECTION_TYPE = u32;
/// Both ways.
pub const NET_IF_DIRECTION_SENDRECEIVE: NET_IF_DIRECTION_TYPE = 0;
/// Kind of an interface's connection (ifdef.h).
pub type NET_IF_CONNECTION_TYPE = u32;
/// Comes up without a caller.
pub const NET_IF_CONNECTION_DEDICATED: NET_IF_CONNECTION_TYPE = 1;
/// IANA interface type of virtual interfaces (ipifcons.h).
pub const IF_TYPE_PROP_VIRTUAL: USHORT = 53;

/// The offload capabilities, and the offloads that are initially on.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct NDIS_MINIPORT_ADAPTER_OFFLOAD_ATTRIBUTES {
    /// `NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_OFFLOAD_ATTRIBUTES`
    pub Header: NDIS_OBJECT_HEADER,
    /// The offloads that are initially on.
    pub DefaultOffloadConfiguration: *mut NDIS_OFFLOAD,
    /// The capabilities.
    pub HardwareOffloadCapabilities: *mut NDIS_OFFLOAD,
    /// TCP chimney: initially on.
    pub DefaultTcpConnectionOffloadConfiguration: *mut NDIS_TCP_CONNECTION_OFFLOAD,
    /// TCP chimney: capabilities.
    pub TcpConnectionOffloadHardwareCapabilities: *mut NDIS_TCP_CONNECTION_OFFLOAD,
}

/// Of [`NDIS_MINIPORT_ADAPTER_OFFLOAD_ATTRIBUTES`].
pub const NDIS_MINIPORT_ADAPTER_OFFLOAD_ATTRIBUTES_REVISION_1: UCHAR = 1;
/// Of [`NDIS_MINIPORT_ADAPTER_OFFLOAD_ATTRIBUTES`].
pub const NDIS_SIZEOF_MINIPORT_ADAPTER_OFFLOAD_ATTRIBUTES_REVISION_1: USHORT = 40;

/// C's union of all attribute structs; `Header` identifies the member.
pub type NDIS_MINIPORT_ADAPTER_ATTRIBUTES = NDIS_OBJECT_HEADER;

/// Power management.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct NDIS_PM_CAPABILITIES {
    /// `NDIS_OBJECT_TYPE_DEFAULT`
    pub Header: NDIS_OBJECT_HEADER,
    /// `NDIS_PM_*`
    pub Flags: ULONG,
    /// Wake-on-LAN patterns.
    pub SupportedWoLPacketPatterns: ULONG,
    /// Maximum number of patterns.
    pub NumTotalWoLPatterns: ULONG,
    /// Maximum length of a pattern in bytes.
    pub MaxWoLPatternSize: ULONG,
    /// Maximum offset of a pattern in bytes.
    pub MaxWoLPatternOffset: ULONG,
    /// Maximum number of saved bytes of a wake packet.
    pub MaxWoLPacketSaveBuffer: ULONG,
    /// Protocols that are answered while it sleeps.
    pub SupportedProtocolOffloads: ULONG,
    /// IPv4 addresses answered by ARP.
    pub NumArpOffloadIPv4Addresses: ULONG,
    /// IPv6 addresses answered by ND.
    pub NumNSOffloadIPv6Addresses: ULONG,
    /// Lowest power state in which a magic packet wakes.
    pub MinMagicPacketWakeUp: NDIS_DEVICE_POWER_STATE,
    /// Lowest power state in which a pattern wakes.
    pub MinPatternWakeUp: NDIS_DEVICE_POWER_STATE,
    /// Lowest power state in which a link change wakes.
    pub MinLinkChangeWakeUp: NDIS_DEVICE_POWER_STATE,
    /// Revision 2.
    pub SupportedWakeUpEvents: ULONG,
    /// Revision 2.
    pub MediaSpecificWakeUpEvents: ULONG,
}

/// Of [`NDIS_PM_CAPABILITIES`].
pub const NDIS_PM_CAPABILITIES_REVISION_1: UCHAR = 1;
/// Of [`NDIS_PM_CAPABILITIES`]; NDIS 6.30.
pub const NDIS_PM_CAPABILITIES_REVISION_2: UCHAR = 2;
/// Size of revision 2.
pub const NDIS_SIZEOF_NDIS_PM_CAPABILITIES_REVISION_2: USHORT = 60;

/// Device power states, of `OID_PNP_SET_POWER` and `OID_PNP_QUERY_POWER`.
pub type NDIS_DEVICE_POWER_STATE = u32;
/// Not specified.
pub const NdisDeviceStateUnspecified: NDIS_DEVICE_POWER_STATE = 0;
/// On.
pub const NdisDeviceStateD0: NDIS_DEVICE_POWER_STATE = 1;
/// Light sleep.
pub const NdisDeviceStateD1: NDIS_DEVICE_POWER_STATE = 2;
/// Deeper sleep.
pub const NdisDeviceStateD2: NDIS_DEVICE_POWER_STATE = 3;
/// Off.
pub const NdisDeviceStateD3: NDIS_DEVICE_POWER_STATE = 4;
