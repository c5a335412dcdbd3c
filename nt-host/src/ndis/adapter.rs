//! Adapters, as a test or a program adds and uses them.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use nt_sys::ndis::{
    NDIS_LINK_STATE, NDIS_MINIPORT_ATTRIBUTES_NO_HALT_ON_SUSPEND,
    NDIS_MINIPORT_ATTRIBUTES_NO_PAUSE_ON_SUSPEND, NDIS_PAUSE_LOW_POWER, NDIS_PAUSE_NDIS_INTERNAL,
    NDIS_STATISTICS_INFO, NDIS_STATUS, NDIS_STATUS_FAILURE, NDIS_STATUS_NOT_SUPPORTED,
    NdisDevicePnPEventPowerProfileChanged, NdisDeviceStateD0, NdisDeviceStateD3,
    OID_GEN_STATISTICS, OID_PNP_SET_POWER,
};
use nt_sys::ntdef::GUID;

use super::config_value::ConfigValue;
use super::driver::MiniportDriver;
use super::miniport_adapter::{AdapterOptions, MiniportAdapter, adapters};
use super::oid::{OidFailure, OidRequest};
use super::port::AdapterPort;
use super::send_state::CompletionLog;
use super::state::State;
use super::tuning::Tuning;
use crate::io::devnode::{Devnode, DevnodeOptions};
use crate::io::interface;
use crate::violation::{Rule, stop};

/// A miniport adapter. Dropping it halts and removes it.
pub struct Adapter {
    inner: Arc<MiniportAdapter>,
}

impl Adapter {
    /// Adds an adapter to `driver` and starts it: MiniportInitializeEx, the attach of the edge,
    /// MiniportRestart, and the OIDs that a binding protocol sets.
    ///
    /// # Errors
    /// The status with which the driver failed one of these. The adapter is then halted.
    pub fn add(driver: MiniportDriver, options: AdapterOptions) -> Result<Self, NDIS_STATUS> {
        Self::add_tuned(driver, options, Tuning::default())
    }

    /// As [`Adapter::add`], with other than the default tuning.
    ///
    /// # Errors
    /// As [`Adapter::add`].
    pub fn add_tuned(
        driver: MiniportDriver,
        options: AdapterOptions,
        tuning: Tuning,
    ) -> Result<Self, NDIS_STATUS> {
        let device = device_of(&options);
        Self::add_on(device, driver, options, tuning)
    }

