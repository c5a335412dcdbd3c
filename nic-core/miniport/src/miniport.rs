//! The driver: its workers, adapters, control device and WSK client.

use alloc::vec::Vec;
use core::marker::PhantomData;

use nic_memory::Push;
use nt::device::DeviceRegistration;
use nt::device_interface::{AdapterDevice, DeviceId};
use nt::extended_state::ExtendedRegisters;
use nt::irp::{Dispatched, FileId, Irp};
use nt::lock::SleepMutex;
use nt::miniport::{AdapterHandle, Attributes, DriverHandle, Miniport, Opened, Opening, Removal};
use nt::nbl::TransmitQueue;
use nt::oid::OidRequest;
use nt::{Passive, Result, Shared, Status};

use crate::VERSION;
use crate::adapter::{self, Keywords, OldestJob};
use crate::any_adapter::AnyAdapter;
use crate::control_device::{self, RequestDispatcher};
use crate::device_group::DeviceGroup;
use crate::devices::Devices;
use crate::outer_route::Network;
use crate::protocols::{LoadedProtocol, NewAdapter, ProtocolList};
use crate::registry::Registry;
use crate::services::Services;
use crate::workers::{WorkQueue, Workers};
use crate::wsk::Wsk;

/// A driver made of this miniport: the protocols that its adapters support.
pub trait Driver: Send + Sync + 'static {
    /// The protocols. The first is the default.
    const PROTOCOLS: ProtocolList;
}

/// The miniport of a driver.
pub struct Tunic<D: Driver> {
    registry: Shared<Registry>,
    services: Services,
    protocols: Vec<Shared<dyn LoadedProtocol>>,
    workers: SleepMutex<Option<Workers<OldestJob>>>,
    /// `\Device\Tunic`.
    control_device: DeviceGroup<DeviceRegistration>,
    /// The devices that NDIS made for the adapters.
    devices: Devices,
    driver: PhantomData<D>,
}

impl<D: Driver> Tunic<D> {
    fn dispatcher(&self) -> RequestDispatcher {
        RequestDispatcher::new(self.registry.clone(), D::PROTOCOLS)
    }

    /// Halts an adapter, waits until its last reference is released, and removes the devices that
    /// nobody needs any more.
    fn end(&self, adapter: Shared<dyn AnyAdapter>, passive: Passive) {
        let (protocol, uses_devices) = (adapter.protocol(), adapter.has_protocol_device());
        let released = adapter.halt();
        drop(adapter);
        released.wait(passive);
        for loaded in &self.protocols {
            loaded.ended(protocol, uses_devices);
        }
        self.control_device.remove_adapter();
    }
}

impl<D: Driver> Miniport for Tunic<D> {
    const VERSION: (u8, u8) = VERSION;
    type Adapter = Shared<dyn AnyAdapter>;

    fn load(passive: Passive) -> Result<Self> {
        let worker_queue = WorkQueue::new()?;
        let workers = Workers::start(worker_queue.clone())?;
        let mut protocols: Vec<Shared<dyn LoadedProtocol>> = Vec::new();
        for protocol in D::PROTOCOLS {
            protocols.try_push(protocol.load()?).map_err(|_| Status::INSUFFICIENT_RESOURCES)?;
        }
        let registry = Shared::new(Registry::new())?;
        Ok(Self {
            registry: registry.clone(),
            services: Services {
                wsk: Shared::new(Wsk::new())?,
                network: Shared::new(Network::new()?)?,
                registry,
                registers: ExtendedRegisters::detect(passive),
                worker_queue,
            },
            protocols,
            workers: SleepMutex::new(Some(workers)),
            control_device: DeviceGroup::new(),
            devices: Devices::new(),
            driver: PhantomData,
        })
    }

    fn unload(&self) {
        let workers = self.workers.lock().take();
        drop(workers);
        self.services.network.stop();
        self.services.wsk.detach();
    }

    fn initialize(
        &self,
        driver: &DriverHandle,
        handle: AdapterHandle,
        passive: Passive,
    ) -> Result<(Self::Adapter, Attributes)> {
        let keywords = Keywords::read(&handle)?;
        let asked_for =
            |protocol: &&Shared<dyn LoadedProtocol>| keywords.asks_for(protocol.keyword());
        let protocol = self.protocols.iter().find(asked_for).ok_or(Status::NOT_SUPPORTED)?;
        let dispatcher = &self.dispatcher();
        let services = &self.services;
        let new = NewAdapter { driver, dispatcher, services, handle, keywords: &keywords };
        self.control_device.add_adapter(|| control_device::register(driver, dispatcher))?;
        let adapter = match protocol.initialize(new, passive) {
            Ok(adapter) => adapter,
            Err(status) => {
                self.control_device.remove_adapter();
                return Err(status);
            }
        };
        if let Err(status) = self.registry.add(adapter.clone()) {
            self.end(adapter, passive);
            return Err(status);
        }
        Ok((adapter, adapter::attributes(&keywords)))
    }

    fn initialized(&self, adapter: &Self::Adapter, device: &AdapterDevice) -> Result<()> {
        self.devices.add(device, adapter)
    }

    fn halt(&self, adapter: Self::Adapter, passive: Passive) {
        self.devices.remove(&adapter);
        self.registry.remove(&adapter);
        self.end(adapter, passive);
    }

    fn restart(&self, adapter: &Self::Adapter) -> Result<()> {
        adapter.restart();
        Ok(())
    }

    fn pause(&self, adapter: &Self::Adapter, passive: Passive) {
        adapter.pause(passive);
    }

    fn oid_request(&self, adapter: &Self::Adapter, request: OidRequest<'_>) -> Status {
        adapter.oid_request(request)
    }

    fn send(&self, adapter: &Self::Adapter, packets: TransmitQueue) {
        adapter.send(packets);
    }

    fn removed(&self, adapter: &Self::Adapter) {
        adapter.removed();
    }

    fn open_on_device(&self, device: DeviceId, opening: &Opening<'_>) -> Opened {
        self.devices.open(device, opening)
    }

    fn file_request(&self, device: DeviceId, irp: Irp) -> Dispatched {
        self.devices.file_request(&self.dispatcher(), device, irp)
    }

    fn file_closed(&self, device: DeviceId, file: FileId) {
        self.devices.closed(device, file, true);
    }

    fn device_control(&self, device: DeviceId, irp: Irp) -> core::result::Result<Dispatched, Irp> {
        self.devices.device_control(&self.dispatcher(), device, irp)
    }

    fn device_file_closed(&self, device: DeviceId, file: FileId) {
        self.devices.closed(device, file, false);
    }

    fn device_removal(&self, device: DeviceId, step: Removal) {
        self.devices.removal(device, step);
    }
}
