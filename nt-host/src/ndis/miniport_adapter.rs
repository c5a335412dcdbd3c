//! Miniport adapters: the targets of miniport adapter handles.

use std::ffi::c_void;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nt_sys::io::DEVICE_OBJECT;
use nt_sys::ndis::{IF_TYPE_PROP_VIRTUAL, NDIS_HANDLE, NDIS_LINK_STATE, NET_LUID_VALUE};
use nt_sys::ntdef::PASSIVE_LEVEL;

use super::attributes::Attributes;
use super::config_value::ConfigValue;
use super::driver::MiniportDriver;
use super::interface_mtu::InterfaceMtu;
use super::offload::Offloads;
use super::oid_slot::OidSlot;
use super::send_state::SendState;
use super::state::{State, StateMachine};
use super::tuning::Tuning;
use crate::edge::Edge;
use crate::io::devnode::Devnode;
use crate::irql;
use crate::retained;
use crate::violation::{Rule, stop};

/// The parameters of a new adapter.
pub struct AdapterOptions {
    /// Its name, for reports.
    pub name: String,
    /// Its GUID, which a driver reads as the keyword NetCfgInstanceId.
    pub guid: [u8; 16],
    /// The index of its network interface.
    pub if_index: u32,
    /// The index part of its `NET_LUID`: 24 bits. The interface type is 53.
    pub net_luid_index: u32,
    /// The MTU of the stack above, in bytes.
    pub mtu: u32,
    /// The adapter's keywords in the registry.
    pub configuration: Vec<(String, ConfigValue)>,
    /// The stack above.
    pub edge: Box<dyn Edge>,
}

/// The target of a miniport adapter handle.
pub(super) struct MiniportAdapter {
    magic: u64,
    pub(super) driver: MiniportDriver,
    pub(super) name: String,
    pub(super) guid: [u8; 16],
    pub(super) luid: u64,
    pub(super) if_index: u32,
    pub(super) configuration: Vec<(String, ConfigValue)>,
    pub(super) edge: Box<dyn Edge>,
    pub(super) tuning: Tuning,
    pub(super) devnode: Arc<Devnode>,
    /// NDIS's device object for it.
    fdo: AtomicPtr<DEVICE_OBJECT>,
    pub(super) mtu: InterfaceMtu,
    context: AtomicPtr<c_void>,
    pub(super) states: StateMachine,
    pub(super) attributes: Mutex<Attributes>,
    pub(super) link: Mutex<NDIS_LINK_STATE>,
    pub(super) link_is_up: AtomicU32,
    pub(super) sends: SendState,
    /// The number of lists that are indicated and not yet returned.
    pub(super) indicated: AtomicUsize,
    /// Packets received by the stack.
    pub(super) received_packets: AtomicU64,
    pub(super) oids: OidSlot,
    pub(super) offloads: Offloads,
    /// Held during a change of the adapter's state. NDIS makes one such change at a time.
    operation: Mutex<()>,
}

const MAGIC: u64 = 0x4e44_4953_4144_4150;

static ADAPTERS: Mutex<Vec<Arc<MiniportAdapter>>> = Mutex::new(Vec::new());

impl MiniportAdapter {
    /// Creates an adapter, which is halted. It stays in memory until the last driver is unloaded.
    pub(super) fn new(
        driver: MiniportDriver,
        options: AdapterOptions,
        tuning: Tuning,
        devnode: Arc<Devnode>,
    ) -> Arc<Self> {
        let AdapterOptions { name, guid, if_index, net_luid_index, mtu, configuration, edge } =
            options;
        let adapter = Arc::new(Self {
            magic: MAGIC,
            driver,
            name,
            guid,
            luid: NET_LUID_VALUE(net_luid_index, IF_TYPE_PROP_VIRTUAL),
            if_index,
            configuration,
            edge,
            sends: SendState::new(&tuning),
            tuning,
            devnode,
            fdo: AtomicPtr::new(ptr::null_mut()),
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
        retained::keep(Arc::clone(&adapter));
        adapter
    }

    /// The adapter of a miniport adapter handle, which stays valid for the driver's call. Stops if
    /// the handle is not one.
    pub(super) fn of<'a>(function: &str, handle: NDIS_HANDLE) -> &'a Self {
        let adapter = handle.cast::<Self>();
        if !adapter.is_null() && adapter.is_aligned() {
            // SAFETY: adapters stay in memory while a driver is loaded. Any other pointer faults or
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
            format_args!("{handle:p} is not a miniport adapter handle"),
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

    pub(super) fn fdo(&self) -> *mut DEVICE_OBJECT {
        self.fdo.load(Ordering::Acquire)
    }

    pub(super) fn set_fdo(&self, fdo: *mut DEVICE_OBJECT) {
        self.fdo.store(fdo, Ordering::Release);
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
pub(super) fn by_luid(luid: u64) -> Option<Arc<MiniportAdapter>> {
    find(|adapter| adapter.luid == luid)
}

/// The first initialized adapter that matches.
pub(super) fn find(is_it: impl Fn(&MiniportAdapter) -> bool) -> Option<Arc<MiniportAdapter>> {
    adapters().iter().find(|adapter| is_it(adapter)).cloned()
}

pub(super) fn adapters() -> MutexGuard<'static, Vec<Arc<MiniportAdapter>>> {
    ADAPTERS.lock().unwrap_or_else(PoisonError::into_inner)
}
