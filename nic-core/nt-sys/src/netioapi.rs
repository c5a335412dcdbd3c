//! netioapi.h: IP helper functions for interfaces, routes and addresses.

use crate::ntdef::{BOOLEAN, HANDLE, LONGLONG, NTSTATUS, PVOID, UCHAR, ULONG, ULONGLONG, USHORT};
use crate::wsk::SOCKADDR_INET;

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

/// The IP interfaces of the machine. `Table` has `NumEntries` entries.
#[repr(C)]
pub struct MIB_IPINTERFACE_TABLE {
    /// The number of entries.
    pub NumEntries: ULONG,
    /// The entries.
    pub Table: [MIB_IPINTERFACE_ROW; 1],
}

/// A prefix of IP addresses.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct IP_ADDRESS_PREFIX {
    /// Its first address.
    pub Prefix: SOCKADDR_INET,
    /// In bits.
    pub PrefixLength: UCHAR,
}

/// A route.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct MIB_IPFORWARD_ROW2 {
    /// `NET_LUID` of its interface.
    pub InterfaceLuid: ULONGLONG,
    /// The index of its interface.
    pub InterfaceIndex: ULONG,
    /// Where it leads.
    pub DestinationPrefix: IP_ADDRESS_PREFIX,
    /// The gateway; unspecified on the link.
    pub NextHop: SOCKADDR_INET,
    /// In bits.
    pub SitePrefixLength: UCHAR,
    /// In seconds.
    pub ValidLifetime: ULONG,
    /// In seconds.
    pub PreferredLifetime: ULONG,
    /// The route's part of the metric; that of the interface is added.
    pub Metric: ULONG,
    /// `NL_ROUTE_PROTOCOL`.
    pub Protocol: i32,
    /// Whether the gateway is on this machine.
    pub Loopback: BOOLEAN,
    /// Whether the address is autoconfigured.
    pub AutoconfigureAddress: BOOLEAN,
    /// Whether it is published.
    pub Publish: BOOLEAN,
    /// Whether it does not age.
    pub Immortal: BOOLEAN,
    /// In seconds.
    pub Age: ULONG,
    /// `NL_ROUTE_ORIGIN`.
    pub Origin: i32,
}

/// The routes of the machine. `Table` has `NumEntries` entries.
#[repr(C)]
pub struct MIB_IPFORWARD_TABLE2 {
    /// The number of entries.
    pub NumEntries: ULONG,
    /// The entries.
    pub Table: [MIB_IPFORWARD_ROW2; 1],
}

/// A local address.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct MIB_UNICASTIPADDRESS_ROW {
    /// The address.
    pub Address: SOCKADDR_INET,
    /// `NET_LUID` of its interface.
    pub InterfaceLuid: ULONGLONG,
    /// The index of its interface.
    pub InterfaceIndex: ULONG,
    /// `NL_PREFIX_ORIGIN`.
    pub PrefixOrigin: i32,
    /// `NL_SUFFIX_ORIGIN`.
    pub SuffixOrigin: i32,
    /// In seconds.
    pub ValidLifetime: ULONG,
    /// In seconds.
    pub PreferredLifetime: ULONG,
    /// In bits.
    pub OnLinkPrefixLength: UCHAR,
    /// Whether it is no source of datagrams unless it is asked for.
    pub SkipAsSource: BOOLEAN,
    /// `NL_DAD_STATE`: `IpDadState*`.
    pub DadState: i32,
    /// `SCOPE_ID`.
    pub ScopeId: ULONG,
    /// When it was made.
    pub CreationTimeStamp: LONGLONG,
}

/// The local addresses of the machine. `Table` has `NumEntries` entries.
#[repr(C)]
pub struct MIB_UNICASTIPADDRESS_TABLE {
    /// The number of entries.
    pub NumEntries: ULONG,
    /// The entries.
    pub Table: [MIB_UNICASTIPADDRESS_ROW; 1],
}

/// `NL_DAD_STATE` (nldef.h): it is not known yet whether another machine has the address.
pub const IpDadStateTentative: i32 = 1;
/// `NL_DAD_STATE`: another machine has the address.
pub const IpDadStateDuplicate: i32 = 2;
/// `NL_DAD_STATE`: the address is usable, and another is preferred.
pub const IpDadStateDeprecated: i32 = 3;
/// `NL_DAD_STATE`: the address is usable.
pub const IpDadStatePreferred: i32 = 4;

