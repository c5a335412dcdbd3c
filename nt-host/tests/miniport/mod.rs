//! A loopback miniport, written directly on nt-sys: what one of its adapters sends, the next one receives.
//!
//! With a [`Fault`] it breaks a rule.

#![allow(dead_code, reason = "two tests use this, each a part of it")]

use std::ffi::c_void;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use nt_sys::io::DRIVER_OBJECT;
use nt_sys::ndis::*;
use nt_sys::ntdef::{FALSE, NTSTATUS, PVOID, TRUE, ULONG, UNICODE_STRING};

/// A way to break a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Fault {
    None,
    CompleteTwice,
    TouchAfterCompletion,
    ReadAfterCompletion,
    WriteDataAfterCompletion,
    LeakPool,
    FreePoolInUse,
    PauseWithSends,
    PauseNever,
    IndicateWhilePaused,
    DispatchFlagAtPassive,
    IndicateTwice,
    FreeIndicated,
    FreeTwice,
    CompleteOwnList,
    IndicateSentList,
    WrongCount,
    ChangeSentList,
    NoAttributes,
    CompleteOidTwice,
    HaltWithDevice,
}

pub(crate) const ALL: [Fault; 20] = [
    Fault::CompleteTwice,
    Fault::TouchAfterCompletion,
    Fault::ReadAfterCompletion,
    Fault::WriteDataAfterCompletion,
    Fault::LeakPool,
    Fault::FreePoolInUse,
    Fault::PauseWithSends,
    Fault::PauseNever,
    Fault::IndicateWhilePaused,
    Fault::DispatchFlagAtPassive,
    Fault::IndicateTwice,
    Fault::FreeIndicated,
    Fault::FreeTwice,
    Fault::CompleteOwnList,
    Fault::IndicateSentList,
    Fault::WrongCount,
    Fault::ChangeSentList,
    Fault::NoAttributes,
    Fault::CompleteOidTwice,
    Fault::HaltWithDevice,
];

static FAULT: AtomicU32 = AtomicU32::new(0);
static DRIVER: AtomicPtr<c_void> = AtomicPtr::new(ptr::null_mut());
static ADAPTERS: Mutex<Vec<Shared>> = Mutex::new(Vec::new());

/// What MiniportCancelSend and the like were called with.
pub(crate) static PNP_EVENTS: Mutex<Vec<NDIS_DEVICE_PNP_EVENT>> = Mutex::new(Vec::new());
/// Whether completions and indications say DISPATCH_LEVEL when they run there.
pub(crate) static SEND_FLAGS_SEEN: AtomicU32 = AtomicU32::new(0);
/// Whether a restart pends.
pub(crate) static PEND_RESTART: AtomicBool = AtomicBool::new(false);
/// The keyword `*Answer` that was read.
pub(crate) static KEYWORD: AtomicU32 = AtomicU32::new(0);
pub(crate) static DEVICE_STATE: AtomicU32 = AtomicU32::new(0);

pub(crate) const DEVICE: &str = r"\\.\Loopback";
pub(crate) const DATA_BYTES: u32 = 2048;
const TAG: u32 = u32::from_le_bytes(*b"Loop");

pub(crate) fn set_fault(fault: Fault) {
    FAULT.store(fault as u32, Ordering::Relaxed);
}

fn is(fault: Fault) -> bool {
    FAULT.load(Ordering::Relaxed) == fault as u32
}

type Shared = &'static Context;

