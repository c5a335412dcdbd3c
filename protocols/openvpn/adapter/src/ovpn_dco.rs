//! ovpn-dco-win's own devices, for programs that know no other names.
//!
//! * `\\.\ovpn-dco` is the first adapter whose keyword `TunicOvpnDco` is set, `\\.\ovpn-dco\NAME`
//!   the one with that name or GUID. Who opens it owns the adapter until the file is closed. It
//!   takes ovpn-dco-win's requests alone, as anybody may open it.
//! * `\\.\ovpn-dco-ver` tells anybody the version.
//!
//! They come with the first such adapter, and stay until the driver goes: an NDIS device can't be
//! removed under open files.

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

/// The devices, once an adapter wants them.
pub struct OvpnDcoDevices {
    adapters: SleepMutex<Option<DeviceRegistration<Adapters>>>,
    version: SleepMutex<Option<DeviceRegistration<Version>>>,
}

impl OvpnDcoDevices {
    /// None yet.
    pub(crate) fn new() -> Self {
        Self { adapters: SleepMutex::new(None), version: SleepMutex::new(None) }
    }

    /// Makes those that are not there.
    ///
    /// # Errors
    /// `OBJECT_NAME_COLLISION` where ovpn-dco-win has them.
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
                // As ovpn-dco-win has it: OpenVPN's clients are not administrators.
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

    /// Removes them.
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
