//! Miniport adapters and their life: initialize, restart, pause, halt.

use std::ffi::c_void;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use nt_sys::ndis::{
    IF_TYPE_PROP_VIRTUAL, NDIS_DEFAULT_PORT_NUMBER, NDIS_DEVICE_PNP_EVENT, NDIS_HALT_ACTION,
    NDIS_HANDLE, NDIS_LINK_STATE, NDIS_MINIPORT_ATTRIBUTES_NO_HALT_ON_SUSPEND,
    NDIS_MINIPORT_ATTRIBUTES_NO_PAUSE_ON_SUSPEND, NDIS_MINIPORT_INIT_PARAMETERS,
    NDIS_MINIPORT_INIT_PARAMETERS_REVISION_1, NDIS_MINIPORT_PAUSE_PARAMETERS,
    NDIS_MINIPORT_PAUSE_PARAMETERS_REVISION_1, NDIS_MINIPORT_RESTART_PARAMETERS,
    NDIS_MINIPORT_RESTART_PARAMETERS_REVISION_1, NDIS_OBJECT_HEADER, NDIS_OBJECT_TYPE_DEFAULT,
    NDIS_OBJECT_TYPE_MINIPORT_INIT_PARAMETERS, NDIS_PACKET_TYPE_ALL_MULTICAST,
    NDIS_PACKET_TYPE_BROADCAST, NDIS_PACKET_TYPE_DIRECTED, NDIS_PAUSE_LOW_POWER,
    NDIS_PAUSE_MINIPORT_DEVICE_REMOVE, NDIS_PAUSE_NDIS_INTERNAL,
    NDIS_SIZEOF_MINIPORT_PAUSE_PARAMETERS_REVISION_1,
    NDIS_SIZEOF_MINIPORT_RESTART_PARAMETERS_REVISION_1,
    NDIS_SIZEOF_NET_DEVICE_PNP_EVENT_REVISION_1, NDIS_STATISTICS_INFO, NDIS_STATUS,
    NDIS_STATUS_FAILURE, NDIS_STATUS_INVALID_STATE, NDIS_STATUS_NOT_SUPPORTED, NDIS_STATUS_PENDING,
    NDIS_STATUS_SUCCESS, NET_DEVICE_PNP_EVENT, NET_DEVICE_PNP_EVENT_REVISION_1, NET_LUID_VALUE,
    NdisDevicePnPEventPowerProfileChanged, NdisDevicePnPEventQueryRemoved,
    NdisDevicePnPEventRemoved, NdisDevicePnPEventSurpriseRemoved, NdisDeviceStateD0,
    NdisDeviceStateD3, NdisHaltDeviceDisabled, NdisHaltDeviceInitializationFailed,
    NdisHaltDeviceSurpriseRemoved, OID_GEN_CURRENT_LOOKAHEAD, OID_GEN_CURRENT_PACKET_FILTER,
    OID_GEN_STATISTICS, OID_PNP_SET_POWER,
};
use nt_sys::ntdef::{DISPATCH_LEVEL, PASSIVE_LEVEL, ULONG};

use super::attributes::Attributes;
use super::configuration::ConfigValue;
use super::driver::MiniportDriver;
use super::interface::InterfaceMtu;
use super::offload::Offloads;
use super::oid::{OidFailure, OidRequest, OidSlot};
use super::options::{AdapterOptions, Tuning};
use super::port::AdapterPort;
use super::send::{CompletionLog, Sends};
use super::state::{State, StateMachine};
use crate::edge::Edge;
use crate::given;
use crate::irql;
use crate::stack;
use crate::violation::{Rule, stop};

/// How long a pause or restart may be pending.
const TRANSITION_TIMEOUT: Duration = Duration::from_secs(30);

/// A miniport adapter. Removed (with a halt) when dropped.
pub struct Adapter {
    inner: Arc<AdapterInner>,
}