/// One adapter; leaked, because a test's adapters are few.
struct Context {
    handle: usize,
    pool: usize,
    running: AtomicBool,
    pausing: AtomicBool,
    /// Indicated lists, and calls that are about to indicate.
    indicated: AtomicUsize,
    sent: AtomicU64,
    received: AtomicU64,
    /// A sent list that is kept.
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

pub(crate) unsafe extern "system" fn driver_entry(
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

unsafe extern "system" fn unload(_: *mut DRIVER_OBJECT) {
    // SAFETY: the handle of the registration.
    unsafe { NdisMDeregisterMiniportDriver(DRIVER.load(Ordering::Relaxed)) };
}

unsafe extern "system" fn initialize(
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
    // SAFETY: opened above.
    unsafe { NdisCloseConfiguration(configuration) };
}

unsafe extern "system" fn halt(adapter: NDIS_HANDLE, _: NDIS_HALT_ACTION) {
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
    let device = context.device.load(Ordering::Relaxed);
    if !device.is_null() && !is(Fault::HaltWithDevice) {
        // SAFETY: registered by `register_device`.
        unsafe { NdisDeregisterDeviceEx(device) };
    }
}

unsafe extern "system" fn restart(
    adapter: NDIS_HANDLE,
    _: *mut NDIS_MINIPORT_RESTART_PARAMETERS,
) -> NDIS_STATUS {
    let context = context(adapter);
    context.running.store(true, Ordering::SeqCst);
    if is(Fault::HaltWithDevice) && context.device.load(Ordering::Relaxed).is_null() {
        register_device(0);
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

unsafe extern "system" fn pause(
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

/// `lists` fewer are indicated; completes a pause that waits for the last.
fn returned(context: Shared, lists: usize) {
    if context.indicated.fetch_sub(lists, Ordering::SeqCst) == lists
        && !context.running.load(Ordering::SeqCst)
        && context.pausing.swap(false, Ordering::SeqCst)
    {
        // SAFETY: the pause pends.
        unsafe { NdisMPauseComplete(context.handle()) };
    }
}

unsafe extern "system" fn return_lists(
    adapter: NDIS_HANDLE,
    lists: *mut NET_BUFFER_LIST,
    _: ULONG,
) {
    let context = context(adapter);
    let (mut next, mut count) = (lists, 0);
    while !next.is_null() {
        let list = next;
        // SAFETY: back with the driver.
        next = unsafe { (*list).Next };
        // SAFETY: back with the driver.
        unsafe { NdisFreeNetBufferList(list) };
        if is(Fault::FreeTwice) {
            // SAFETY: it is not: that is the fault.
            unsafe { NdisFreeNetBufferList(list) };
        }
        count += 1;
    }
    returned(context, count);
}

unsafe extern "system" fn send(
    adapter: NDIS_HANDLE,
    lists: *mut NET_BUFFER_LIST,
    _: NDIS_PORT_NUMBER,
    flags: ULONG,
) {
    let context = context(adapter);
    SEND_FLAGS_SEEN.fetch_or(1 << (flags & NDIS_SEND_FLAGS_DISPATCH_LEVEL), Ordering::Relaxed);
    let target = {
        let adapters = adapters();
        let own = adapters
            .iter()
            .position(|known| ptr::eq(*known, context))
            .expect("an adapter of this driver");
        adapters[(own + 1) % adapters.len()]
    };
    if is(Fault::PauseWithSends) || is(Fault::CompleteOwnList) || is(Fault::IndicateSentList) {
        context.kept.store(lists, Ordering::Relaxed);
    }
    if is(Fault::PauseWithSends) {
        return;
    }
    deliver(target, lists, flags);
    if is(Fault::ChangeSentList) {
        // SAFETY: a sent list.
        unsafe { (*lists).FirstNetBuffer = ptr::null_mut() };
    }
    let mut next = lists;
    while !next.is_null() {
        // SAFETY: a sent list.
        let list = unsafe { &mut *next };
        list.Status = NDIS_STATUS_SUCCESS;
        context.sent.fetch_add(1, Ordering::Relaxed);
        next = list.Next;
    }
    if is(Fault::CompleteOwnList) {
        // SAFETY: the pool is live.
        let own = unsafe { NdisAllocateNetBufferList(context.pool(), 0, 0) };
        // SAFETY: not a sent one: that is the fault.
        unsafe { NdisMSendNetBufferListsComplete(context.handle(), own, 0) };
    }
    if is(Fault::IndicateSentList) {
        // SAFETY: not the driver's: that is the fault.
        unsafe { (*lists).SourceHandle = context.handle() };
        // SAFETY: as above.
        unsafe { NdisMIndicateReceiveNetBufferLists(context.handle(), lists, 0, 1, 0) };
    }
    let flag = if flags & NDIS_SEND_FLAGS_DISPATCH_LEVEL != 0 || is(Fault::DispatchFlagAtPassive) {
        NDIS_SEND_COMPLETE_FLAGS_DISPATCH_LEVEL
    } else {
        0
    };
    // SAFETY: a sent list with its NET_BUFFER.
    let net_buffer = unsafe { (*lists).FirstNetBuffer };
    let data = if is(Fault::ChangeSentList) { ptr::null_mut() } else { data_of(net_buffer) };
    // SAFETY: what was sent.
    unsafe { NdisMSendNetBufferListsComplete(context.handle(), lists, flag) };
    if is(Fault::CompleteTwice) {
        // SAFETY: it is not the driver's any more: that is the fault.
        unsafe { NdisMSendNetBufferListsComplete(context.handle(), lists, flag) };
    }
    if is(Fault::TouchAfterCompletion) {
        // SAFETY: as above.
        unsafe { (*lists).Scratch = ptr::null_mut() };
    }
    if is(Fault::ReadAfterCompletion) {
        // SAFETY: as above.
        let status = unsafe { &raw const (*lists).Status };
        // SAFETY: as above.
        let status = unsafe { ptr::read_volatile(status) };
        assert_eq!(status, 0);
    }
    if is(Fault::WriteDataAfterCompletion) {
        // SAFETY: as above.
        unsafe { data.write(0) };
    }
}

fn data_of(net_buffer: *mut NET_BUFFER) -> *mut u8 {
    // SAFETY: a NET_BUFFER that the driver has.
    let net_buffer = unsafe { &*net_buffer };
    // SAFETY: its current MDL.
    let mdl = unsafe { &*net_buffer.CurrentMdl };
    mdl.MappedSystemVa.cast::<u8>().wrapping_add(net_buffer.CurrentMdlOffset as usize)
}

/// Copies a chain and indicates the copies.
fn deliver(target: Shared, lists: *mut NET_BUFFER_LIST, flags: ULONG) {
    // One for this call, so that a pause waits for it.
    target.indicated.fetch_add(1, Ordering::SeqCst);
    if !target.running.load(Ordering::SeqCst) && !is(Fault::IndicateWhilePaused) {
        returned(target, 1);
        return;
    }
    let (mut first, mut last, mut count) =
        (ptr::null_mut::<NET_BUFFER_LIST>(), ptr::null_mut::<NET_BUFFER_LIST>(), 0_usize);
    let mut next = lists;
    while !next.is_null() {
        // SAFETY: a sent list.
        let list = unsafe { &*next };
        next = list.Next;
        let Some(copy) = copy(target, list.FirstNetBuffer) else { continue };
        if first.is_null() {
            first = copy;
        } else {
            // SAFETY: the last copy.
            unsafe { (*last).Next = copy };
        }
        last = copy;
        count += 1;
    }
    if count > 0 {
        target.indicated.fetch_add(count, Ordering::SeqCst);
        target.received.fetch_add(count as u64, Ordering::Relaxed);
        let flag = if flags & NDIS_SEND_FLAGS_DISPATCH_LEVEL != 0 {
            NDIS_RECEIVE_FLAGS_DISPATCH_LEVEL
        } else {
            0
        };
        let said = if is(Fault::WrongCount) { count + 1 } else { count } as ULONG;
        // SAFETY: a chain of the driver's.
        unsafe { NdisMIndicateReceiveNetBufferLists(target.handle(), first, 0, said, flag) };
        if is(Fault::IndicateTwice) {
            // SAFETY: the stack holds it: that is the fault.
            unsafe { NdisMIndicateReceiveNetBufferLists(target.handle(), first, 0, said, flag) };
        }
        if is(Fault::FreeIndicated) {
            // SAFETY: as above.
            unsafe { NdisFreeNetBufferList(first) };
        }
    }
    returned(target, 1);
}

/// A list of the driver with a copy of a packet.
fn copy(target: Shared, packet: *mut NET_BUFFER) -> Option<*mut NET_BUFFER_LIST> {
    // SAFETY: the pool is live.
    let list = unsafe { NdisAllocateNetBufferList(target.pool(), 0, 0) };
    // SAFETY: null, or a new list.
    let fields = unsafe { list.as_mut() }?;
    fields.SourceHandle = target.handle();
    // SAFETY: allocated with the list.
    let net_buffer = unsafe { &mut *fields.FirstNetBuffer };
    // SAFETY: a sent packet.
    let bytes = unsafe { (*packet).DataLength };
    assert!(bytes <= DATA_BYTES);
    let to = data_of(net_buffer);
    // SAFETY: the storage has as many bytes as the packet.
    let from = unsafe { NdisGetDataBuffer(packet, bytes, to.cast(), 1, 0) };
    assert!(!from.is_null());
    if from != to.cast() {
        // SAFETY: both have that many bytes.
        unsafe { ptr::copy_nonoverlapping(from.cast::<u8>(), to, bytes as usize) };
    }
    net_buffer.DataLength = bytes;
    Some(list)
}

unsafe extern "system" fn oid_request(
    adapter: NDIS_HANDLE,
    request: *mut NDIS_OID_REQUEST,
) -> NDIS_STATUS {
    let context = context(adapter);
    // SAFETY: NDIS gives it.
    let request = unsafe { &mut *request };
    match request.RequestType {
        nt_sys::ndis::NdisRequestQueryInformation => {
            // SAFETY: the type says so.
            let query = unsafe { &mut request.DATA.QUERY_INFORMATION };
            match query.Oid {
                OID_GEN_STATISTICS => answer(query, &statistics(context)),
                OID_GEN_XMIT_OK => answer(query, &context.sent.load(Ordering::Relaxed)),
                OID_GEN_RCV_OK => answer(query, &context.received.load(Ordering::Relaxed)),
                OID_GEN_VENDOR_ID => {
                    let status = answer(query, &0x00ff_ffff_u32);
                    let request = ptr::from_mut(request);
                    if is(Fault::CompleteOidTwice) {
                        // SAFETY: the request is about to pend.
                        unsafe { NdisMOidRequestComplete(context.handle(), request, status) };
                        // SAFETY: it does not pend any more: that is the fault.
                        unsafe { NdisMOidRequestComplete(context.handle(), request, status) };
                    }
                    let request = request.expose_provenance();
                    std::thread::spawn(move || {
                        let request = ptr::with_exposed_provenance_mut(request);
                        // SAFETY: the request pends.
                        unsafe { NdisMOidRequestComplete(context.handle(), request, status) };
                    });
                    NDIS_STATUS_PENDING
                }
                _ => NDIS_STATUS_NOT_SUPPORTED,
            }
        }
        nt_sys::ndis::NdisRequestSetInformation => {
            // SAFETY: the type says so.
            let set = unsafe { &mut request.DATA.SET_INFORMATION };
            match set.Oid {
                OID_GEN_CURRENT_LOOKAHEAD | OID_GEN_CURRENT_PACKET_FILTER | OID_PNP_SET_POWER => {
                    if set.InformationBufferLength != 4 {
                        set.BytesNeeded = 4;
                        return NDIS_STATUS_INVALID_LENGTH;
                    }
                    if set.Oid == OID_PNP_SET_POWER {
                        // SAFETY: four bytes, aligned.
                        DEVICE_STATE.store(
                            unsafe { *set.InformationBuffer.cast::<u32>() },
                            Ordering::Relaxed,
                        );
                    }
                    set.BytesRead = 4;
                    NDIS_STATUS_SUCCESS
                }
                _ => NDIS_STATUS_NOT_SUPPORTED,
            }
        }
        _ => NDIS_STATUS_INVALID_OID,
    }
}

fn answer<T: Copy>(query: &mut NDIS_OID_REQUEST_QUERY, value: &T) -> NDIS_STATUS {
    let bytes = size_of::<T>() as u32;
    if query.InformationBufferLength < bytes {
        query.BytesNeeded = bytes;
        return NDIS_STATUS_BUFFER_TOO_SHORT;
    }
    // SAFETY: the length was checked, and the buffer is aligned.
    unsafe { query.InformationBuffer.cast::<T>().write(*value) };
    query.BytesWritten = bytes;
    NDIS_STATUS_SUCCESS
}

fn statistics(context: &Context) -> NDIS_STATISTICS_INFO {
    NDIS_STATISTICS_INFO {
        Header: header(
            NDIS_OBJECT_TYPE_DEFAULT,
            NDIS_STATISTICS_INFO_REVISION_1,
            NDIS_SIZEOF_STATISTICS_INFO_REVISION_1,
        ),
        SupportedStatistics: NDIS_STATISTICS_FLAGS_VALID_DIRECTED_FRAMES_XMIT
            | NDIS_STATISTICS_FLAGS_VALID_DIRECTED_FRAMES_RCV,
        ifHCOutUcastPkts: context.sent.load(Ordering::Relaxed),
        ifHCInUcastPkts: context.received.load(Ordering::Relaxed),
        ..NDIS_STATISTICS_INFO::default()
    }
}

unsafe extern "system" fn pnp_event(_: NDIS_HANDLE, event: *mut NET_DEVICE_PNP_EVENT) {
    // SAFETY: NDIS gives it.
    let event = unsafe { (*event).DevicePnPEvent };
    PNP_EVENTS.lock().unwrap_or_else(PoisonError::into_inner).push(event);
}

unsafe extern "system" fn cancel(_: NDIS_HANDLE, _: PVOID) {}

unsafe extern "system" fn shutdown(_: NDIS_HANDLE, _: NDIS_SHUTDOWN_ACTION) {}

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

/// Indicates a list in whatever state the adapter of `index` is.
pub(crate) fn indicate_one(index: usize) {
    let target = adapters()[index];
    // SAFETY: the pool is live.
    let list = unsafe { NdisAllocateNetBufferList(target.pool(), 0, 0) };
    // SAFETY: a new list.
    unsafe { (*list).SourceHandle = target.handle() };
    // SAFETY: as above.
    unsafe { NdisMIndicateReceiveNetBufferLists(target.handle(), list, 0, 1, 0) };
}

/// Registers a control device for the adapter of `index`.
pub(crate) fn register_device(index: usize) {
    let context = adapters()[index];
    let mut name = Utf16::new(r"\Device\Loopback");
    let mut link = Utf16::new(r"\DosDevices\Loopback");
    let mut sddl = Utf16::new("D:P(A;;GA;;;SY)(A;;GA;;;BA)");
    let (mut name, mut link, sddl) = (name.string(), link.string(), sddl.string());
    let mut functions = [None; nt_sys::io::IRP_MJ_COUNT];
    for major in [nt_sys::io::IRP_MJ_CREATE, nt_sys::io::IRP_MJ_CLEANUP, nt_sys::io::IRP_MJ_CLOSE] {
        functions[usize::from(major)] = Some(succeed as nt_sys::io::DRIVER_DISPATCH);
    }
    let attributes = NDIS_DEVICE_OBJECT_ATTRIBUTES {
        Header: header(
            NDIS_OBJECT_TYPE_DEVICE_OBJECT_ATTRIBUTES,
            NDIS_DEVICE_OBJECT_ATTRIBUTES_REVISION_1,
            NDIS_SIZEOF_DEVICE_OBJECT_ATTRIBUTES_REVISION_1,
        ),
        DeviceName: &raw mut name,
        SymbolicName: &raw mut link,
        MajorFunctions: functions.as_mut_ptr(),
        ExtensionSize: 16,
        DefaultSDDLString: &raw const sddl,
        DeviceClassGuid: ptr::null(),
    };
    let (mut device, mut handle) = (ptr::null_mut(), ptr::null_mut());
    // SAFETY: live locals.
    let status = unsafe {
        NdisRegisterDeviceEx(
            DRIVER.load(Ordering::Relaxed),
            &raw const attributes,
            &raw mut device,
            &raw mut handle,
        )
    };
    assert_eq!(status, NDIS_STATUS_SUCCESS);
    // SAFETY: the new device.
    assert!(!unsafe { NdisGetDeviceReservedExtension(device) }.is_null());
    context.device.store(handle, Ordering::Relaxed);
}

unsafe extern "system" fn succeed(
    _: *mut nt_sys::io::DEVICE_OBJECT,
    irp: *mut nt_sys::io::IRP,
) -> NTSTATUS {
    // SAFETY: a dispatch routine owns its IRP.
    unsafe { (*irp).IoStatus.Status = 0 };
    // SAFETY: as above.
    unsafe { nt_sys::io::IofCompleteRequest(irp, 0) };
    0
}
