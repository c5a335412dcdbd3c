//! netioapi.h: IP helper functions for the MTU of an interface.

use crate::ntdef::{BOOLEAN, NTSTATUS, UCHAR, ULONG, ULONGLONG, USHORT};

/// The settings of one IP family on one interface.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct MIB_IPINTERFACE_ROW {
    /// `AF_INET` or `AF_INET6`. Key.
    pub Family: USHORT,
    /// `NET_LUID`. Key.
    pub InterfaceLuid: ULONGLONG,
    /// Key when `InterfaceLuid` is 0.
    pub InterfaceIndex: ULONG,
    /// In bytes.
    pub MaxReassemblySize: ULONG,
    /// Reserved.
    pub InterfaceIdentifier: ULONGLONG,
    /// Reserved.
    pub MinRouterAdvertisementInterval: ULONG,
    /// Reserved.
    pub MaxRouterAdvertisementInterval: ULONG,
    /// Whether router advertising is on.
    pub AdvertisingEnabled: BOOLEAN,
    /// Whether IP forwarding is on.
    pub ForwardingEnabled: BOOLEAN,
    /// Whether weak host send is on.
    pub WeakHostSend: BOOLEAN,
    /// Whether weak host receive is on.
    pub WeakHostReceive: BOOLEAN,
    /// Whether the metric is automatic.
    pub UseAutomaticMetric: BOOLEAN,
    /// Whether neighbor unreachability detection is on.
    pub UseNeighborUnreachabilityDetection: BOOLEAN,
    /// Whether managed address configuration is supported.
    pub ManagedAddressConfigurationSupported: BOOLEAN,
    /// Whether other stateful configuration is supported.
    pub OtherStatefulConfigurationSupported: BOOLEAN,
    /// Whether a default route is advertised.
    pub AdvertiseDefaultRoute: BOOLEAN,
    /// `NL_ROUTER_DISCOVERY_BEHAVIOR`.
    pub RouterDiscoveryBehavior: i32,
    /// The number of duplicate address detection probes; 0 disables it.
    pub DadTransmits: ULONG,
    /// In milliseconds.
    pub BaseReachableTime: ULONG,
    /// In milliseconds.
    pub RetransmitTime: ULONG,
    /// In milliseconds.
    pub PathMtuDiscoveryTimeout: ULONG,
    /// `NL_LINK_LOCAL_ADDRESS_BEHAVIOR`.
    pub LinkLocalAddressBehavior: i32,
    /// In milliseconds.
    pub LinkLocalAddressTimeout: ULONG,
    /// By `SCOPE_LEVEL`.
    pub ZoneIndices: [ULONG; 16],
    /// In bits. Must be 0 for IPv4 when the row is set.
    pub SitePrefixLength: ULONG,
    /// The interface's metric.
    pub Metric: ULONG,
    /// The network layer's MTU, in bytes.
    pub NlMtu: ULONG,
    /// Whether the interface is connected to a network.
    pub Connected: BOOLEAN,
    /// Whether wake-up patterns are supported.
    pub SupportsWakeUpPatterns: BOOLEAN,
    /// Whether neighbor discovery is supported.
    pub SupportsNeighborDiscovery: BOOLEAN,
    /// Whether router discovery is supported.
    pub SupportsRouterDiscovery: BOOLEAN,
    /// In milliseconds.
    pub ReachableTime: ULONG,
    /// `NL_INTERFACE_OFFLOAD_ROD`.
    pub TransmitOffload: UCHAR,
    /// `NL_INTERFACE_OFFLOAD_ROD`.
    pub ReceiveOffload: UCHAR,
    /// Whether default routes are ignored.
    pub DisableDefaultRoutes: BOOLEAN,
}

crate::import! { "netio.sys";
    /// Fills a row with values that `SetIpInterfaceEntry` ignores.
    ///
    /// # IRQL
    /// `< DISPATCH_LEVEL`
    pub fn InitializeIpInterfaceEntry(row: *mut MIB_IPINTERFACE_ROW);

    /// Fills a row whose keys are set.
    ///
    /// # IRQL
    /// `< DISPATCH_LEVEL`
    pub fn GetIpInterfaceEntry(row: *mut MIB_IPINTERFACE_ROW) -> NTSTATUS;

    /// Applies a row.
    ///
    /// # IRQL
    /// `< DISPATCH_LEVEL`
    pub fn SetIpInterfaceEntry(row: *mut MIB_IPINTERFACE_ROW) -> NTSTATUS;
}
