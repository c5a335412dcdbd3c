//! The functions of a miniport driver that NDIS calls.
//!
//! # Safety conditions
//! 1. NDIS passes the context that `add_adapter` set, which lives until `halt`.
//! 2. The driver outlives its adapters.
//! 3. NDIS passes a valid structure, which is ours until the callback returns.
//! 4. NDIS halts only adapters that were initialized: it does not use the context.

use core::mem::MaybeUninit;
use core::ptr::{self, NonNull};
use core::sync::atomic::Ordering;

use nt_sys::io::DRIVER_OBJECT;
use nt_sys::ndis::{
    NDIS_HALT_ACTION, NDIS_HANDLE, NDIS_MAKE_VERSION, NDIS_MINIPORT_DRIVER_CHARACTERISTICS,
    NDIS_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_2,
    NDIS_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_3, NDIS_MINIPORT_INIT_PARAMETERS,
    NDIS_MINIPORT_PAUSE_PARAMETERS, NDIS_MINIPORT_RESTART_PARAMETERS, NDIS_OBJECT_HEADER,
    NDIS_OBJECT_TYPE_MINIPORT_DRIVER_CHARACTERISTICS, NDIS_OID_REQUEST, NDIS_PORT_NUMBER,
    NDIS_SHUTDOWN_ACTION, NDIS_SIZEOF_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_2,
    NDIS_SIZEOF_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_3, NDIS_STATUS, NDIS_STATUS_NOT_SUPPORTED,
    NET_BUFFER_LIST, NET_DEVICE_PNP_EVENT, NdisDevicePnPEventRemoved,
    NdisDevicePnPEventSurpriseRemoved, NdisMDeregisterMiniportDriver,
};
use nt_sys::ntdef::{PVOID, ULONG};

use super::{AdapterHandle, Context, DRIVER, Driver, DriverHandle, Miniport};
use crate::device_interface::AdapterDevice;
use crate::irql::Passive;
use crate::nbl::{ReceivePath, TransmitPath};
use crate::oid::OidRequest;
use crate::pool::PoolBox;
use crate::status::{Result, Status};

/// The characteristics for NdisMRegisterMiniportDriver.
pub(super) fn characteristics<M: Miniport>(
    ndis_version: u32,
) -> NDIS_MINIPORT_DRIVER_CHARACTERISTICS {
    let has_synchronous_requests = ndis_version >= NDIS_MAKE_VERSION(6, 80);
    let (revision, size) = if has_synchronous_requests {
        (
            NDIS_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_3,
            NDIS_SIZEOF_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_3,
        )
    } else {
        (
            NDIS_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_2,
            NDIS_SIZEOF_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_2,
        )
    };
    NDIS_MINIPORT_DRIVER_CHARACTERISTICS {
        Header: NDIS_OBJECT_HEADER {
            Type: NDIS_OBJECT_TYPE_MINIPORT_DRIVER_CHARACTERISTICS,
            Revision: revision,
            Size: size,
        },
        MajorNdisVersion: (ndis_version >> 16) as u8,
        MinorNdisVersion: ndis_version as u8,
        MajorDriverVersion: M::VERSION.0,
        MinorDriverVersion: M::VERSION.1,
        Flags: 0,
        SetOptionsHandler: None,
        InitializeHandlerEx: Some(initialize::<M>),
        HaltHandlerEx: Some(halt::<M>),
        UnloadHandler: Some(unload::<M>),
        PauseHandler: Some(pause::<M>),
        RestartHandler: Some(restart::<M>),
        OidRequestHandler: Some(oid_request::<M>),
        SendNetBufferListsHandler: Some(send::<M>),
        ReturnNetBufferListsHandler: Some(take_back::<M>),
        CancelSendHandler: Some(cancel),
        CheckForHangHandlerEx: None,
        ResetHandlerEx: None,
        DevicePnPEventNotifyHandler: Some(pnp_event::<M>),
        ShutdownHandlerEx: Some(shutdown),
        CancelOidRequestHandler: Some(cancel),
        DirectOidRequestHandler: Some(no_oid_request),
        CancelDirectOidRequestHandler: Some(cancel),
        SynchronousOidRequestHandler: has_synchronous_requests.then_some(no_oid_request as _),
    }
}