/// Why a callback is called.
pub type MIB_NOTIFICATION_TYPE = i32;
/// An entry was changed.
pub const MibParameterNotification: MIB_NOTIFICATION_TYPE = 0;
/// An entry was added.
pub const MibAddInstance: MIB_NOTIFICATION_TYPE = 1;
/// An entry was deleted.
pub const MibDeleteInstance: MIB_NOTIFICATION_TYPE = 2;
/// The registration is complete. There is no row.
pub const MibInitialNotification: MIB_NOTIFICATION_TYPE = 3;

/// `PIPFORWARD_CHANGE_CALLBACK`: the context, the row, and why.
pub type IPFORWARD_CHANGE_CALLBACK =
    unsafe extern "efiapi" fn(PVOID, *mut MIB_IPFORWARD_ROW2, MIB_NOTIFICATION_TYPE);
/// `PIPINTERFACE_CHANGE_CALLBACK`: the context, the row, and why.
pub type IPINTERFACE_CHANGE_CALLBACK =
    unsafe extern "efiapi" fn(PVOID, *mut MIB_IPINTERFACE_ROW, MIB_NOTIFICATION_TYPE);
/// `PUNICAST_IPADDRESS_CHANGE_CALLBACK`: the context, the row, and why.
pub type UNICAST_IPADDRESS_CHANGE_CALLBACK =
    unsafe extern "efiapi" fn(PVOID, *mut MIB_UNICASTIPADDRESS_ROW, MIB_NOTIFICATION_TYPE);

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

    /// Reads the IP interfaces of a family, or of both for `AF_UNSPEC`. The table is freed by
    /// [`FreeMibTable`].
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    pub fn GetIpInterfaceTable(family: USHORT, table: *mut *mut MIB_IPINTERFACE_TABLE) -> NTSTATUS;

    /// Reads the routes of a family, or of both for `AF_UNSPEC`. The table is freed by
    /// [`FreeMibTable`].
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    pub fn GetIpForwardTable2(family: USHORT, table: *mut *mut MIB_IPFORWARD_TABLE2) -> NTSTATUS;

    /// Reads the local addresses of a family, or of both for `AF_UNSPEC`. The table is freed by
    /// [`FreeMibTable`].
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    pub fn GetUnicastIpAddressTable(
        family: USHORT,
        table: *mut *mut MIB_UNICASTIPADDRESS_TABLE,
    ) -> NTSTATUS;

    /// Frees a table.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    pub fn FreeMibTable(table: PVOID);

    /// Finds the route to a destination through an interface, and the local address that suits it.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    pub fn GetBestRoute2(
        interface_luid: *mut ULONGLONG,
        interface_index: ULONG,
        source_address: *const SOCKADDR_INET,
        destination_address: *const SOCKADDR_INET,
        address_sort_options: ULONG,
        best_route: *mut MIB_IPFORWARD_ROW2,
        best_source_address: *mut SOCKADDR_INET,
    ) -> NTSTATUS;

    /// Has a function called when a route changes, until [`CancelMibChangeNotify2`].
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    pub fn NotifyRouteChange2(
        family: USHORT,
        callback: IPFORWARD_CHANGE_CALLBACK,
        context: PVOID,
        initial_notification: BOOLEAN,
        handle: *mut HANDLE,
    ) -> NTSTATUS;

    /// Has a function called when an IP interface changes, until [`CancelMibChangeNotify2`].
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    pub fn NotifyIpInterfaceChange(
        family: USHORT,
        callback: IPINTERFACE_CHANGE_CALLBACK,
        context: PVOID,
        initial_notification: BOOLEAN,
        handle: *mut HANDLE,
    ) -> NTSTATUS;

    /// Has a function called when a local address changes, until [`CancelMibChangeNotify2`].
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    pub fn NotifyUnicastIpAddressChange(
        family: USHORT,
        callback: UNICAST_IPADDRESS_CHANGE_CALLBACK,
        context: PVOID,
        initial_notification: BOOLEAN,
        handle: *mut HANDLE,
    ) -> NTSTATUS;

    /// Ends a registration. Not to be called from its callback, for which it waits.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    pub fn CancelMibChangeNotify2(handle: HANDLE) -> NTSTATUS;
}
