//! The driver: its workers, adapters, control device and WSK client.

use alloc::vec::Vec;
use core::marker::PhantomData;

use nic_memory::Push;
use nt::device::{DeviceName, DeviceRegistration};
use nt::lock::SleepMutex;
use nt::miniport::{AdapterHandle, Attributes, DriverHandle, Miniport};
use nt::nbl::TransmitQueue;
use nt::oid::OidRequest;
use nt::{Passive, Result, Shared, Status};

use crate::adapter::{self, Keywords, OldestJob};
use crate::any_adapter::AnyAdapter;
use crate::control_device::RequestDispatcher;
use crate::outer_route::Network;
use crate::protocols::{LoadedProtocol, NewAdapter, ProtocolList};
use crate::registry::Registry;
use crate::services::Services;
use crate::workers::{WorkQueue, Workers};
use crate::wsk::Wsk;
use crate::{VERSION, utf16};

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
    control_device: SleepMutex<Option<DeviceRegistration<RequestDispatcher>>>,
    driver: PhantomData<D>,
}

impl<D: Driver> Tunic<D> {
    fn dispatcher(&self) -> RequestDispatcher {
        RequestDispatcher::new(self.registry.clone(), D::PROTOCOLS)
    }

    /// Halts an adapter, and waits until its last reference is released.
    fn end(adapter: Shared<dyn AnyAdapter>, passive: Passive) {
        let released = adapter.halt();
        drop(adapter);
        released.wait(passive);
    }
}

impl<D: Driver> Miniport for Tunic<D> {
    const VERSION: (u8, u8) = VERSION;
    type Adapter = Shared<dyn AnyAdapter>;

    fn load() -> Result<Self> {
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
                worker_queue,
            },
            protocols,
            workers: SleepMutex::new(Some(workers)),
            control_device: SleepMutex::new(None),
            driver: PhantomData,
        })
    }

    fn registered(&self, driver: &DriverHandle) -> Result<()> {
        let name = DeviceName {
            device: &utf16!("\\Device\\Tunic"),
            symbolic_link: &utf16!("\\DosDevices\\Tunic"),
            // SYSTEM and Administrators only.
            sddl: &utf16!("D:P(A;;GA;;;SY)(A;;GA;;;BA)"),
        };
        let device = Shared::new(self.dispatcher())?;
        let registration = DeviceRegistration::new(driver, &name, device)?;
        *self.control_device.lock() = Some(registration);
        Ok(())
    }

    fn unload(&self) {
        for protocol in &self.protocols {
            protocol.unload();
        }
        let control_device = self.control_device.lock().take();
        drop(control_device);
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
        let adapter = protocol.initialize(new, passive)?;
        if let Err(status) = self.registry.add(adapter.clone()) {
            Self::end(adapter, passive);
            return Err(status);
        }
        Ok((adapter, adapter::attributes(&keywords)))
    }

    fn halt(&self, adapter: Self::Adapter, passive: Passive) {
        self.registry.remove(&adapter);
        Self::end(adapter, passive);
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
}
