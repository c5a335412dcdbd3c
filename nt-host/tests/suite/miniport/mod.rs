//! A loopback miniport, written directly on nt-sys: an adapter's packets are received by the next
//! one.
//!
//! With a [`Fault`] it breaks a rule.

pub(crate) mod device;
pub(crate) mod fault;
mod oid;
pub(crate) mod packets;

use std::ffi::c_void;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use nt_sys::io::DRIVER_OBJECT;
use nt_sys::ndis::*;
use nt_sys::ntdef::{FALSE, NTSTATUS, PVOID, TRUE, ULONG, UNICODE_STRING};

use fault::{Fault, is};
use oid::oid_request;
use packets::{return_lists, send};

static DRIVER: AtomicPtr<c_void> = AtomicPtr::new(ptr::null_mut());
/// The adapter that was halted last.
static HALTED: AtomicPtr<c_void> = AtomicPtr::new(ptr::null_mut());
static ADAPTERS: Mutex<Vec<Shared>> = Mutex::new(Vec::new());

/// The arguments of MiniportCancelSend and similar calls.
pub(crate) static PNP_EVENTS: Mutex<Vec<NDIS_DEVICE_PNP_EVENT>> = Mutex::new(Vec::new());
/// Whether completions and indications set the DISPATCH_LEVEL flag at DISPATCH_LEVEL.
pub(crate) static SEND_FLAGS_SEEN: AtomicU32 = AtomicU32::new(0);
/// Whether a restart pends.
pub(crate) static PEND_RESTART: AtomicBool = AtomicBool::new(false);
/// The keyword `*Answer` that was read.
pub(crate) static KEYWORD: AtomicU32 = AtomicU32::new(0);
pub(crate) static DEVICE_STATE: AtomicU32 = AtomicU32::new(0);

pub(crate) const DEVICE: &str = r"\\.\Loopback";
pub(crate) const DATA_BYTES: u32 = 2048;
const TAG: u32 = u32::from_le_bytes(*b"Loop");

type Shared = &'static Context;

/// One adapter; leaked, because a test's adapters are few.
struct Context {
    handle: usize,
    pool: usize,
    running: AtomicBool,
    pausing: AtomicBool,
    /// The number of indicated lists, and of calls that are about to indicate.
    indicated: AtomicUsize,
    sent: AtomicU64,
    received: AtomicU64,
    /// A sent list that is not completed.
    kept: AtomicPtr<NET_BUFFER_LIST>,
    device: AtomicPtr<c_void>,
}

impl Context {
    fn handle(&self) -> NDIS_HANDLE {
        ptr::with_exposed_provenance_mut(self.handle)
    }

    fn pool(&self) -> NDIS_HANDLE {
        ptr::with_exposed_provenance_mut(self.pool)
    }
}

fn adapters() -> std::sync::MutexGuard<'static, Vec<Shared>> {
    ADAPTERS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The handle of the adapter that was added last.
pub(crate) fn last_handle() -> NDIS_HANDLE {
    adapters().last().map_or(ptr::null_mut(), |context| context.handle())
}

fn context(context: NDIS_HANDLE) -> Shared {
    // SAFETY: made in `initialize`, and never freed.
    unsafe { &*context.cast::<Context>() }
}

pub(crate) fn header(kind: u8, revision: u8, size: u16) -> NDIS_OBJECT_HEADER {
    NDIS_OBJECT_HEADER { Type: kind, Revision: revision, Size: size }
}

pub(crate) struct Utf16 {
    units: Vec<u16>,
}

impl Utf16 {
    pub(crate) fn new(text: &str) -> Self {
        Self { units: text.encode_utf16().collect() }
    }

    pub(crate) fn string(&mut self) -> UNICODE_STRING {
        let bytes = (self.units.len() * 2) as u16;
        UNICODE_STRING { Length: bytes, MaximumLength: bytes, Buffer: self.units.as_mut_ptr() }
    }
}

pub(crate) fn characteristics() -> NDIS_MINIPORT_DRIVER_CHARACTERISTICS {
    NDIS_MINIPORT_DRIVER_CHARACTERISTICS {
        Header: header(
            NDIS_OBJECT_TYPE_MINIPORT_DRIVER_CHARACTERISTICS,
            NDIS_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_3,
            NDIS_SIZEOF_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_3,
        ),
        MajorNdisVersion: 6,
        MinorNdisVersion: 85,
        MajorDriverVersion: 1,
        MinorDriverVersion: 0,
        Flags: 0,
        SetOptionsHandler: None,
        InitializeHandlerEx: Some(initialize),
        HaltHandlerEx: Some(halt),
        UnloadHandler: Some(unload),
        PauseHandler: Some(pause),
        RestartHandler: Some(restart),
        OidRequestHandler: Some(oid_request),
        SendNetBufferListsHandler: Some(send),
        ReturnNetBufferListsHandler: Some(return_lists),
        CancelSendHandler: Some(cancel),
        CheckForHangHandlerEx: None,
        ResetHandlerEx: None,
        DevicePnPEventNotifyHandler: Some(pnp_event),
        ShutdownHandlerEx: Some(shutdown),
        CancelOidRequestHandler: Some(cancel),
        DirectOidRequestHandler: None,
        CancelDirectOidRequestHandler: None,
        SynchronousOidRequestHandler: None,
    }
}

