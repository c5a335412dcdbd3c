//! The devices that NDIS made for the driver's adapters, and the requests for them.

use alloc::vec::Vec;

use nic_memory::Push;
use nt::device_interface::{AdapterDevice, DeviceId, DeviceInterface};
use nt::irp::{Dispatched, FileId, Irp, Origin, RequestKind};
use nt::lock::SleepMutex;
use nt::miniport::{Opened, Opening, Removal};
use nt::{Result, Shared, Status, security};

use crate::any_adapter::AnyAdapter;
use crate::control_device::RequestDispatcher;

/// The devices of adapters that are initialized and not yet halted.
///
/// # Locks
/// A leaf: nothing is called under it.
pub(crate) struct Devices {
    entries: SleepMutex<Vec<Entry>>,
}

struct Entry {
    device: DeviceId,
    adapter: Shared<dyn AnyAdapter>,
    /// The interface of its protocol.
    interface: Option<Shared<DeviceInterface>>,
    /// It is being removed, or somebody asks whether it can be.
    is_removing: bool,
}

/// An entry, as a request finds it.
struct Found {
    adapter: Shared<dyn AnyAdapter>,
    is_removing: bool,
}

impl Devices {
    /// No devices.
    pub(crate) fn new() -> Self {
        Self { entries: SleepMutex::new(Vec::new()) }
    }

    /// Adds an adapter's device, and its protocol's interface. At the end of MiniportInitializeEx.
    pub(crate) fn add(
        &self,
        device: &AdapterDevice,
        adapter: &Shared<dyn AnyAdapter>,
    ) -> Result<()> {
        let name = adapter.device_abi().name;
        let has_interface =
            !name.is_empty() && adapter.has_protocol_device() && device.has_kernel_buffers();
        let interface =
            if has_interface { Some(Shared::new(device.register_interface(name)?)?) } else { None };
        let entry = Entry {
            device: device.id(),
            adapter: adapter.clone(),
            interface: interface.clone(),
            is_removing: false,
        };
        let added = self.entries.lock().try_push(entry);
        added.map_err(|_| Status::INSUFFICIENT_RESOURCES)?;
        if let Some(interface) = interface {
            interface.enable()?;
        }
        Ok(())
    }

    /// Removes an adapter's device, and disables its interface. At the beginning of MiniportHaltEx.
    pub(crate) fn remove(&self, adapter: &Shared<dyn AnyAdapter>) {
        let removed = {
            let mut entries = self.entries.lock();
            let index = entries.iter().position(|entry| entry.adapter.is_same(adapter));
            index.map(|index| entries.remove(index))
        };
        // The interface is disabled here, under no lock.
        drop(removed);
    }

    /// Opens a file by the reference string of the protocol's interface.
    pub(crate) fn open(&self, device: DeviceId, opening: &Opening<'_>) -> Opened {
        let Some(Found { adapter, is_removing }) = self.find(device) else {
            return Opened::PassedOn;
        };
        if is_removing {
            return Opened::Refused(Status::DEVICE_REMOVED);
        }
        let abi = adapter.device_abi();
        if !adapter.has_protocol_device() || !abi.is_name(opening.name) {
            return Opened::PassedOn;
        }
        let opened = security::check(abi.name_guard, opening.access, opening.mode)
            .and_then(|()| adapter.own(opening.file));
        match opened {
            Ok(()) => Opened::Here,
            Err(status) => Opened::Refused(status),
        }
    }

    /// Handles a request of a file of the interface.
    pub(crate) fn file_request(
        &self,
        dispatcher: &RequestDispatcher,
        device: DeviceId,
        irp: Irp,
    ) -> Dispatched {
        let Some(Found { adapter, .. }) = self.find(device).filter(|found| !found.is_removing)
        else {
            return irp.complete(Status::DEVICE_REMOVED, 0);
        };
        let dispatched = match irp.kind() {
            RequestKind::Read => adapter.read(irp),
            RequestKind::Write => adapter.write(irp),
            RequestKind::Control if (adapter.device_abi().is_named_code)(irp.control_code()) => {
                dispatcher.request_of(&adapter, irp)
            }
            RequestKind::Control => irp.complete(Status::INVALID_DEVICE_REQUEST, 0),
        };
        self.end_waiting(device, &adapter);
        dispatched
    }

    /// Handles a control of a file of NDIS's, or gives it back.
    pub(crate) fn device_control(
        &self,
        dispatcher: &RequestDispatcher,
        device: DeviceId,
        irp: Irp,
    ) -> core::result::Result<Dispatched, Irp> {
        let Some(Found { adapter, is_removing }) = self.find(device) else { return Err(irp) };
        let abi = adapter.device_abi();
        let Some(access) = abi.access(irp.control_code()) else { return Err(irp) };
        if let Err(status) = security::check(abi.codes_guard, access, irp.requestor_mode()) {
            return Ok(irp.complete(status, 0));
        }
        if is_removing {
            return Ok(irp.complete(Status::DEVICE_REMOVED, 0));
        }
        let dispatched = dispatcher.request_of(&adapter, irp);
        self.end_waiting(device, &adapter);
        Ok(dispatched)
    }

    /// The last handle to a file of the interface was closed. `is_owner` says whether it can own
    /// the adapter.
    pub(crate) fn closed(&self, device: DeviceId, file: FileId, is_owner: bool) {
        if let Some(Found { adapter, .. }) = self.find(device) {
            adapter.cancel_of(file.into());
            if is_owner {
                adapter.closed(file);
            }
        }
    }

    /// A step of a device's removal. Requests that wait on it keep files open, which veto it: they
    /// end.
    pub(crate) fn removal(&self, device: DeviceId, step: Removal) {
        let found = {
            let mut entries = self.entries.lock();
            let entry = entries.iter_mut().find(|entry| entry.device == device);
            entry.map(|entry| {
                entry.is_removing = step != Removal::CalledOff;
                (entry.adapter.clone(), entry.interface.clone())
            })
        };
        let Some((adapter, interface)) = found else { return };
        if step != Removal::CalledOff {
            adapter.cancel_of(device.into());
        }
        if step == Removal::Surprise
            && let Some(interface) = interface
        {
            interface.disable();
        }
    }

    /// Ends requests that were queued while somebody asked whether the device can be removed.
    fn end_waiting(&self, device: DeviceId, adapter: &Shared<dyn AnyAdapter>) {
        if self.find(device).is_none_or(|found| found.is_removing) {
            adapter.cancel_of(Origin::from(device));
        }
    }

    fn find(&self, device: DeviceId) -> Option<Found> {
        let entries = self.entries.lock();
        let entry = entries.iter().find(|entry| entry.device == device)?;
        Some(Found { adapter: entry.adapter.clone(), is_removing: entry.is_removing })
    }
}
