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

use super::driver::MiniportDriver;
use super::miniport_adapter::{AdapterOptions, MiniportAdapter, adapters};
use super::oid::{OidFailure, OidRequest};
use super::port::AdapterPort;
use super::send_state::CompletionLog;
use super::state::State;
use super::tuning::Tuning;
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
        let inner = MiniportAdapter::new(driver, options, tuning);
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
    pub fn remove(self, surprise: bool) {
        self.inner.remove(surprise);
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
            self.inner.remove(false);
        }
    }
}