pub(crate) unsafe extern "efiapi" fn driver_entry(
    driver_object: *mut DRIVER_OBJECT,
    registry_path: *mut UNICODE_STRING,
) -> NTSTATUS {
    let mut handle = ptr::null_mut();
    let characteristics = characteristics();
    // SAFETY: what DriverEntry was given, and locals.
    let status = unsafe {
        NdisMRegisterMiniportDriver(
            driver_object,
            registry_path,
            ptr::null_mut(),
            &raw const characteristics,
            &raw mut handle,
        )
    };
    DRIVER.store(handle, Ordering::Relaxed);
    status
}

unsafe extern "efiapi" fn unload(_: *mut DRIVER_OBJECT) {
    if is(Fault::UseHaltedAdapter) {
        // SAFETY: it is no adapter any more, which the host has to find.
        unsafe { NdisWriteErrorLogEntry(HALTED.load(Ordering::Relaxed), 0, 0) };
    }
    // SAFETY: the handle of the registration.
    unsafe { NdisMDeregisterMiniportDriver(DRIVER.load(Ordering::Relaxed)) };
}

unsafe extern "efiapi" fn initialize(
    handle: NDIS_HANDLE,
    _: NDIS_HANDLE,
    parameters: *mut NDIS_MINIPORT_INIT_PARAMETERS,
) -> NDIS_STATUS {
    if is(Fault::NoAttributes) {
        return NDIS_STATUS_SUCCESS;
    }
    // SAFETY: NDIS gives them.
    let parameters = unsafe { &*parameters };
    assert_eq!(parameters.NetLuid >> 48, 53, "the type in the LUID");
    let pool = NET_BUFFER_LIST_POOL_PARAMETERS {
        Header: header(
            NDIS_OBJECT_TYPE_DEFAULT,
            NET_BUFFER_LIST_POOL_PARAMETERS_REVISION_1,
            NDIS_SIZEOF_NET_BUFFER_LIST_POOL_PARAMETERS_REVISION_1,
        ),
        ProtocolId: NDIS_PROTOCOL_ID_DEFAULT,
        fAllocateNetBuffer: TRUE,
        ContextSize: 32,
        PoolTag: TAG,
        DataSize: DATA_BYTES,
        Flags: 0,
    };
    // SAFETY: a live local.
    let pool = unsafe { NdisAllocateNetBufferListPool(handle, &raw const pool) };
    if pool.is_null() {
        return NDIS_STATUS_RESOURCES;
    }
    let context: Shared = Box::leak(Box::new(Context {
        handle: handle.expose_provenance(),
        pool: pool.expose_provenance(),
        running: AtomicBool::new(false),
        pausing: AtomicBool::new(false),
        indicated: AtomicUsize::new(0),
        sent: AtomicU64::new(0),
        received: AtomicU64::new(0),
        kept: AtomicPtr::new(ptr::null_mut()),
        device: AtomicPtr::new(ptr::null_mut()),
    }));
    let status = set_attributes(handle, context);
    if status != NDIS_STATUS_SUCCESS {
        // SAFETY: nothing was allocated from it.
        unsafe { NdisFreeNetBufferListPool(pool) };
        return status;
    }
    read_keyword(handle);
    adapters().push(context);
    NDIS_STATUS_SUCCESS
}

