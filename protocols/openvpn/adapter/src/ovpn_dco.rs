//! Devices with ovpn-dco-win's names, for programs that know only those.
//!
//! * `\\.\ovpn-dco` is the first adapter whose keyword `TunicOvpnDco` is set, `\\.\ovpn-dco\NAME`
//!   the one with that name or GUID. The file that opens it owns the adapter until it is closed.
//!   Every user may open it, so it accepts ovpn-dco-win's requests only.
//! * `\\.\ovpn-dco-ver` answers the version to every user.
//!
//! They are created with the first such adapter and stay until the driver is unloaded: an NDIS
//! device cannot be removed under open files.

use nic_miniport::AdapterProtocol;
use nic_miniport::answer::complete_fixed;
use nic_miniport::control_device::{File, RequestDispatcher};
use nic_miniport::utf16;
use nt::device::{ControlDevice, DeviceName, DeviceRegistration};
use nt::irp::{Dispatched, FileId, Irp};
use nt::lock::SleepMutex;
use nt::miniport::DriverHandle;
use nt::{Result, Shared, Status};
use tunic_ioctl::ovpn_dco;

use crate::channel::OpenVpnAdapter;

/// The devices; `None` until an adapter needs them.
pub struct OvpnDcoDevices {
    adapters: SleepMutex<Option<DeviceRegistration<Adapters>>>,
    version: SleepMutex<Option<DeviceRegistration<Version>>>,
}

impl OvpnDcoDevices {
    /// No devices.
    pub(crate) fn new() -> Self {
        Self { adapters: SleepMutex::new(None), version: SleepMutex::new(None) }
    }

    /// Creates the devices that do not exist.
    ///
    /// # Errors
    /// `OBJECT_NAME_COLLISION` if ovpn-dco-win has the names.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    pub(crate) fn offer(
        &self,
        driver: &DriverHandle,
        dispatcher: &RequestDispatcher,
    ) -> Result<()> {
        let mut adapters = self.adapters.lock();
        if adapters.is_none() {
            let name = DeviceName {
                device: &utf16!("\\Device\\Tunic-ovpn-dco"),
                symbolic_link: &utf16!("\\DosDevices\\ovpn-dco"),
                // That of ovpn-dco-win: OpenVPN clients are not administrators.
                sddl: &utf16!("D:P(A;;GA;;;SY)(A;;GA;;;BA)(A;;GRGWGX;;;WD)(A;;GRGX;;;RC)"),
            };
            let device = Shared::new(Adapters(dispatcher.clone()))?;
            *adapters = Some(DeviceRegistration::new(driver, &name, device)?);
        }
        let mut version = self.version.lock();
        if version.is_none() {
            let name = DeviceName {
                device: &utf16!("\\Device\\Tunic-ovpn-dco-ver"),
                symbolic_link: &utf16!("\\DosDevices\\ovpn-dco-ver"),
                sddl: &utf16!("D:P(A;;GA;;;SY)(A;;GA;;;BA)(A;;GR;;;WD)(A;;GR;;;RC)"),
            };
            *version = Some(DeviceRegistration::new(driver, &name, Shared::new(Version)?)?);
        }
        Ok(())
    }

    /// Deletes the devices.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    pub(crate) fn remove(&self) {
        let adapters = self.adapters.lock().take();
        drop(adapters);
        let version = self.version.lock().take();
        drop(version);
    }
}

/// `\\.\ovpn-dco`.
struct Adapters(RequestDispatcher);

impl ControlDevice for Adapters {
    type File = File;

    fn open(&self, name: &[u16], id: FileId) -> Result<File> {
        let registry = self.0.registry();
        let adapter = match registry.find_path(name) {
            Some(named) => named.filter(|adapter| adapter.has_protocol_device()),
            None => registry.find(|adapter| {
                adapter.protocol() == OpenVpnAdapter::NUMBER && adapter.has_protocol_device()
            }),
        };
        let adapter = adapter.ok_or(Status::OBJECT_NAME_NOT_FOUND)?;
        adapter.own(id)?;
        Ok(File::of(&*adapter))
    }

    fn control(&self, file: &File, irp: Irp) -> Dispatched {
        // The native ABI's requests may name any adapter.
        if !ovpn_dco::is_code(irp.control_code()) {
            return irp.complete(Status::INVALID_DEVICE_REQUEST, 0);
        }
        self.0.control(file, irp)
    }

    fn read(&self, file: &File, irp: Irp) -> Dispatched {
        self.0.read(file, irp)
    }

    fn write(&self, file: &File, irp: Irp) -> Dispatched {
        self.0.write(file, irp)
    }

    fn cleanup(&self, file: &File, id: FileId) {
        self.0.cleanup(file, id);
    }
}

/// `\\.\ovpn-dco-ver`.
struct Version;

impl ControlDevice for Version {
    type File = ();

    fn open(&self, name: &[u16], _id: FileId) -> Result<()> {
        if name.is_empty() { Ok(()) } else { Err(Status::OBJECT_NAME_NOT_FOUND) }
    }

    fn control(&self, (): &(), irp: Irp) -> Dispatched {
        if irp.control_code() == ovpn_dco::IOCTL_GET_VERSION {
            return answer_version(irp);
        }
        irp.complete(Status::INVALID_DEVICE_REQUEST, 0)
    }

    fn cleanup(&self, (): &(), _id: FileId) {}
}

/// Answers ovpn-dco-win's version.
pub(crate) fn answer_version(irp: Irp) -> Dispatched {
    let version = ovpn_dco::encode_version();
    complete_fixed(irp, Some(version.len()), &version)
}
