//! ndis.h: functions for miniports.

use super::{
    NDIS_HANDLE, NDIS_MINIPORT_ADAPTER_ATTRIBUTES, NDIS_MINIPORT_DRIVER_CHARACTERISTICS,
    NDIS_OID_REQUEST, NDIS_PORT_NUMBER, NDIS_STATUS, NDIS_STATUS_INDICATION, NET_BUFFER_LIST,
};
use crate::io::{DEVICE_OBJECT, DRIVER_OBJECT};
use crate::ntdef::{PVOID, ULONG, UNICODE_STRING};

crate::import! { "ndis.sys";
    /// The version of NDIS: major in the upper, minor in the lower 16 bits.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    pub fn NdisGetVersion() -> ULONG;

    /// Registers a miniport driver; called in DriverEntry.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    pub fn NdisMRegisterMiniportDriver(
        driver_object: *mut DRIVER_OBJECT, registry_path: *mut UNICODE_STRING,
        miniport_driver_context: NDIS_HANDLE,
        miniport_driver_characteristics: *const NDIS_MINIPORT_DRIVER_CHARACTERISTICS,
        ndis_miniport_driver_handle: *mut NDIS_HANDLE,
    ) -> NDIS_STATUS;

    /// Ends a registration; called in MiniportDriverUnload.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    pub fn NdisMDeregisterMiniportDriver(ndis_miniport_driver_handle: NDIS_HANDLE);

    /// Sets one attributes struct; called in MiniportInitializeEx.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    pub fn NdisMSetMiniportAttributes(
        ndis_miniport_adapter_handle: NDIS_HANDLE,
        miniport_attributes: *const NDIS_MINIPORT_ADAPTER_ATTRIBUTES,
    ) -> NDIS_STATUS;

    /// The device objects of an adapter: of its bus, of NDIS, and the next below that of NDIS. The
    /// last two are resource lists. Any of the pointers may be null.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    pub fn NdisMGetDeviceProperty(
        miniport_adapter_handle: NDIS_HANDLE, physical_device_object: *mut *mut DEVICE_OBJECT,
        functional_device_object: *mut *mut DEVICE_OBJECT,
        next_device_object: *mut *mut DEVICE_OBJECT, allocated_resources: *mut PVOID,
        allocated_resources_translated: *mut PVOID,
    );

    /// Reports a change of the adapter's state.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    pub fn NdisMIndicateStatusEx(
        miniport_adapter_handle: NDIS_HANDLE, status_indication: *const NDIS_STATUS_INDICATION,
    );

    /// Indicates received packets. MiniportReturnNetBufferLists returns them; with
    /// `NDIS_RECEIVE_FLAGS_RESOURCES` the end of the call does.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    pub fn NdisMIndicateReceiveNetBufferLists(
        miniport_adapter_handle: NDIS_HANDLE, net_buffer_list: *mut NET_BUFFER_LIST,
        port_number: NDIS_PORT_NUMBER,
        number_of_net_buffer_lists: ULONG, receive_flags: ULONG,
    );

    /// Returns sent packets to their source.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    pub fn NdisMSendNetBufferListsComplete(
        miniport_adapter_handle: NDIS_HANDLE, net_buffer_list: *mut NET_BUFFER_LIST,
        send_complete_flags: ULONG,
    );

    /// Completes a MiniportPause that returned `NDIS_STATUS_PENDING`.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    pub fn NdisMPauseComplete(miniport_adapter_handle: NDIS_HANDLE);

    /// Completes a MiniportRestart that returned `NDIS_STATUS_PENDING`.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    pub fn NdisMRestartComplete(miniport_adapter_handle: NDIS_HANDLE, status: NDIS_STATUS);

    /// Completes a MiniportOidRequest that returned `NDIS_STATUS_PENDING`.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    pub fn NdisMOidRequestComplete(
        miniport_adapter_handle: NDIS_HANDLE, oid_request: *mut NDIS_OID_REQUEST,
        status: NDIS_STATUS,
    );

    /// Writes an entry with `number_of_error_values` ULONGs to the event log.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    pub fn NdisWriteErrorLogEntry(
        ndis_adapter_handle: NDIS_HANDLE,
        error_code: ULONG,
        number_of_error_values: ULONG,
        ...
    );
}

/// `NdisWriteErrorLogEntry`: memory is short (netevent.h).
pub const NDIS_ERROR_CODE_OUT_OF_RESOURCES: ULONG = 0xc000_1389;
/// `NdisWriteErrorLogEntry`: the driver failed (netevent.h).
pub const NDIS_ERROR_CODE_DRIVER_FAILURE: ULONG = 0xc000_138d;
