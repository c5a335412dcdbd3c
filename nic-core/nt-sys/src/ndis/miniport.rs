//! ndis.h: a miniport driver, its handlers and their parameters.

use super::{
    NDIS_HANDLE, NDIS_OBJECT_HEADER, NDIS_OID_REQUEST, NDIS_PORT_NUMBER, NDIS_STATUS,
    NET_BUFFER_LIST,
};
use crate::io::DRIVER_OBJECT;
use crate::ntdef::{BOOLEAN, PVOID, UCHAR, ULONG, ULONGLONG, USHORT};

/// Sets optional handlers.
pub type SET_OPTIONS_HANDLER = Option<
    unsafe extern "efiapi" fn(
        ndis_driver_handle: NDIS_HANDLE,
        driver_context: NDIS_HANDLE,
    ) -> NDIS_STATUS,
>;
/// MiniportInitializeEx. IRQL: `PASSIVE_LEVEL`.
pub type MINIPORT_INITIALIZE_HANDLER = Option<
    unsafe extern "efiapi" fn(
        ndis_miniport_handle: NDIS_HANDLE,
        miniport_driver_context: NDIS_HANDLE,
        miniport_init_parameters: *mut NDIS_MINIPORT_INIT_PARAMETERS,
    ) -> NDIS_STATUS,
>;
/// MiniportHaltEx. IRQL: `PASSIVE_LEVEL`.
pub type MINIPORT_HALT_HANDLER = Option<
    unsafe extern "efiapi" fn(miniport_adapter_context: NDIS_HANDLE, halt_action: NDIS_HALT_ACTION),
>;
/// MiniportDriverUnload. IRQL: `PASSIVE_LEVEL`.
pub type MINIPORT_DRIVER_UNLOAD =
    Option<unsafe extern "efiapi" fn(driver_object: *mut DRIVER_OBJECT)>;
/// MiniportPause. IRQL: `PASSIVE_LEVEL`.
pub type MINIPORT_PAUSE_HANDLER = Option<
    unsafe extern "efiapi" fn(
        miniport_adapter_context: NDIS_HANDLE,
        pause_parameters: *mut NDIS_MINIPORT_PAUSE_PARAMETERS,
    ) -> NDIS_STATUS,
>;
/// MiniportRestart. IRQL: `PASSIVE_LEVEL`.
pub type MINIPORT_RESTART_HANDLER = Option<
    unsafe extern "efiapi" fn(
        miniport_adapter_context: NDIS_HANDLE,
        restart_parameters: *mut NDIS_MINIPORT_RESTART_PARAMETERS,
    ) -> NDIS_STATUS,
>;
/// MiniportOidRequest, MiniportDirectOidRequest and MiniportSynchronousOidRequest. IRQL:
/// `PASSIVE_LEVEL`; direct and synchronous `<= DISPATCH_LEVEL`.
pub type MINIPORT_OID_REQUEST_HANDLER = Option<
    unsafe extern "efiapi" fn(
        miniport_adapter_context: NDIS_HANDLE,
        oid_request: *mut NDIS_OID_REQUEST,
    ) -> NDIS_STATUS,
>;
/// MiniportSendNetBufferLists. IRQL: `<= DISPATCH_LEVEL`.
pub type MINIPORT_SEND_NET_BUFFER_LISTS_HANDLER = Option<
    unsafe extern "efiapi" fn(
        miniport_adapter_context: NDIS_HANDLE,
        net_buffer_list: *mut NET_BUFFER_LIST,
        port_number: NDIS_PORT_NUMBER,
        send_flags: ULONG,
    ),
>;
/// MiniportReturnNetBufferLists. IRQL: `<= DISPATCH_LEVEL`.
pub type MINIPORT_RETURN_NET_BUFFER_LISTS_HANDLER = Option<
    unsafe extern "efiapi" fn(
        miniport_adapter_context: NDIS_HANDLE,
        net_buffer_lists: *mut NET_BUFFER_LIST,
        return_flags: ULONG,
    ),
>;
/// MiniportCancelSend, MiniportCancelOidRequest, MiniportCancelDirectOidRequest. IRQL: `<=
/// DISPATCH_LEVEL`.
pub type MINIPORT_CANCEL_HANDLER =
    Option<unsafe extern "efiapi" fn(miniport_adapter_context: NDIS_HANDLE, id: PVOID)>;