/// What a miniport adapter handle points at.
pub(super) struct AdapterInner {
    magic: u64,
    pub(super) driver: MiniportDriver,
    pub(super) name: String,
    pub(super) guid: [u8; 16],
    pub(super) luid: u64,
    pub(super) if_index: u32,
    pub(super) configuration: Vec<(String, ConfigValue)>,
    pub(super) edge: Box<dyn Edge>,
    pub(super) tuning: Tuning,
    pub(super) mtu: InterfaceMtu,
    context: AtomicPtr<c_void>,
    pub(super) states: StateMachine,
    pub(super) attributes: Mutex<Attributes>,
    pub(super) link: Mutex<NDIS_LINK_STATE>,
    pub(super) link_is_up: AtomicU32,
    pub(super) sends: Sends,
    /// Indicated and not yet returned.
    pub(super) indicated: AtomicUsize,
    /// Packets received by the stack.
    pub(super) received_packets: AtomicU64,
    pub(super) oids: OidSlot,
    pub(super) offloads: Offloads,
    /// Held by whoever changes the adapter's state: NDIS does one such operation at a time.
    operation: Mutex<()>,
}

const MAGIC: u64 = 0x4e44_4953_4144_4150;

static ADAPTERS: Mutex<Vec<Arc<AdapterInner>>> = Mutex::new(Vec::new());

impl Adapter {
    /// Makes an adapter of `driver` and starts it: MiniportInitializeEx, the edge's attach, MiniportRestart, and the OIDs
    /// that a binding protocol sets.
    ///
    /// # Errors
    /// The status with which the driver failed one of these; the adapter is then halted.
    pub fn add(driver: MiniportDriver, options: AdapterOptions) -> Result<Self, NDIS_STATUS> {
        Self::add_tuned(driver, options, Tuning::default())
    }

