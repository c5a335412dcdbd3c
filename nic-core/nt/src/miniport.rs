//! An NDIS miniport driver.
//!
//! A driver implements [`Miniport`]; its entry point is [`entry`]. NDIS calls the functions of
//! `callbacks`, which check their arguments and call the safe methods of the trait.
//!
//! # Safety conditions
//! 1. NDIS passes the context that `add_adapter` set, which lives until `halt`.
//! 2. The driver outlives its adapters.
//! 3. NDIS passes a valid structure, which is ours until the callback returns.
//! 4. NDIS does not use the context: registration or initialization failed.

mod attributes;
mod indication;

use core::ffi::c_void;
use core::mem::MaybeUninit;
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicPtr, Ordering};

use nt_sys::io::DRIVER_OBJECT;
use nt_sys::ndis::{
    NDIS_HALT_ACTION, NDIS_HANDLE, NDIS_MAKE_VERSION, NDIS_MINIPORT_DRIVER_CHARACTERISTICS,
    NDIS_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_2,
    NDIS_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_3, NDIS_MINIPORT_INIT_PARAMETERS,
    NDIS_MINIPORT_PAUSE_PARAMETERS, NDIS_MINIPORT_RESTART_PARAMETERS, NDIS_OBJECT_HEADER,
    NDIS_OBJECT_TYPE_MINIPORT_DRIVER_CHARACTERISTICS, NDIS_OID_REQUEST, NDIS_PORT_NUMBER,
    NDIS_SHUTDOWN_ACTION, NDIS_SIZEOF_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_2,
    NDIS_SIZEOF_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_3, NDIS_STATUS, NDIS_STATUS_BAD_VERSION,
    NDIS_STATUS_NOT_SUPPORTED, NET_BUFFER_LIST, NET_DEVICE_PNP_EVENT, NdisDevicePnPEventRemoved,
    NdisDevicePnPEventSurpriseRemoved, NdisGetVersion, NdisMDeregisterMiniportDriver,
    NdisMRegisterMiniportDriver,
};
use nt_sys::ntdef::{NTSTATUS, PVOID, ULONG, UNICODE_STRING};

pub use attributes::Attributes;

use crate::configuration::Configuration;
use crate::nbl::{ReceivePath, TransmitPath, TransmitQueue};
use crate::oid::OidRequest;
use crate::pool::PoolBox;
use crate::shared::Shared;
use crate::status::{Result, Status};

/// A driver's entry point.
pub type DriverEntry = nt_sys::io::DRIVER_INITIALIZE;

/// The oldest supported NDIS: Windows 10.
const MIN_NDIS: u32 = NDIS_MAKE_VERSION(6, 50);
/// The newest supported NDIS: Windows 11 24H2.
const MAX_NDIS: u32 = NDIS_MAKE_VERSION(6, 89);

/// A miniport driver. Methods are called at PASSIVE_LEVEL unless they say otherwise.
pub trait Miniport: Send + Sync + Sized + 'static {
    /// The version of the driver: major and minor.
    const VERSION: (u8, u8);
    /// An adapter. NDIS may call its methods on several processors at once.
    type Adapter: Send + Sync + 'static;

    /// Makes the state of the driver. NDIS cannot be called yet.
    fn load() -> Result<Self>;
    /// Called after the driver was registered, to make its control devices.
    fn registered(&self, driver: &DriverHandle) -> Result<()>;
    /// Reverses [`Miniport::registered`]. There are no adapters any more.
    fn unload(&self);

    /// Initializes an adapter, which is paused at first. Its handle is valid until the end of
    /// [`Miniport::halt`].
    fn initialize(
        &self,
        driver: &DriverHandle,
        handle: AdapterHandle,
    ) -> Result<(Self::Adapter, Attributes)>;
    /// Halts an adapter, which is paused.
    fn halt(&self, adapter: Self::Adapter);
    /// Restarts a paused adapter. The stack sends packets afterwards.
    fn restart(&self, adapter: &Self::Adapter) -> Result<()>;
    /// Pauses an adapter. When this returns, all packets from the stack have been completed, and all
    /// indicated packets have been returned.
    fn pause(&self, adapter: &Self::Adapter);
    /// Handles an OID request.
    fn oid_request(&self, adapter: &Self::Adapter, request: OidRequest<'_>) -> Status;
    /// Sends packets of the stack.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    fn send(&self, adapter: &Self::Adapter, packets: TransmitQueue);
    /// The device of the adapter was removed, by surprise or not.
    fn removed(&self, adapter: &Self::Adapter);
}

/// NDIS's handle of a registered driver.
#[derive(Clone, Copy)]
pub struct DriverHandle {
    handle: NDIS_HANDLE,
}

impl DriverHandle {
    pub(crate) fn as_ptr(&self) -> NDIS_HANDLE {
        self.handle
    }
}

