//! Devices that exist while adapters need them. A driver is unloaded when it has no device objects
//! left, so they go with the last such adapter.

use nt::Result;
use nt::lock::SleepMutex;

/// Devices, and the number of adapters that need them.
pub struct DeviceGroup<D> {
    state: SleepMutex<State<D>>,
}

struct State<D> {
    adapters: usize,
    devices: Option<D>,
}

impl<D> DeviceGroup<D> {
    /// No devices.
    pub fn new() -> Self {
        Self { state: SleepMutex::new(State { adapters: 0, devices: None }) }
    }

    /// Counts an adapter. The first creates the devices. An error of `create` counts none.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    pub fn add_adapter(&self, create: impl FnOnce() -> Result<D>) -> Result<()> {
        let mut state = self.state.lock();
        if state.devices.is_none() {
            state.devices = Some(create()?);
        }
        state.adapters = state.adapters.saturating_add(1);
        Ok(())
    }

    /// Reverses [`DeviceGroup::add_adapter`]. The devices go with the last adapter; files that are
    /// open on them stay.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    pub fn remove_adapter(&self) {
        let mut state = self.state.lock();
        state.adapters = state.adapters.saturating_sub(1);
        if state.adapters == 0 {
            // Under the lock: the next first adapter makes devices with the same names.
            state.devices = None;
        }
    }
}

impl<D> Default for DeviceGroup<D> {
    fn default() -> Self {
        Self::new()
    }
}