fn set_attributes(handle: NDIS_HANDLE, context: Shared) -> NDIS_STATUS {
    let registration = NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES {
        Header: header(
            NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES,
            NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES_REVISION_2,
            NDIS_SIZEOF_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES_REVISION_2,
        ),
        MiniportAdapterContext: ptr::from_ref(context).cast_mut().cast(),
        AttributeFlags: NDIS_MINIPORT_ATTRIBUTES_NO_HALT_ON_SUSPEND
            | NDIS_MINIPORT_ATTRIBUTES_SURPRISE_REMOVE_OK,
        CheckForHangTimeInSeconds: 0,
        InterfaceType: NdisInterfaceInternal,
    };
    // SAFETY: a live local.
    let status = unsafe { NdisMSetMiniportAttributes(handle, (&raw const registration).cast()) };
    if status != NDIS_STATUS_SUCCESS {
        return status;
    }
    let mut oids =
        [OID_GEN_STATISTICS, OID_GEN_XMIT_OK, OID_GEN_RCV_OK, OID_GEN_VENDOR_ID, OID_PNP_SET_POWER];
    let speed = 10_000_000_000;
    let general = NDIS_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES {
        Header: header(
            NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES,
            NDIS_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES_REVISION_2,
            NDIS_SIZEOF_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES_REVISION_2,
        ),
        Flags: 0,
        MediaType: NdisMediumIP,
        PhysicalMediumType: NdisPhysicalMediumUnspecified,
        MtuSize: DATA_BYTES,
        MaxXmitLinkSpeed: speed,
        XmitLinkSpeed: speed,
        MaxRcvLinkSpeed: speed,
        RcvLinkSpeed: speed,
        MediaConnectState: MediaConnectStateConnected,
        MediaDuplexState: MediaDuplexStateFull,
        LookaheadSize: DATA_BYTES,
        PowerManagementCapabilities: ptr::null_mut(),
        MacOptions: NDIS_MAC_OPTION_NO_LOOPBACK,
        SupportedPacketFilters: NDIS_PACKET_TYPE_DIRECTED | NDIS_PACKET_TYPE_BROADCAST,
        MaxMulticastListSize: 0,
        MacAddressLength: 0,
        PermanentMacAddress: [0; 32],
        CurrentMacAddress: [0; 32],
        RecvScaleCapabilities: ptr::null_mut(),
        AccessType: NET_IF_ACCESS_BROADCAST,
        DirectionType: NET_IF_DIRECTION_SENDRECEIVE,
        ConnectionType: NET_IF_CONNECTION_DEDICATED,
        IfType: IF_TYPE_PROP_VIRTUAL,
        IfConnectorPresent: FALSE,
        SupportedStatistics: NDIS_STATISTICS_GEN_STATISTICS_SUPPORTED,
        SupportedPauseFunctions: NdisPauseFunctionsUnsupported,
        DataBackFillSize: 48,
        ContextBackFillSize: 16,
        SupportedOidList: oids.as_mut_ptr(),
        SupportedOidListLength: size_of_val(&oids) as ULONG,
        AutoNegotiationFlags: 0,
        PowerManagementCapabilitiesEx: ptr::null_mut(),
    };
    // SAFETY: a live local.
    unsafe { NdisMSetMiniportAttributes(handle, (&raw const general).cast()) }
}

fn read_keyword(handle: NDIS_HANDLE) {
    let object = NDIS_CONFIGURATION_OBJECT {
        Header: header(
            NDIS_OBJECT_TYPE_CONFIGURATION_OBJECT,
            NDIS_CONFIGURATION_OBJECT_REVISION_1,
            NDIS_SIZEOF_CONFIGURATION_OBJECT_REVISION_1,
        ),
        NdisHandle: handle,
        Flags: 0,
    };
    let mut configuration = ptr::null_mut();
    // SAFETY: live locals.
    if unsafe { NdisOpenConfigurationEx(&raw const object, &raw mut configuration) }
        != NDIS_STATUS_SUCCESS
    {
        return;
    }
    let mut name = Utf16::new("*ANSWER");
    let keyword = name.string();
    let (mut status, mut value) = (NDIS_STATUS_FAILURE, ptr::null_mut());
    // SAFETY: live locals.
    unsafe {
        NdisReadConfiguration(
            &raw mut status,
            &raw mut value,
            configuration,
            &raw const keyword,
            NdisParameterInteger,
        );
    };
    if status == NDIS_STATUS_SUCCESS {
        // SAFETY: valid until the configuration is closed.
        let data = unsafe { (*value).ParameterData };
        // SAFETY: the test gives an integer.
        KEYWORD.store(unsafe { data.IntegerData }, Ordering::Relaxed);
    }
    let closes = match () {
        () if is(Fault::LeakConfiguration) => 0,
        () if is(Fault::CloseConfigurationTwice) => 2,
        () => 1,
    };
    for _ in 0..closes {
        // SAFETY: opened above.
        unsafe { NdisCloseConfiguration(configuration) };
    }
}