/// # Safety
/// NDIS must have passed the pointer to a callback of a miniport `M`, which runs during `'a`.
unsafe fn context<'a, M: Miniport>(context: NDIS_HANDLE) -> (&'a M, &'a Context<M>) {
    // SAFETY: by the caller's promise; the context lives until `halt`.
    let context = unsafe { &*context.cast::<Context<M>>() };
    // SAFETY: 2.
    let driver = unsafe { context.driver.as_ref() };
    (&driver.miniport, context)
}

unsafe extern "efiapi" fn initialize<M: Miniport>(
    handle: NDIS_HANDLE,
    driver: NDIS_HANDLE,
    parameters: *mut NDIS_MINIPORT_INIT_PARAMETERS,
) -> NDIS_STATUS {
    let (Some(driver), Some(parameters)) = (NonNull::new(driver.cast()), NonNull::new(parameters))
    else {
        return Status::INVALID_PARAMETER.0;
    };
    // SAFETY: 3.
    let parameters = unsafe { parameters.as_ref() };
    Status::of(add_adapter::<M>(handle, driver, parameters)).0
}

fn add_adapter<M: Miniport>(
    handle: NDIS_HANDLE,
    driver: NonNull<Driver<M>>,
    parameters: &NDIS_MINIPORT_INIT_PARAMETERS,
) -> Result<()> {
    let transmit = TransmitPath::new(handle)?;
    let receive = ReceivePath::new(handle)?;
    // SAFETY: 2.
    let driver_state = unsafe { driver.as_ref() };
    let adapter_handle = AdapterHandle {
        handle,
        ndis_version: driver_state.ndis_version,
        interface_index: parameters.IfIndex,
        interface_luid: parameters.NetLuid,
        transmit: transmit.clone(),
        receive: receive.clone(),
    };
    let miniport = &driver_state.miniport;
    // Allocated first: without memory there would be an adapter to halt.
    let context = PoolBox::new(MaybeUninit::uninit())?;
    let driver_handle = DriverHandle { handle: driver_state.handle };
    let (adapter, attributes) =
        miniport.initialize(&driver_handle, adapter_handle, Passive::by_contract())?;
    let context = PoolBox::fill(context, Context { driver, transmit, receive, adapter });
    let context = PoolBox::into_raw(context);
    // SAFETY: the handle is that of the adapter which is being initialized, and the context is the
    // one that the callbacks expect.
    let set = unsafe { attributes.set(handle, context.as_ptr().cast(), driver_state.ndis_version) };
    // SAFETY: the handle is that of the adapter which is being initialized.
    let device = || unsafe { AdapterDevice::of(handle) };
    // SAFETY: the context is not freed before `halt`.
    let adapter = unsafe { &(*context.as_ptr()).adapter };
    if let Err(status) = set.and_then(|()| miniport.initialized(adapter, &device())) {
        // SAFETY: 4.
        let context = PoolBox::into_inner(unsafe { PoolBox::from_raw(context) });
        miniport.halt(context.adapter, Passive::by_contract());
        return Err(status);
    }
    Ok(())
}

unsafe extern "efiapi" fn halt<M: Miniport>(adapter: NDIS_HANDLE, _action: NDIS_HALT_ACTION) {
    let Some(adapter) = NonNull::new(adapter.cast::<Context<M>>()) else { return };
    // SAFETY: 1. This is its last callback.
    let context = PoolBox::into_inner(unsafe { PoolBox::from_raw(adapter) });
    // SAFETY: 2.
    let driver = unsafe { context.driver.as_ref() };
    driver.miniport.halt(context.adapter, Passive::by_contract());
}