/// NDIS's handle of an adapter, and the paths of its packets.
#[derive(Clone)]
pub struct AdapterHandle {
    handle: NDIS_HANDLE,
    ndis_version: u32,
    /// The index of its network interface.
    pub interface_index: u32,
    /// The LUID of its network interface.
    pub interface_luid: u64,
    /// The path of packets that the stack sends.
    pub transmit: Shared<TransmitPath>,
    /// The path of packets that the stack receives.
    pub receive: Shared<ReceivePath>,
}

impl AdapterHandle {
    /// Opens the adapter's configuration in the registry.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    pub fn configuration(&self) -> Result<Configuration> {
        // SAFETY: the handle is valid until the end of `halt`.
        unsafe { Configuration::open(self.handle) }
    }
}

// SAFETY: NDIS accepts the handle on any thread.
unsafe impl Send for AdapterHandle {}
// SAFETY: NDIS accepts the handle on any thread.
unsafe impl Sync for AdapterHandle {}

/// The driver while it is loaded.
struct Driver<M: Miniport> {
    miniport: M,
    handle: NDIS_HANDLE,
    ndis_version: u32,
}

/// An adapter while it exists: the context that NDIS passes to callbacks.
struct Context<M: Miniport> {
    driver: NonNull<Driver<M>>,
    transmit: Shared<TransmitPath>,
    receive: Shared<ReceivePath>,
    adapter: M::Adapter,
}

/// The one driver of this image. NDIS passes no context to `unload`.
static DRIVER: AtomicPtr<c_void> = AtomicPtr::new(ptr::null_mut());

/// The `DriverEntry` of a driver that is a miniport and nothing else.
///
/// # IRQL
/// `PASSIVE_LEVEL`
///
/// # Safety
/// The arguments must be those of DriverEntry.
pub unsafe extern "efiapi" fn entry<M: Miniport>(
    driver_object: *mut DRIVER_OBJECT,
    registry_path: *mut UNICODE_STRING,
) -> NTSTATUS {
    // SAFETY: by the caller's promise.
    Status::of(unsafe { load::<M>(driver_object, registry_path) }).0
}

/// # Safety
/// The arguments must be those of DriverEntry.
unsafe fn load<M: Miniport>(
    driver_object: *mut DRIVER_OBJECT,
    registry_path: *mut UNICODE_STRING,
) -> Result<()> {
    // SAFETY: no condition.
    let ndis_version = unsafe { NdisGetVersion() };
    if ndis_version < MIN_NDIS {
        return Err(Status(NDIS_STATUS_BAD_VERSION));
    }
    let ndis_version = ndis_version.min(MAX_NDIS);
    let miniport = M::load()?;
    let driver = PoolBox::new(Driver { miniport, handle: ptr::null_mut(), ndis_version })?;
    let characteristics = characteristics::<M>(ndis_version);

    let driver = PoolBox::into_raw(driver);
    DRIVER.store(driver.as_ptr().cast(), Ordering::Release);
    let mut handle: NDIS_HANDLE = ptr::null_mut();
    // SAFETY: the first two arguments are those of DriverEntry; NDIS copies the characteristics;
    // the context lives until `unload`.
    let status = unsafe {
        NdisMRegisterMiniportDriver(
            driver_object,
            registry_path,
            driver.as_ptr().cast(),
            &raw const characteristics,
            &raw mut handle,
        )
    };
    if let Err(status) = Status(status).ok() {
        DRIVER.store(ptr::null_mut(), Ordering::Release);
        // SAFETY: 4.
        drop(unsafe { PoolBox::from_raw(driver) });
        return Err(status);
    }
    // SAFETY: no adapter is added before DriverEntry returns (ndis docs, "Initializing a Miniport
    // Driver"), so nobody reads it.
    unsafe { (*driver.as_ptr()).handle = handle };
    // SAFETY: the driver lives until `unload`.
    let registered = unsafe { driver.as_ref() }.miniport.registered(&DriverHandle { handle });
    if let Err(status) = registered {
        DRIVER.store(ptr::null_mut(), Ordering::Release);
        // SAFETY: NdisMRegisterMiniportDriver returned the handle, which is given back once.
        unsafe { NdisMDeregisterMiniportDriver(handle) };
        // SAFETY: 4.
        drop(unsafe { PoolBox::from_raw(driver) });
        return Err(status);
    }
    Ok(())
}

fn characteristics<M: Miniport>(ndis_version: u32) -> NDIS_MINIPORT_DRIVER_CHARACTERISTICS {
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
    let (adapter, attributes) = miniport.initialize(&driver_handle, adapter_handle)?;
    let context = PoolBox::fill(context, Context { driver, transmit, receive, adapter });
    let context = PoolBox::into_raw(context);
    // SAFETY: the handle is that of the adapter which is being initialized, and the context is the
    // one that the callbacks expect.
    let set = unsafe { attributes.set(handle, context.as_ptr().cast(), driver_state.ndis_version) };
    if let Err(status) = set {
        // SAFETY: 4. NDIS halts only adapters that were initialized.
        let context = PoolBox::into_inner(unsafe { PoolBox::from_raw(context) });
        miniport.halt(context.adapter);
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
    driver.miniport.halt(context.adapter);
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
    miniport.pause(&context.adapter);
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
