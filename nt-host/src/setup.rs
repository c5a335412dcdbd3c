//! What user mode finds of devices, by SetupAPI and the configuration manager.

use std::sync::PoisonError;

use nt_sys::ntdef::GUID;

use crate::io::devnode;
use crate::io::interface;

/// A network device that is present (`SetupDiGetClassDevs` with DIGCF_PRESENT, by instance).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceInfo {
    /// Its device instance ID.
    pub instance_id: String,
    /// Its hardware IDs.
    pub hardware_ids: Vec<String>,
    /// The values of its driver key, with `ComponentId` and `NetCfgInstanceId`.
    pub driver_key: Vec<(String, String)>,
    /// Whether its status has DN_STARTED.
    pub is_started: bool,
}

impl DeviceInfo {
    /// A value of its driver key.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&str> {
        let found = self.driver_key.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

/// The devices of an enumerator, as `SWD\NAME`, or all.
#[must_use]
pub fn devices(enumerator: Option<&str>) -> Vec<DeviceInfo> {
    let all = devnode::all();
    let wanted = all.iter().filter(|devnode| {
        enumerator.is_none_or(|wanted| devnode.options.enumerator.eq_ignore_ascii_case(wanted))
    });
    wanted
        .map(|devnode| DeviceInfo {
            instance_id: devnode.instance_id(),
            hardware_ids: vec![devnode.options.hardware_id.clone()],
            driver_key: devnode.options.driver_key.clone(),
            is_started: devnode.is_started(),
        })
        .collect()
}

/// The enabled device interfaces of a class that a device has (`CM_Get_Device_Interface_List`): the
/// paths that CreateFile opens, in the order in which they were registered.
#[must_use]
pub fn interfaces(class: &GUID, instance_id: &str) -> Vec<String> {
    interface::enabled(class, instance_id)
}

/// Sets a property of a device: the GUID of its key as a number, the number in it, and the text.
/// Returns whether there is such a device.
pub fn set_property(instance_id: &str, key: (u128, u32), text: &str) -> bool {
    let all = devnode::all();
    let found = all.iter().find(|devnode| devnode.instance_id().eq_ignore_ascii_case(instance_id));
    found.is_some_and(|devnode| {
        let mut properties = devnode.properties.lock().unwrap_or_else(PoisonError::into_inner);
        properties.insert(key, text.to_owned());
        true
    })
}

/// A property of a device.
#[must_use]
pub fn property(instance_id: &str, key: (u128, u32)) -> Option<String> {
    let all = devnode::all();
    let found =
        all.iter().find(|devnode| devnode.instance_id().eq_ignore_ascii_case(instance_id))?;
    found.properties.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned()
}