unsafe extern "efiapi" fn halt(adapter: NDIS_HANDLE, _: NDIS_HALT_ACTION) {
    let context = context(adapter);
    adapters().retain(|known| !ptr::eq(*known, context));
    if is(Fault::FreePoolInUse) {
        // SAFETY: the pool is live.
        unsafe { NdisAllocateNetBufferList(context.pool(), 0, 0) };
    }
    if !is(Fault::LeakPool) {
        // SAFETY: all lists were returned before the pause was complete.
        unsafe { NdisFreeNetBufferListPool(context.pool()) };
    }
    if is(Fault::UseFreedPool) {
        // SAFETY: it is no pool any more, which the host has to find.
        unsafe { NdisAllocateNetBufferList(context.pool(), 0, 0) };
    }
    HALTED.store(context.handle(), Ordering::Relaxed);
    let device = context.device.load(Ordering::Relaxed);
    if !device.is_null() && !is(Fault::HaltWithDevice) {
        // SAFETY: registered by `register_device`.
        unsafe { NdisDeregisterDeviceEx(device) };
    }
}

unsafe extern "efiapi" fn restart(
    adapter: NDIS_HANDLE,
    _: *mut NDIS_MINIPORT_RESTART_PARAMETERS,
) -> NDIS_STATUS {
    let context = context(adapter);
    context.running.store(true, Ordering::SeqCst);
    if is(Fault::HaltWithDevice) && context.device.load(Ordering::Relaxed).is_null() {
        device::register_device(0);
    }
    if PEND_RESTART.load(Ordering::Relaxed) {
        std::thread::spawn(move || {
            // SAFETY: the restart pends.
            unsafe { NdisMRestartComplete(context.handle(), NDIS_STATUS_SUCCESS) };
        });
        return NDIS_STATUS_PENDING;
    }
    NDIS_STATUS_SUCCESS
}

unsafe extern "efiapi" fn pause(
    adapter: NDIS_HANDLE,
    _: *mut NDIS_MINIPORT_PAUSE_PARAMETERS,
) -> NDIS_STATUS {
    let context = context(adapter);
    if is(Fault::PauseNever) {
        return NDIS_STATUS_FAILURE;
    }
    context.pausing.store(true, Ordering::SeqCst);
    context.running.store(false, Ordering::SeqCst);
    let is_drained = context.indicated.load(Ordering::SeqCst) == 0;
    if is_drained && context.pausing.swap(false, Ordering::SeqCst) {
        return NDIS_STATUS_SUCCESS;
    }
    NDIS_STATUS_PENDING
}

unsafe extern "efiapi" fn pnp_event(_: NDIS_HANDLE, event: *mut NET_DEVICE_PNP_EVENT) {
    // SAFETY: NDIS gives it.
    let event = unsafe { (*event).DevicePnPEvent };
    PNP_EVENTS.lock().unwrap_or_else(PoisonError::into_inner).push(event);
}

unsafe extern "efiapi" fn cancel(_: NDIS_HANDLE, _: PVOID) {}

unsafe extern "efiapi" fn shutdown(_: NDIS_HANDLE, _: NDIS_SHUTDOWN_ACTION) {}

/// Indicates that the link of the adapter of `index` is up or down.
pub(crate) fn indicate_link(index: usize, up: bool) {
    let context = adapters()[index];
    let mut link = NDIS_LINK_STATE {
        Header: header(
            NDIS_OBJECT_TYPE_DEFAULT,
            NDIS_LINK_STATE_REVISION_1,
            NDIS_SIZEOF_LINK_STATE_REVISION_1,
        ),
        MediaConnectState: if up {
            MediaConnectStateConnected
        } else {
            MediaConnectStateDisconnected
        },
        MediaDuplexState: MediaDuplexStateFull,
        XmitLinkSpeed: 1,
        RcvLinkSpeed: 1,
        PauseFunctions: NdisPauseFunctionsUnsupported,
        AutoNegotiationFlags: 0,
    };
    let indication = NDIS_STATUS_INDICATION {
        Header: header(
            NDIS_OBJECT_TYPE_STATUS_INDICATION,
            NDIS_STATUS_INDICATION_REVISION_1,
            NDIS_SIZEOF_STATUS_INDICATION_REVISION_1,
        ),
        SourceHandle: context.handle(),
        PortNumber: 0,
        StatusCode: NDIS_STATUS_LINK_STATE,
        Flags: 0,
        DestinationHandle: ptr::null_mut(),
        RequestId: ptr::null_mut(),
        StatusBuffer: (&raw mut link).cast(),
        StatusBufferSize: size_of::<NDIS_LINK_STATE>() as ULONG,
        Guid: nt_sys::ntdef::GUID { Data1: 0, Data2: 0, Data3: 0, Data4: [0; 8] },
        NdisReserved: [ptr::null_mut(); 4],
    };
    // SAFETY: live locals.
    unsafe { NdisMIndicateStatusEx(context.handle(), &raw const indication) };
}
