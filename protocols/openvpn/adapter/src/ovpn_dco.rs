//! Devices with ovpn-dco-win's names, for programs that know only those.
//!
//! * `\\.\ovpn-dco` is the first adapter whose keyword `TunicOvpnDco` is set, `\\.\ovpn-dco\NAME`
//!   the one with that name or GUID. The file that opens it owns the adapter until it is closed.
//!   Every user may open it, so it accepts ovpn-dco-win's requests only.
//! * `\\.\ovpn-dco-ver` answers the version to every user.
//!
//! They are created with the first such adapter and removed with the last. Files that are open then
//! stay, and find no adapter.
//!
//! OpenVPN itself opens the interface that the adapter's own device has, by the reference string
//! `ovpn-dco`: see [`DEVICE`].

use nic_miniport::AdapterProtocol;
use nic_miniport::answer::complete_fixed;
use nic_miniport::control_device::{File, RequestDispatcher};
use nic_miniport::own_device::DeviceAbi;
use nic_miniport::utf16;
use nt::device::{ControlDevice, DeviceName, DeviceRegistration};
use nt::irp::{Dispatched, FileId, Irp};
use nt::miniport::DriverHandle;
use nt::security::{ALL, Descriptor, READ_EXECUTE, READ_WRITE_EXECUTE, Sid};
use nt::{Result, Shared, Status};
use tunic_ioctl::ovpn_dco;

use crate::channel::OpenVpnAdapter;

/// That of ovpn-dco-win 2.8.6: OpenVPN clients are not administrators.
static GUARD: Descriptor = Descriptor::allowing(&[
    (ALL, Sid::SYSTEM),
    (ALL, Sid::ADMINISTRATORS),
    (READ_WRITE_EXECUTE, Sid::EVERYONE),
    (READ_EXECUTE, Sid::RESTRICTED),
]);

/// What OpenVPN finds on an adapter's own device.
pub(crate) const DEVICE: DeviceAbi = DeviceAbi {
    name: &utf16!("ovpn-dco"),
    name_guard: &GUARD,
    is_named_code: ovpn_dco::is_code,
    ..DeviceAbi::NONE
};

/// `\\.\ovpn-dco` and `\\.\ovpn-dco-ver`.
pub struct OvpnDcoDevices {
    /// Held for its drop.
    _adapters: DeviceRegistration,
    /// Likewise.
    _version: DeviceRegistration,
}

impl OvpnDcoDevices {
    /// Creates the devices.
    ///
    /// # Errors
    /// `OBJECT_NAME_COLLISION` if ovpn-dco-win has the names.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    pub(crate) fn new(driver: &DriverHandle, dispatcher: &RequestDispatcher) -> Result<Self> {
        let name = DeviceName {
            device: &utf16!("\\Device\\Tunic-ovpn-dco"),
            symbolic_link: &utf16!("\\DosDevices\\ovpn-dco"),
            sddl: &utf16!("D:P(A;;GA;;;SY)(A;;GA;;;BA)(A;;GRGWGX;;;WD)(A;;GRGX;;;RC)"),
        };
        let adapters = Shared::new(Adapters(dispatcher.clone()))?;
        let adapters = DeviceRegistration::new(driver, &name, adapters)?;
        let name = DeviceName {
            device: &utf16!("\\Device\\Tunic-ovpn-dco-ver"),
            symbolic_link: &utf16!("\\DosDevices\\ovpn-dco-ver"),
            sddl: &utf16!("D:P(A;;GA;;;SY)(A;;GA;;;BA)(A;;GR;;;WD)(A;;GR;;;RC)"),
        };
        let version = DeviceRegistration::new(driver, &name, Shared::new(Version)?)?;
        Ok(Self { _adapters: adapters, _version: version })
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