/// MiniportCheckForHangEx. IRQL: `PASSIVE_LEVEL`.
pub type MINIPORT_CHECK_FOR_HANG_HANDLER =
    Option<unsafe extern "efiapi" fn(miniport_adapter_context: NDIS_HANDLE) -> BOOLEAN>;
/// MiniportResetEx. IRQL: `<= DISPATCH_LEVEL`.
pub type MINIPORT_RESET_HANDLER = Option<
    unsafe extern "efiapi" fn(
        miniport_adapter_context: NDIS_HANDLE,
        addressing_reset: *mut BOOLEAN,
    ) -> NDIS_STATUS,
>;
/// MiniportDevicePnPEventNotify. IRQL: `PASSIVE_LEVEL`.
pub type MINIPORT_DEVICE_PNP_EVENT_NOTIFY_HANDLER = Option<
    unsafe extern "efiapi" fn(
        miniport_adapter_context: NDIS_HANDLE,
        event: *mut NET_DEVICE_PNP_EVENT,
    ),
>;
/// MiniportShutdownEx. IRQL: `PASSIVE_LEVEL`, or `HIGH_LEVEL` at a bug check.
pub type MINIPORT_SHUTDOWN_HANDLER = Option<
    unsafe extern "efiapi" fn(
        miniport_adapter_context: NDIS_HANDLE,
        shutdown_action: NDIS_SHUTDOWN_ACTION,
    ),
>;

/// A miniport driver.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct NDIS_MINIPORT_DRIVER_CHARACTERISTICS {
    /// `NDIS_OBJECT_TYPE_MINIPORT_DRIVER_CHARACTERISTICS`
    pub Header: NDIS_OBJECT_HEADER,
    /// 6
    pub MajorNdisVersion: UCHAR,
    /// Minor version of NDIS that the driver requires.
    pub MinorNdisVersion: UCHAR,
    /// A version number of the driver.
    pub MajorDriverVersion: UCHAR,
    /// A version number of the driver.
    pub MinorDriverVersion: UCHAR,
    /// 0, or flags of intermediate drivers.
    pub Flags: ULONG,
    /// Optional.
    pub SetOptionsHandler: SET_OPTIONS_HANDLER,
    /// Mandatory.
    pub InitializeHandlerEx: MINIPORT_INITIALIZE_HANDLER,
    /// Mandatory.
    pub HaltHandlerEx: MINIPORT_HALT_HANDLER,
    /// Mandatory.
    pub UnloadHandler: MINIPORT_DRIVER_UNLOAD,
    /// Mandatory.
    pub PauseHandler: MINIPORT_PAUSE_HANDLER,
    /// Mandatory.
    pub RestartHandler: MINIPORT_RESTART_HANDLER,
    /// Mandatory.
    pub OidRequestHandler: MINIPORT_OID_REQUEST_HANDLER,
    /// Mandatory.
    pub SendNetBufferListsHandler: MINIPORT_SEND_NET_BUFFER_LISTS_HANDLER,
    /// Mandatory.
    pub ReturnNetBufferListsHandler: MINIPORT_RETURN_NET_BUFFER_LISTS_HANDLER,
    /// Mandatory.
    pub CancelSendHandler: MINIPORT_CANCEL_HANDLER,
    /// Optional; with `ResetHandlerEx` only.
    pub CheckForHangHandlerEx: MINIPORT_CHECK_FOR_HANG_HANDLER,
    /// Optional; with `CheckForHangHandlerEx` only.
    pub ResetHandlerEx: MINIPORT_RESET_HANDLER,
    /// Mandatory.
    pub DevicePnPEventNotifyHandler: MINIPORT_DEVICE_PNP_EVENT_NOTIFY_HANDLER,
    /// Mandatory.
    pub ShutdownHandlerEx: MINIPORT_SHUTDOWN_HANDLER,
    /// Mandatory.
    pub CancelOidRequestHandler: MINIPORT_CANCEL_HANDLER,
    /// Optional; revision 2.
    pub DirectOidRequestHandler: MINIPORT_OID_REQUEST_HANDLER,
    /// Optional; revision 2.
    pub CancelDirectOidRequestHandler: MINIPORT_CANCEL_HANDLER,
    /// Optional; revision 3.
    pub SynchronousOidRequestHandler: MINIPORT_OID_REQUEST_HANDLER,
}