    /// As [`Adapter::add_tuned`], for a device that is made so. The values of its driver key are
    /// completed.
    ///
    /// # Errors
    /// As [`Adapter::add`].
    pub fn add_on(
        mut device: DevnodeOptions,
        driver: MiniportDriver,
        options: AdapterOptions,
        tuning: Tuning,
    ) -> Result<Self, NDIS_STATUS> {
        let id = options.configuration.iter().find_map(|(name, value)| match value {
            ConfigValue::String(text) if name == "NetCfgInstanceId" => Some(text.clone()),
            _ => None,
        });
        device.driver_key.extend([
            ("ComponentId".to_owned(), device.hardware_id.clone()),
            ("NetCfgInstanceId".to_owned(), id.unwrap_or_else(|| guid_text(&options.guid))),
        ]);
        let inner = MiniportAdapter::new(driver, options, tuning, Devnode::create(device));
        {
            let _operation = inner.operation();
            inner.add_device();
            inner.devnode.start()?;
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

    /// The port, through which its edge uses it.
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
    /// `NDIS_STATUS_INVALID_STATE` unless it is paused; otherwise the driver's status.
    pub fn restart(&self) -> Result<(), NDIS_STATUS> {
        let _operation = self.inner.operation();
        self.inner.restart()
    }

    /// Removes it: notifies the driver, pauses and halts the adapter, and detaches the edge.
    ///
    /// # Panics
    /// Panics when open files veto a removal that is no surprise.
    pub fn remove(self, surprise: bool) {
        if surprise {
            self.surprise_remove();
            return;
        }
        if let Err(vetoed) = self.try_remove() {
            let files = vetoed.files;
            vetoed.adapter.surprise_remove();
            panic!("{files} open files veto the removal of the adapter");
        }
    }

    /// Asks whether the device can be removed, and calls it off after `meanwhile`.
    pub fn ask_removal(&self, meanwhile: impl FnOnce()) {
        let _operation = self.inner.operation();
        self.inner.devnode.ask_removal(meanwhile);
    }

    /// Removes it unless files are open on its device. When its driver is asked, requests that wait
    /// may end, and programs may close their files then.
    ///
    /// # Errors
    /// The adapter, as it was.
    pub fn try_remove(self) -> Result<(), Vetoed> {
        let removed = {
            let _operation = self.inner.operation();
            self.inner.devnode.query_remove().map(|()| self.inner.devnode.remove())
        };
        removed.map_err(|files| Vetoed { adapter: self, files })
    }

    fn surprise_remove(&self) {
        let _operation = self.inner.operation();
        self.inner.devnode.surprise_remove();
    }

    /// Its device instance ID.
    #[must_use]
    pub fn instance_id(&self) -> String {
        self.inner.devnode.instance_id()
    }

    /// Puts the adapter to sleep: pause, and `OID_PNP_SET_POWER` to D3.
    ///
    /// # Errors
    /// `NDIS_STATUS_NOT_SUPPORTED` for a miniport without `NO_HALT_ON_SUSPEND`;
    /// `NDIS_STATUS_INVALID_STATE` unless it is running; otherwise the driver's status.
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

    /// Wakes the adapter: `OID_PNP_SET_POWER` to D0, and restart.
    ///
    /// # Errors
    /// The driver's status.
    pub fn wake(&self) -> Result<(), NDIS_STATUS> {
        let _operation = self.inner.operation();
        self.inner.set_ulong(OID_PNP_SET_POWER, NdisDeviceStateD0)?;
        if self.state() == State::Paused {
            self.inner.restart()?;
        }
        self.inner.pnp_event(NdisDevicePnPEventPowerProfileChanged);
        Ok(())
    }

    /// Sends an OID request. Returns the number of bytes written or read.
    ///
    /// # Errors
    /// The status of NDIS or of the driver.
    pub fn oid(&self, request: OidRequest<'_>) -> Result<usize, OidFailure> {
        self.inner.oid(request)
    }

    /// The link state that was indicated last.
    #[must_use]
    pub fn link_state(&self) -> NDIS_LINK_STATE {
        *self.inner.link.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `OID_GEN_STATISTICS`.
    ///
    /// # Errors
    /// The driver's status.
    pub fn statistics(&self) -> Result<NDIS_STATISTICS_INFO, OidFailure> {
        let mut statistics = NDIS_STATISTICS_INFO::default();
        let bytes = size_of::<NDIS_STATISTICS_INFO>();
        let start = (&raw mut statistics).cast::<u8>();
        // SAFETY: the bytes of the struct, which consists of integers.
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

    /// The number of packets that the miniport has, and of packets that it indicated and that were
    /// not returned.
    #[must_use]
    pub fn outstanding(&self) -> (usize, usize) {
        (self.inner.sends.outstanding(), self.inner.indicated.load(Ordering::Acquire))
    }

    /// Completed sends since the last call, if [`Tuning::log_completions`] is on.
    #[must_use]
    pub fn completions(&self) -> &CompletionLog {
        &self.inner.sends.log
    }
}

impl Drop for Adapter {
    fn drop(&mut self) {
        if self.state() != State::Halted {
            let _operation = self.inner.operation();
            match self.inner.devnode.query_remove() {
                Ok(()) => self.inner.devnode.remove(),
                Err(_) => self.inner.devnode.surprise_remove(),
            }
        }
    }
}

/// A removal that open files veto.
pub struct Vetoed {
    /// The adapter, as it was.
    pub adapter: Adapter,
    /// The number of open files.
    pub files: usize,
}

/// The device of an adapter that nobody looks for.
fn device_of(options: &AdapterOptions) -> DevnodeOptions {
    DevnodeOptions::software("Tunic", &guid_text(&options.guid))
}

/// The text of a GUID in the byte order of memory.
fn guid_text(guid: &[u8; 16]) -> String {
    let [a0, a1, a2, a3, b0, b1, c0, c1, rest @ ..] = *guid;
    interface::guid_text(&GUID {
        Data1: u32::from_le_bytes([a0, a1, a2, a3]),
        Data2: u16::from_le_bytes([b0, b1]),
        Data3: u16::from_le_bytes([c0, c1]),
        Data4: rest,
    })
}
