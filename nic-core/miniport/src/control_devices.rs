//! The driver's control device, while there are adapters. A driver is unloaded when it has no
//! device objects left, so the device goes with the last adapter.

use nt::device::{DeviceName, DeviceRegistration};
use nt::lock::SleepMutex;
use nt::miniport::DriverHandle;
use nt::{Result, Shared};

use crate::control_device::RequestDispatcher;
use crate::utf16;

/// `\Device\Tunic`, and the number of adapters that need it.
pub(crate) struct ControlDevices {
    state: SleepMutex<State>,
}

struct State {
    adapters: usize,
    device: Option<DeviceRegistration>,
}

impl ControlDevices {
    /// No device.
    pub(crate) fn new() -> Self {
        Self { state: SleepMutex::new(State { adapters: 0, device: None }) }
    }

    /// Counts an adapter. The first makes the device.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    pub(crate) fn add_adapter(
        &self,
        driver: &DriverHandle,
        dispatcher: &RequestDispatcher,
    ) -> Result<()> {
        let mut state = self.state.lock();
        if state.device.is_none() {
            let name = DeviceName {
                device: &utf16!("\\Device\\Tunic"),
                symbolic_link: &utf16!("\\DosDevices\\Tunic"),
                // SYSTEM and Administrators only.
                sddl: &utf16!("D:P(A;;GA;;;SY)(A;;GA;;;BA)"),
            };
            let dispatcher = Shared::new(dispatcher.clone())?;
            state.device = Some(DeviceRegistration::new(driver, &name, dispatcher)?);
        }
        state.adapters = state.adapters.saturating_add(1);
        Ok(())
    }

    /// Reverses [`ControlDevices::add_adapter`]. The device goes with the last adapter; files that
    /// are open on it stay.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    pub(crate) fn remove_adapter(&self) {
        let mut state = self.state.lock();
        state.adapters = state.adapters.saturating_sub(1);
        if state.adapters == 0 {
            // Under the lock: the next first adapter makes a device with the same name.
            state.device = None;
        }
    }
}