/// NDIS 6.0.
pub const NDIS_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_1: UCHAR = 1;
/// NDIS 6.1 to 6.7x.
pub const NDIS_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_2: UCHAR = 2;
/// NDIS 6.80 and up.
pub const NDIS_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_3: UCHAR = 3;
/// Size of revision 1.
pub const NDIS_SIZEOF_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_1: USHORT = 136;
/// Size of revision 2.
pub const NDIS_SIZEOF_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_2: USHORT = 152;
/// Size of revision 3.
pub const NDIS_SIZEOF_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_3: USHORT = 160;

/// Parameters of MiniportInitializeEx.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct NDIS_MINIPORT_INIT_PARAMETERS {
    /// `NDIS_OBJECT_TYPE_MINIPORT_INIT_PARAMETERS`
    pub Header: NDIS_OBJECT_HEADER,
    /// `NDIS_MINIPORT_INIT_*`
    pub Flags: ULONG,
    /// Hardware resources, or null.
    pub AllocatedResources: PVOID,
    /// Of intermediate drivers.
    pub IMDeviceInstanceContext: NDIS_HANDLE,
    /// Of MiniportAddDevice.
    pub MiniportAddDeviceContext: NDIS_HANDLE,
    /// Index of the network interface.
    pub IfIndex: ULONG,
    /// `NET_LUID` of the network interface.
    pub NetLuid: ULONGLONG,
    /// Authentication states of the default port.
    pub DefaultPortAuthStates: PVOID,
    /// Of PCI devices, or null.
    pub PciDeviceCustomProperties: PVOID,
}

/// Of [`NDIS_MINIPORT_INIT_PARAMETERS`].
pub const NDIS_MINIPORT_INIT_PARAMETERS_REVISION_1: UCHAR = 1;

/// The `NET_LUID` (ifdef.h) of an interface: bits 24 to 47 its index, 48 to 63 its type.
pub const fn NET_LUID_VALUE(net_luid_index: ULONG, if_type: USHORT) -> ULONGLONG {
    ((net_luid_index & 0x00ff_ffff) as ULONGLONG) << 24 | (if_type as ULONGLONG) << 48
}

/// Parameters of MiniportPause.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct NDIS_MINIPORT_PAUSE_PARAMETERS {
    /// `NDIS_OBJECT_TYPE_DEFAULT`
    pub Header: NDIS_OBJECT_HEADER,
    /// Reserved.
    pub Flags: ULONG,
    /// `NDIS_PAUSE_*`
    pub PauseReason: ULONG,
}

/// Of [`NDIS_MINIPORT_PAUSE_PARAMETERS`].
pub const NDIS_MINIPORT_PAUSE_PARAMETERS_REVISION_1: UCHAR = 1;
/// Of [`NDIS_MINIPORT_PAUSE_PARAMETERS`].
pub const NDIS_SIZEOF_MINIPORT_PAUSE_PARAMETERS_REVISION_1: USHORT = 12;
/// Internal reasons of NDIS.
pub const NDIS_PAUSE_NDIS_INTERNAL: ULONG = 0x01;
/// The system sleeps.
pub const NDIS_PAUSE_LOW_POWER: ULONG = 0x02;
/// A protocol binds.
pub const NDIS_PAUSE_BIND_PROTOCOL: ULONG = 0x04;
/// A protocol unbinds.
pub const NDIS_PAUSE_UNBIND_PROTOCOL: ULONG = 0x08;
/// A filter attaches.
pub const NDIS_PAUSE_ATTACH_FILTER: ULONG = 0x10;
/// A filter detaches.
pub const NDIS_PAUSE_DETACH_FILTER: ULONG = 0x20;
/// A filter restarts the stack.
pub const NDIS_PAUSE_FILTER_RESTART_STACK: ULONG = 0x40;
/// The device is removed.
pub const NDIS_PAUSE_MINIPORT_DEVICE_REMOVE: ULONG = 0x80;

/// Parameters of MiniportRestart.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct NDIS_MINIPORT_RESTART_PARAMETERS {
    /// `NDIS_OBJECT_TYPE_DEFAULT`
    pub Header: NDIS_OBJECT_HEADER,
    /// List of attributes, or null.
    pub RestartAttributes: *mut NDIS_RESTART_ATTRIBUTES,
    /// Reserved.
    pub Flags: ULONG,
}