unsafe extern "efiapi" fn unload<M: Miniport>(_driver_object: *mut DRIVER_OBJECT) {
    let driver = DRIVER.swap(ptr::null_mut(), Ordering::AcqRel);
    let Some(driver) = NonNull::new(driver.cast::<Driver<M>>()) else { return };
    // SAFETY: `load` stored it, and no adapter is left.
    let driver = unsafe { PoolBox::from_raw(driver) };
    driver.miniport.unload();
    // SAFETY: NdisMRegisterMiniportDriver returned the handle, which is given back once.
    unsafe { NdisMDeregisterMiniportDriver(driver.handle) };
}

unsafe extern "efiapi" fn pause<M: Miniport>(
    adapter: NDIS_HANDLE,
    _parameters: *mut NDIS_MINIPORT_PAUSE_PARAMETERS,
) -> NDIS_STATUS {
    // SAFETY: 1.
    let (miniport, context) = unsafe { context::<M>(adapter) };
    miniport.pause(&context.adapter, Passive::by_contract());
    Status::SUCCESS.0
}

unsafe extern "efiapi" fn restart<M: Miniport>(
    adapter: NDIS_HANDLE,
    _parameters: *mut NDIS_MINIPORT_RESTART_PARAMETERS,
) -> NDIS_STATUS {
    // SAFETY: 1.
    let (miniport, context) = unsafe { context::<M>(adapter) };
    Status::of(miniport.restart(&context.adapter)).0
}

unsafe extern "efiapi" fn oid_request<M: Miniport>(
    adapter: NDIS_HANDLE,
    request: *mut NDIS_OID_REQUEST,
) -> NDIS_STATUS {
    // SAFETY: 1.
    let (miniport, context) = unsafe { context::<M>(adapter) };
    // SAFETY: 3.
    let Some(request) = (unsafe { request.as_mut() }) else { return Status::INVALID_PARAMETER.0 };
    miniport.oid_request(&context.adapter, OidRequest::new(request)).0
}

/// Direct and synchronous OID requests. None is supported.
unsafe extern "efiapi" fn no_oid_request(
    _adapter: NDIS_HANDLE,
    _request: *mut NDIS_OID_REQUEST,
) -> NDIS_STATUS {
    NDIS_STATUS_NOT_SUPPORTED
}

unsafe extern "efiapi" fn send<M: Miniport>(
    adapter: NDIS_HANDLE,
    chain: *mut NET_BUFFER_LIST,
    _port: NDIS_PORT_NUMBER,
    _flags: ULONG,
) {
    // SAFETY: 1.
    let (miniport, context) = unsafe { context::<M>(adapter) };
    // SAFETY: NDIS hands the chain over; `pause` drains the path before `halt` drops it.
    let packets = unsafe { context.transmit.take(chain) };
    miniport.send(&context.adapter, packets);
}

unsafe extern "efiapi" fn take_back<M: Miniport>(
    adapter: NDIS_HANDLE,
    chain: *mut NET_BUFFER_LIST,
    _flags: ULONG,
) {
    // SAFETY: 1.
    let (_, context) = unsafe { context::<M>(adapter) };
    // SAFETY: NDIS returns packets that this adapter indicated.
    unsafe { context.receive.take_back(chain) };
}

/// Cancels sends or OID requests. There is nothing to cancel: no packet or request waits for long.
unsafe extern "efiapi" fn cancel(_adapter: NDIS_HANDLE, _id: PVOID) {}

unsafe extern "efiapi" fn pnp_event<M: Miniport>(
    adapter: NDIS_HANDLE,
    event: *mut NET_DEVICE_PNP_EVENT,
) {
    // SAFETY: 1.
    let (miniport, context) = unsafe { context::<M>(adapter) };
    // SAFETY: 3.
    let Some(event) = (unsafe { event.as_ref() }) else { return };
    // Not NdisDevicePnPEventQueryRemoved: a removal may be cancelled without a notice.
    let event = event.DevicePnPEvent;
    if event == NdisDevicePnPEventRemoved || event == NdisDevicePnPEventSurpriseRemoved {
        miniport.removed(&context.adapter);
    }
}

/// There is no hardware to shut down.
unsafe extern "efiapi" fn shutdown(_adapter: NDIS_HANDLE, _action: NDIS_SHUTDOWN_ACTION) {}
