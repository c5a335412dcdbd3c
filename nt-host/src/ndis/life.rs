//! The state transitions of an adapter: initialize, restart, pause, halt.

use std::ptr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use nt_sys::ndis::{
    NDIS_DEFAULT_PORT_NUMBER, NDIS_DEVICE_PNP_EVENT, NDIS_HALT_ACTION, NDIS_HANDLE,
    NDIS_MINIPORT_INIT_PARAMETERS, NDIS_MINIPORT_INIT_PARAMETERS_REVISION_1,
    NDIS_MINIPORT_PAUSE_PARAMETERS, NDIS_MINIPORT_PAUSE_PARAMETERS_REVISION_1,
    NDIS_MINIPORT_RESTART_PARAMETERS, NDIS_MINIPORT_RESTART_PARAMETERS_REVISION_1,
    NDIS_OBJECT_HEADER, NDIS_OBJECT_TYPE_DEFAULT, NDIS_OBJECT_TYPE_MINIPORT_INIT_PARAMETERS,
    NDIS_PAUSE_MINIPORT_DEVICE_REMOVE, NDIS_PAUSE_NDIS_INTERNAL,
    NDIS_SIZEOF_MINIPORT_PAUSE_PARAMETERS_REVISION_1,
    NDIS_SIZEOF_MINIPORT_RESTART_PARAMETERS_REVISION_1,
    NDIS_SIZEOF_NET_DEVICE_PNP_EVENT_REVISION_1, NDIS_STATUS, NDIS_STATUS_FAILURE,
    NDIS_STATUS_INVALID_STATE, NDIS_STATUS_PENDING, NDIS_STATUS_SUCCESS, NET_DEVICE_PNP_EVENT,
    NET_DEVICE_PNP_EVENT_REVISION_1, NdisDevicePnPEventPowerProfileChanged,
    NdisDevicePnPEventRemoved, NdisDevicePnPEventSurpriseRemoved, NdisHaltDeviceDisabled,
    NdisHaltDeviceInitializationFailed, NdisHaltDeviceSurpriseRemoved,
};
use nt_sys::ntdef::{DISPATCH_LEVEL, ULONG};

use super::miniport_adapter::{MiniportAdapter, adapters};
use super::state::State;
use crate::callback;
use crate::irql;
use crate::violation::{Rule, stop};

/// The time after which a pending pause or restart is reported.
const TRANSITION_TIMEOUT: Duration = Duration::from_secs(30);

impl MiniportAdapter {
    pub(super) fn initialize(&self) -> Result<(), NDIS_STATUS> {
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
            callback::enter_driver(|| unsafe { handler(handle, context, &raw mut parameters) });
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
                format_args!("the function succeeded without registration and general attributes"),
            );
        };
        self.mtu.set_both(self.mtu.longest().min(general.mtu));
        Ok(())
    }

    pub(super) fn restart(&self) -> Result<(), NDIS_STATUS> {
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
        let mut status =
            callback::enter_driver(|| unsafe { handler(context, &raw mut parameters) });
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

    pub(super) fn pause(&self, reason: ULONG) -> Result<(), NDIS_STATUS> {
        let Some(handler) = self.driver.0.characteristics.PauseHandler else {
            return Err(NDIS_STATUS_FAILURE);
        };
        self.states.go(State::Running, State::Pausing).map_err(|_| NDIS_STATUS_INVALID_STATE)?;
        // NDIS pauses the protocols above first: their calls of MiniportSendNetBufferLists return.
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
        let status = callback::enter_driver(|| unsafe { handler(context, &raw mut parameters) });
        match status {
            NDIS_STATUS_SUCCESS => self.require_drained("MiniportPause"),
            NDIS_STATUS_PENDING => {
                let _ = self.states.wait("MiniportPause", TRANSITION_TIMEOUT);
            }
            other => stop(
                Rule::BAD_ARGUMENT,
                "MiniportPause",
                format_args!("returned {other:#010x}, but a pause cannot fail"),
            ),
        }
        let _ = self.states.go(State::Pausing, State::Paused);
        self.sends.check();
        Ok(())
    }

    /// Stops unless all packets have been completed or returned.
    fn require_drained(&self, function: &str) {
        let sent = self.sends.outstanding();
        let indicated = self.indicated.load(Ordering::Acquire);
        if sent > 0 || indicated > 0 {
            stop(
                Rule::PAUSE_COMPLETED_EARLY,
                function,
                format_args!(
                    "{sent} sent NET_BUFFER_LISTs are not completed, \
                     {indicated} indicated ones are not returned"
                ),
            );
        }
    }

    /// Pauses and halts an adapter that is not halted, for the removal of its device.
    pub(super) fn end(&self, surprise: bool) {
        if self.states.state() == State::Halted {
            return;
        }
        if surprise {
            self.pnp_event(NdisDevicePnPEventSurpriseRemoved);
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

    pub(super) fn halt_after_failure(&self) {
        let _operation = self.operation();
        if self.states.state() == State::Running {
            let _ = self.pause(NDIS_PAUSE_NDIS_INTERNAL);
        }
        self.edge.detach();
        self.halt(NdisHaltDeviceInitializationFailed);
        self.devnode.remove();
    }

    fn halt(&self, action: NDIS_HALT_ACTION) {
        if self.states.state() != State::Paused {
            return;
        }
        if let Some(handler) = self.driver.0.characteristics.HaltHandlerEx {
            let context = self.context();
            // SAFETY: the driver's handler, called as documented (ndis.h, MINIPORT_HALT).
            callback::enter_driver(|| unsafe { handler(context, action) });
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

    pub(super) fn pnp_event(&self, event: NDIS_DEVICE_PNP_EVENT) {
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
        // SAFETY: the driver's handler, called as documented (ndis.h,
        // MINIPORT_DEVICE_PNP_EVENT_NOTIFY).
        callback::enter_driver(|| unsafe { handler(context, &raw mut parameters) });
    }
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
        let adapter = MiniportAdapter::of(FUNCTION, miniport_adapter_handle);
        if adapter.states.state() == State::Pausing {
            adapter.require_drained(FUNCTION);
        }
        if !adapter.states.complete(State::Pausing, NDIS_STATUS_SUCCESS) {
            stop(
                Rule::NOT_PENDING,
                FUNCTION,
                format_args!("adapter {} is {:?}", adapter.name, adapter.states.state()),
            );
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
        let adapter = MiniportAdapter::of(FUNCTION, miniport_adapter_handle);
        if !adapter.states.complete(State::Restarting, status) {
            stop(
                Rule::NOT_PENDING,
                FUNCTION,
                format_args!("adapter {} is {:?}", adapter.name, adapter.states.state()),
            );
        }
    }
}