/// Of [`NDIS_MINIPORT_RESTART_PARAMETERS`].
pub const NDIS_MINIPORT_RESTART_PARAMETERS_REVISION_1: UCHAR = 1;
/// Of [`NDIS_MINIPORT_RESTART_PARAMETERS`].
pub const NDIS_SIZEOF_MINIPORT_RESTART_PARAMETERS_REVISION_1: USHORT = 20;

/// One attribute that a restart may change.
#[repr(C, align(16))]
pub struct NDIS_RESTART_ATTRIBUTES {
    /// The next one.
    pub Next: *mut NDIS_RESTART_ATTRIBUTES,
    /// Which one.
    pub Oid: ULONG,
    /// Length of the data in bytes.
    pub DataLength: ULONG,
    /// Begin of the data.
    pub Data: [UCHAR; 1],
}

/// Parameters of MiniportDevicePnPEventNotify.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct NET_DEVICE_PNP_EVENT {
    /// `NDIS_OBJECT_TYPE_DEFAULT`
    pub Header: NDIS_OBJECT_HEADER,
    /// The port it concerns.
    pub PortNumber: NDIS_PORT_NUMBER,
    /// What happened.
    pub DevicePnPEvent: NDIS_DEVICE_PNP_EVENT,
    /// Further information, or null.
    pub InformationBuffer: PVOID,
    /// Length of `InformationBuffer` in bytes.
    pub InformationBufferLength: ULONG,
    /// NDIS's own.
    pub NdisReserved: [UCHAR; 16],
}

/// Of [`NET_DEVICE_PNP_EVENT`].
pub const NET_DEVICE_PNP_EVENT_REVISION_1: UCHAR = 1;
/// Of [`NET_DEVICE_PNP_EVENT`].
pub const NDIS_SIZEOF_NET_DEVICE_PNP_EVENT_REVISION_1: USHORT = 44;

/// What happened to a device.
pub type NDIS_DEVICE_PNP_EVENT = u32;
/// Query: removal.
pub const NdisDevicePnPEventQueryRemoved: NDIS_DEVICE_PNP_EVENT = 0;
/// Removal.
pub const NdisDevicePnPEventRemoved: NDIS_DEVICE_PNP_EVENT = 1;
/// Surprise removal.
pub const NdisDevicePnPEventSurpriseRemoved: NDIS_DEVICE_PNP_EVENT = 2;
/// Query: stop.
pub const NdisDevicePnPEventQueryStopped: NDIS_DEVICE_PNP_EVENT = 3;
/// It is stopped.
pub const NdisDevicePnPEventStopped: NDIS_DEVICE_PNP_EVENT = 4;
/// The source of power changed.
pub const NdisDevicePnPEventPowerProfileChanged: NDIS_DEVICE_PNP_EVENT = 5;
/// The filters above changed.
pub const NdisDevicePnPEventFilterListChanged: NDIS_DEVICE_PNP_EVENT = 6;

/// The reason for MiniportHaltEx.
pub type NDIS_HALT_ACTION = u32;
/// It was disabled.
pub const NdisHaltDeviceDisabled: NDIS_HALT_ACTION = 0;
/// A virtual device of an intermediate driver was deinitialized.
pub const NdisHaltDeviceInstanceDeInitialized: NDIS_HALT_ACTION = 1;
/// The system sleeps.
pub const NdisHaltDevicePoweredDown: NDIS_HALT_ACTION = 2;
/// Surprise removal.
pub const NdisHaltDeviceSurpriseRemoved: NDIS_HALT_ACTION = 3;
/// It failed.
pub const NdisHaltDeviceFailed: NDIS_HALT_ACTION = 4;
/// NDIS could not initialize it after MiniportInitializeEx had succeeded.
pub const NdisHaltDeviceInitializationFailed: NDIS_HALT_ACTION = 5;
/// It is stopped.
pub const NdisHaltDeviceStopped: NDIS_HALT_ACTION = 6;

/// The reason for MiniportShutdownEx.
pub type NDIS_SHUTDOWN_ACTION = u32;
/// System shutdown.
pub const NdisShutdownPowerOff: NDIS_SHUTDOWN_ACTION = 0;
/// The system has crashed.
pub const NdisShutdownBugCheck: NDIS_SHUTDOWN_ACTION = 1;
