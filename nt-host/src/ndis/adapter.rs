//! Miniport adapters, and what a test or a program does with one.

use std::ffi::c_void;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nt_sys::ndis::{
    IF_TYPE_PROP_VIRTUAL, NDIS_HANDLE, NDIS_LINK_STATE,
    NDIS_MINIPORT_ATTRIBUTES_NO_HALT_ON_SUSPEND, NDIS_MINIPORT_ATTRIBUTES_NO_PAUSE_ON_SUSPEND,
    NDIS_PAUSE_LOW_POWER, NDIS_PAUSE_NDIS_INTERNAL, NDIS_STATISTICS_INFO, NDIS_STATUS,
    NDIS_STATUS_FAILURE, NDIS_STATUS_NOT_SUPPORTED, NET_LUID_VALUE,
    NdisDevicePnPEventPowerProfileChanged, NdisDeviceStateD0, NdisDeviceStateD3,
    OID_GEN_STATISTICS, OID_PNP_SET_POWER,
};
use nt_sys::ntdef::PASSIVE_LEVEL;

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
use crate::violation::{Rule, stop};

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
    /// Makes an adapter of `driver` and starts it: MiniportInitializeEx, the edge's attach,
    /// MiniportRestart, and the OIDs that a binding protocol sets.
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
    /// `NDIS_STATUS_NOT_SUPPORTED` for a miniport without `NO_HALT_ON_SUSPEND`;
    /// `NDIS_STATUS_INVALID_STATE` unless it is running; else what the driver answered.
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
    /// The adapter behind a miniport adapter handle, which stays for the driver's call; stops when
    /// it is none.
    pub(super) fn of<'a>(function: &str, handle: NDIS_HANDLE) -> &'a Self {
        let adapter = handle.cast::<Self>();
        if !adapter.is_null() && adapter.is_aligned() {
            // SAFETY: adapters stay while a driver is loaded; another pointer of a driver faults or
            // fails the next check.
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

    pub(super) fn operation(&self) -> MutexGuard<'_, ()> {
        irql::require_exactly("NDIS", PASSIVE_LEVEL);
        self.operation.lock().unwrap_or_else(PoisonError::into_inner)
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

pub(super) fn adapters() -> MutexGuard<'static, Vec<Arc<AdapterInner>>> {
    ADAPTERS.lock().unwrap_or_else(PoisonError::into_inner)
}