    /// As [`Adapter::add`], with other than the usual ways of using it.
    ///
    /// # Errors
    /// As [`Adapter::add`].
    pub fn add_tuned(
        driver: MiniportDriver,
        options: AdapterOptions,
        tuning: Tuning,
    ) -> Result<Self, NDIS_STATUS> {
        let AdapterOptions { name, guid, if_index, net_luid_index, mtu, configuration, edge } =
            options;
        let inner = Arc::new(AdapterInner {
            magic: MAGIC,
            driver,
            name,
            guid,
            luid: NET_LUID_VALUE(net_luid_index, IF_TYPE_PROP_VIRTUAL),
            if_index,
            configuration,
            edge,
            sends: Sends::new(&tuning),
            tuning,
            mtu: InterfaceMtu::new(mtu),
            context: AtomicPtr::new(ptr::null_mut()),
            states: StateMachine::new(),
            attributes: Mutex::new(Attributes::default()),
            link: Mutex::new(NDIS_LINK_STATE::default()),
            link_is_up: AtomicU32::new(0),
            indicated: AtomicUsize::new(0),
            received_packets: AtomicU64::new(0),
            oids: OidSlot::new(),
            offloads: Offloads::default(),
            operation: Mutex::new(()),
        });
        given::keep(Arc::clone(&inner));
        {
            let _operation = inner.operation();
            inner.initialize()?;
        }
        adapters().push(Arc::clone(&inner));
        let adapter = Self { inner };
        if adapter.inner.edge.attach(adapter.port()).is_err() {
            adapter.inner.halt_after_failure();
            return Err(NDIS_STATUS_FAILURE);
        }
        adapter.restart().and_then(|()| adapter.inner.bind()).inspect_err(|_| {
            adapter.inner.halt_after_failure();
        })?;
        Ok(adapter)
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// Its GUID.
    #[must_use]
    pub fn guid(&self) -> [u8; 16] {
        self.inner.guid
    }

    /// The `NET_LUID` of its network interface.
    #[must_use]
    pub fn luid(&self) -> u64 {
        self.inner.luid
    }

    /// What its edge uses it with.
    #[must_use]
    pub fn port(&self) -> AdapterPort {
        AdapterPort::new(Arc::clone(&self.inner))
    }

    /// Its state.
    #[must_use]
    pub fn state(&self) -> State {
        self.inner.states.state()
    }

    /// Pauses it, as NDIS does before a binding changes.
    ///
    /// # Errors
    /// `NDIS_STATUS_INVALID_STATE` unless it is running.
    pub fn pause(&self) -> Result<(), NDIS_STATUS> {
        let _operation = self.inner.operation();
        self.inner.pause(NDIS_PAUSE_NDIS_INTERNAL)
    }

    /// Restarts it after a pause.
    ///
    /// # Errors
    /// `NDIS_STATUS_INVALID_STATE` unless it is paused; else what the driver answered.
    pub fn restart(&self) -> Result<(), NDIS_STATUS> {
        let _operation = self.inner.operation();
        self.inner.restart()
    }

    /// Removes it: asks or tells the driver, pauses and halts it, and detaches the edge.
    pub fn remove(self, surprise: bool) {
        self.inner.remove(surprise);
    }

    /// The machine goes to sleep: pause and `OID_PNP_SET_POWER` to D3.
    ///
    /// # Errors
    /// `NDIS_STATUS_NOT_SUPPORTED` for a miniport without `NO_HALT_ON_SUSPEND`; `NDIS_STATUS_INVALID_STATE` unless it is
    /// running; else what the driver answered.
    pub fn sleep(&self) -> Result<(), NDIS_STATUS> {
        let _operation = self.inner.operation();
        let flags = self.inner.attributes().flags;
        if flags & NDIS_MINIPORT_ATTRIBUTES_NO_HALT_ON_SUSPEND == 0 {
            return Err(NDIS_STATUS_NOT_SUPPORTED);
        }
        if flags & NDIS_MINIPORT_ATTRIBUTES_NO_PAUSE_ON_SUSPEND == 0 {
            self.inner.pause(NDIS_PAUSE_LOW_POWER)?;
        }
        self.inner.set_ulong(OID_PNP_SET_POWER, NdisDeviceStateD3)
    }

    /// The machine wakes: `OID_PNP_SET_POWER` to D0, and restart.
    ///
    /// # Errors
    /// What the driver answered.
    pub fn wake(&self) -> Result<(), NDIS_STATUS> {
        let _operation = self.inner.operation();
        self.inner.set_ulong(OID_PNP_SET_POWER, NdisDeviceStateD0)?;
        if self.state() == State::Paused {
            self.inner.restart()?;
        }
        self.inner.pnp_event(NdisDevicePnPEventPowerProfileChanged);
        Ok(())
    }

    /// Sends an OID request; answers with the bytes written or read.
    ///
    /// # Errors
    /// What NDIS or the driver answered.
    pub fn oid(&self, request: OidRequest<'_>) -> Result<usize, OidFailure> {
        self.inner.oid(request)
    }

    /// The link's state as last indicated.
    #[must_use]
    pub fn link_state(&self) -> NDIS_LINK_STATE {
        *self.inner.link.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `OID_GEN_STATISTICS`.
    ///
    /// # Errors
    /// What the driver answered.
    pub fn statistics(&self) -> Result<NDIS_STATISTICS_INFO, OidFailure> {
        let mut statistics = NDIS_STATISTICS_INFO::default();
        let bytes = size_of::<NDIS_STATISTICS_INFO>();
        let start = (&raw mut statistics).cast::<u8>();
        // SAFETY: the struct's own bytes; it is made of integers.
        let buffer = unsafe { std::slice::from_raw_parts_mut(start, bytes) };
        let written = self.oid(OidRequest::Query { oid: OID_GEN_STATISTICS, buffer })?;
        if written != bytes {
            stop(
                Rule::BAD_OID_ANSWER,
                "MiniportOidRequest",
                format_args!("OID_GEN_STATISTICS: {written} bytes of {bytes} were written"),
            );
        }
        Ok(statistics)
    }

    /// Sets the MTU of the stack above, in bytes.
    pub fn set_mtu(&self, mtu: u32) {
        self.inner.set_mtu(mtu);
    }

    /// The MTU of the stack above, in bytes.
    #[must_use]
    pub fn mtu(&self) -> u32 {
        self.inner.mtu.longest()
    }

    /// Packets that are with the miniport, and packets that it indicated and that are not returned.
    #[must_use]
    pub fn outstanding(&self) -> (usize, usize) {
        (self.inner.sends.outstanding(), self.inner.indicated.load(Ordering::Acquire))
    }

    /// Completions of sends since the last call, when [`Tuning::log_completions`] is on.
    #[must_use]
    pub fn completions(&self) -> &CompletionLog {
        &self.inner.sends.log
    }
}

impl Drop for Adapter {
    fn drop(&mut self) {
        if self.state() != State::Halted {
            self.inner.remove(false);
        }
    }
}

impl AdapterInner {
    /// The adapter behind a miniport adapter handle, which stays for the driver's call; stops when it is none.
    pub(super) fn of<'a>(function: &str, handle: NDIS_HANDLE) -> &'a Self {
        let adapter = handle.cast::<Self>();
        if !adapter.is_null() && adapter.is_aligned() {
            // SAFETY: adapters stay while a driver is loaded; another pointer of a driver faults or fails the next check.
            let adapter = unsafe { &*adapter };
            if adapter.magic == MAGIC {
                if adapter.states.state() == State::Halted {
                    stop(
                        Rule::WRONG_ADAPTER_STATE,
                        function,
                        format_args!("adapter {} is halted", adapter.name),
                    );
                }
                return adapter;
            }
        }
        stop(
            Rule::BAD_NDIS_HANDLE,
            function,
            format_args!("{handle:p} is no miniport adapter handle"),
        )
    }

    /// The miniport adapter handle.
    pub(super) fn handle(&self) -> NDIS_HANDLE {
        ptr::from_ref(self).cast_mut().cast()
    }

    /// MiniportAdapterContext.
    pub(super) fn context(&self) -> NDIS_HANDLE {
        self.context.load(Ordering::Acquire)
    }

    pub(super) fn set_context(&self, context: NDIS_HANDLE) {
        self.context.store(context, Ordering::Release);
    }

    pub(super) fn attributes(&self) -> MutexGuard<'_, Attributes> {
        self.attributes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set_mtu(&self, mtu: u32) {
        self.mtu.set_both(mtu);
        self.edge.mtu(mtu);
    }

    fn operation(&self) -> MutexGuard<'_, ()> {
        irql::require_exactly("NDIS", PASSIVE_LEVEL);
        self.operation.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn initialize(&self) -> Result<(), NDIS_STATUS> {
        let Some(handler) = self.driver.0.characteristics.InitializeHandlerEx else {
            return Err(NDIS_STATUS_FAILURE);
        };
        let mut parameters = NDIS_MINIPORT_INIT_PARAMETERS {
            Header: NDIS_OBJECT_HEADER {
                Type: NDIS_OBJECT_TYPE_MINIPORT_INIT_PARAMETERS,
                Revision: NDIS_MINIPORT_INIT_PARAMETERS_REVISION_1,
                Size: size_of::<NDIS_MINIPORT_INIT_PARAMETERS>() as u16,
            },
            Flags: 0,
            AllocatedResources: ptr::null_mut(),
            IMDeviceInstanceContext: ptr::null_mut(),
            MiniportAddDeviceContext: ptr::null_mut(),
            IfIndex: self.if_index,
            NetLuid: self.luid,
            DefaultPortAuthStates: ptr::null_mut(),
            PciDeviceCustomProperties: ptr::null_mut(),
        };
        let _ = self.states.go(State::Halted, State::Initializing);
        self.driver.0.adapters.fetch_add(1, Ordering::AcqRel);
        let handle = self.handle();
        let context = self.driver.context();
        // SAFETY: the driver's handler, called as documented (ndis.h, MINIPORT_INITIALIZE).
        let status =
            stack::enter_driver(|| unsafe { handler(handle, context, &raw mut parameters) });
        let _ = self.states.go(State::Initializing, State::Paused);
        if status != NDIS_STATUS_SUCCESS {
            self.halted();
            return Err(if status == NDIS_STATUS_PENDING { NDIS_STATUS_FAILURE } else { status });
        }
        let (is_registered, general) = {
            let attributes = self.attributes();
            (attributes.is_registered, attributes.general)
        };
        let Some(general) = general.filter(|_| is_registered) else {
            stop(
                Rule::ATTRIBUTES_MISSING,
                "MiniportInitializeEx",
                format_args!("it succeeded without registration and general attributes"),
            );
        };
        self.mtu.set_both(self.mtu.longest().min(general.mtu));
        Ok(())
    }

    fn restart(&self) -> Result<(), NDIS_STATUS> {
        let Some(handler) = self.driver.0.characteristics.RestartHandler else {
            return Err(NDIS_STATUS_FAILURE);
        };
        self.states.go(State::Paused, State::Restarting).map_err(|_| NDIS_STATUS_INVALID_STATE)?;
        let mut parameters = NDIS_MINIPORT_RESTART_PARAMETERS {
            Header: NDIS_OBJECT_HEADER {
                Type: NDIS_OBJECT_TYPE_DEFAULT,
                Revision: NDIS_MINIPORT_RESTART_PARAMETERS_REVISION_1,
                Size: NDIS_SIZEOF_MINIPORT_RESTART_PARAMETERS_REVISION_1,
            },
            RestartAttributes: ptr::null_mut(),
            Flags: 0,
        };
        let context = self.context();
        // SAFETY: the driver's handler, called as documented (ndis.h, MINIPORT_RESTART).
        let mut status = stack::enter_driver(|| unsafe { handler(context, &raw mut parameters) });
        if status == NDIS_STATUS_PENDING {
            status = self.states.wait("MiniportRestart", TRANSITION_TIMEOUT);
        }
        if status != NDIS_STATUS_SUCCESS {
            let _ = self.states.go(State::Restarting, State::Paused);
            return Err(status);
        }
        let _ = self.states.go(State::Restarting, State::Running);
        let link_is_up = self.link_is_up.load(Ordering::Acquire) != 0;
        self.edge.link(link_is_up);
        self.edge.room();
        Ok(())
    }

    fn pause(&self, reason: ULONG) -> Result<(), NDIS_STATUS> {
        let Some(handler) = self.driver.0.characteristics.PauseHandler else {
            return Err(NDIS_STATUS_FAILURE);
        };
        self.states.go(State::Running, State::Pausing).map_err(|_| NDIS_STATUS_INVALID_STATE)?;
        // The protocols above are paused first: their calls of MiniportSendNetBufferLists return.
        let since = Instant::now();
        while self.sends.in_progress() > 0 {
            if since.elapsed() > TRANSITION_TIMEOUT {
                stop(
                    Rule::NEVER_COMPLETED,
                    "MiniportSendNetBufferLists",
                    format_args!("does not return"),
                );
            }
            thread::yield_now();
        }
        let mut parameters = NDIS_MINIPORT_PAUSE_PARAMETERS {
            Header: NDIS_OBJECT_HEADER {
                Type: NDIS_OBJECT_TYPE_DEFAULT,
                Revision: NDIS_MINIPORT_PAUSE_PARAMETERS_REVISION_1,
                Size: NDIS_SIZEOF_MINIPORT_PAUSE_PARAMETERS_REVISION_1,
            },
            Flags: 0,
            PauseReason: reason,
        };
        let context = self.context();
        // SAFETY: the driver's handler, called as documented (ndis.h, MINIPORT_PAUSE).
        let status = stack::enter_driver(|| unsafe { handler(context, &raw mut parameters) });
        match status {
            NDIS_STATUS_SUCCESS => self.require_drained("MiniportPause"),
            NDIS_STATUS_PENDING => {
                let _ = self.states.wait("MiniportPause", TRANSITION_TIMEOUT);
            }
            other => stop(
                Rule::BAD_ARGUMENT,
                "MiniportPause",
                format_args!("returned {other:#010x}; a pause cannot fail"),
            ),
        }
        let _ = self.states.go(State::Pausing, State::Paused);
        self.sends.check();
        Ok(())
    }

    /// Stops unless all packets are back where they came from.
    fn require_drained(&self, function: &str) {
        let sent = self.sends.outstanding();
        let indicated = self.indicated.load(Ordering::Acquire);
        if sent > 0 || indicated > 0 {
            stop(
                Rule::PAUSE_COMPLETED_EARLY,
                function,
                format_args!(
                    "{sent} sent NET_BUFFER_LISTs are not completed, {indicated} indicated ones are not returned"
                ),
            );
        }
    }

    /// What TCP/IP sets when it binds.
    fn bind(&self) -> Result<(), NDIS_STATUS> {
        let (lookahead, filters) = {
            let attributes = self.attributes();
            let Some(general) = attributes.general.as_ref() else {
                return Err(NDIS_STATUS_FAILURE);
            };
            (general.lookahead, general.packet_filters)
        };
        self.set_ulong(OID_GEN_CURRENT_LOOKAHEAD, lookahead)?;
        let wanted =
            NDIS_PACKET_TYPE_DIRECTED | NDIS_PACKET_TYPE_ALL_MULTICAST | NDIS_PACKET_TYPE_BROADCAST;
        self.set_ulong(OID_GEN_CURRENT_PACKET_FILTER, wanted & filters)?;
        self.turn_offloads_on();
        self.pnp_event(NdisDevicePnPEventPowerProfileChanged);
        Ok(())
    }

    fn set_ulong(&self, oid: ULONG, value: ULONG) -> Result<(), NDIS_STATUS> {
        self.oid(OidRequest::Set { oid, buffer: &value.to_ne_bytes() })
            .map(drop)
            .map_err(|failure| failure.status)
    }

    fn remove(&self, surprise: bool) {
        let _operation = self.operation();
        if surprise {
            self.pnp_event(NdisDevicePnPEventSurpriseRemoved);
        } else {
            self.pnp_event(NdisDevicePnPEventQueryRemoved);
        }
        if self.states.state() == State::Running {
            let _ = self.pause(NDIS_PAUSE_MINIPORT_DEVICE_REMOVE);
        }
        self.edge.detach();
        if !surprise {
            self.pnp_event(NdisDevicePnPEventRemoved);
        }
        self.halt(if surprise { NdisHaltDeviceSurpriseRemoved } else { NdisHaltDeviceDisabled });
    }

    fn halt_after_failure(&self) {
        let _operation = self.operation();
        if self.states.state() == State::Running {
            let _ = self.pause(NDIS_PAUSE_NDIS_INTERNAL);
        }
        self.edge.detach();
        self.halt(NdisHaltDeviceInitializationFailed);
    }

    fn halt(&self, action: NDIS_HALT_ACTION) {
        if self.states.state() != State::Paused {
            return;
        }
        if let Some(handler) = self.driver.0.characteristics.HaltHandlerEx {
            let context = self.context();
            // SAFETY: the driver's handler, called as documented (ndis.h, MINIPORT_HALT).
            stack::enter_driver(|| unsafe { handler(context, action) });
        }
        self.require_drained("MiniportHaltEx");
        self.halted();
        self.sends.release();
    }

    fn halted(&self) {
        let _ = self.states.go(State::Paused, State::Halted);
        adapters().retain(|known| !ptr::eq(Arc::as_ptr(known), self));
        self.driver.0.adapters.fetch_sub(1, Ordering::AcqRel);
    }

    fn pnp_event(&self, event: NDIS_DEVICE_PNP_EVENT) {
        let Some(handler) = self.driver.0.characteristics.DevicePnPEventNotifyHandler else {
            return;
        };
        // NdisPowerProfileAcOnline (ndis.h, NDIS_POWER_PROFILE).
        let mut profile: ULONG = 1;
        let has_profile = event == NdisDevicePnPEventPowerProfileChanged;
        let mut parameters = NET_DEVICE_PNP_EVENT {
            Header: NDIS_OBJECT_HEADER {
                Type: NDIS_OBJECT_TYPE_DEFAULT,
                Revision: NET_DEVICE_PNP_EVENT_REVISION_1,
                Size: NDIS_SIZEOF_NET_DEVICE_PNP_EVENT_REVISION_1,
            },
            PortNumber: NDIS_DEFAULT_PORT_NUMBER,
            DevicePnPEvent: event,
            InformationBuffer: if has_profile {
                (&raw mut profile).cast()
            } else {
                ptr::null_mut()
            },
            InformationBufferLength: if has_profile { 4 } else { 0 },
            NdisReserved: [0; 16],
        };
        let context = self.context();
        // SAFETY: the driver's handler, called as documented (ndis.h, MINIPORT_DEVICE_PNP_EVENT_NOTIFY).
        stack::enter_driver(|| unsafe { handler(context, &raw mut parameters) });
    }
}

/// The initialized adapter with this `NET_LUID`.
pub(super) fn by_luid(luid: u64) -> Option<Arc<AdapterInner>> {
    find(|adapter| adapter.luid == luid)
}

/// The first initialized adapter that is so.
pub(super) fn find(is_it: impl Fn(&AdapterInner) -> bool) -> Option<Arc<AdapterInner>> {
    adapters().iter().find(|adapter| is_it(adapter)).cloned()
}

fn adapters() -> MutexGuard<'static, Vec<Arc<AdapterInner>>> {
    ADAPTERS.lock().unwrap_or_else(PoisonError::into_inner)
}

export! { "ndis.sys";
    /// ndis.h, NdisMPauseComplete.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    ///
    /// # Safety
    /// None beyond the handle's validity.
    pub unsafe fn NdisMPauseComplete(miniport_adapter_handle: NDIS_HANDLE) {
        const FUNCTION: &str = "NdisMPauseComplete";
        irql::require_at_most(FUNCTION, DISPATCH_LEVEL);
        let adapter = AdapterInner::of(FUNCTION, miniport_adapter_handle);
        if adapter.states.state() == State::Pausing {
            adapter.require_drained(FUNCTION);
        }
        if !adapter.states.complete(State::Pausing, NDIS_STATUS_SUCCESS) {
            stop(Rule::NOT_PENDING, FUNCTION, format_args!("adapter {} is {:?}", adapter.name, adapter.states.state()));
        }
    }

    /// ndis.h, NdisMRestartComplete.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    ///
    /// # Safety
    /// None beyond the handle's validity.
    pub unsafe fn NdisMRestartComplete(miniport_adapter_handle: NDIS_HANDLE, status: NDIS_STATUS) {
        const FUNCTION: &str = "NdisMRestartComplete";
        irql::require_at_most(FUNCTION, DISPATCH_LEVEL);
        let adapter = AdapterInner::of(FUNCTION, miniport_adapter_handle);
        if !adapter.states.complete(State::Restarting, status) {
            stop(Rule::NOT_PENDING, FUNCTION, format_args!("adapter {} is {:?}", adapter.name, adapter.states.state()));
        }
    }
}
