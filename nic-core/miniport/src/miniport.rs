//! The driver as a whole: its workers, adapters, control device and attachment to WSK.

use alloc::vec::Vec;

use nic_memory::Push;
use nt::device::{DeviceName, DeviceRegistration};
use nt::lock::SleepMutex;
use nt::miniport::{AdapterHandle, Attributes, DriverHandle, Miniport};
use nt::nbl::TransmitQueue;
use nt::oid::OidRequest;
use nt::wsk::WskClient;
use nt::{Result, Shared, Status};
use tunic_ioctl::AdapterId;

use crate::adapter::{self, Keywords};
use crate::control::ControlPoint;
use crate::guid::{self, utf16};
use crate::ovpn_dco::OvpnDco;
use crate::protocols::AnyAdapter;
use crate::workers::{WorkQueue, Workers};
use crate::{VERSION, transmit};

/// The driver.
pub(crate) struct Tunic {
    core: Shared<Core>,
    workers: SleepMutex<Option<Workers>>,
    control_device: SleepMutex<Option<DeviceRegistration<ControlPoint>>>,
    ovpn_dco: OvpnDco,
}

/// What adapters and requests share.
pub(crate) struct Core {
    pub(crate) work: Shared<WorkQueue>,
    /// In the order in which they came.
    adapters: SleepMutex<Vec<AnyAdapter>>,
    /// Attached when the first adapter comes up.
    wsk: SleepMutex<Option<WskClient>>,
}

impl Core {
    /// Makes an adapter known.
    pub(crate) fn add(&self, adapter: AnyAdapter) -> Result<()> {
        let mut adapters = self.adapters.lock();
        adapters.try_push(adapter).map_err(|_| Status::INSUFFICIENT_RESOURCES)
    }

    /// Makes an adapter unknown.
    pub(crate) fn remove(&self, adapter: &AnyAdapter) {
        let removed = {
            let mut adapters = self.adapters.lock();
            let place = adapters.iter().position(|known| known.is_same(adapter));
            place.map(|place| adapters.remove(place))
        };
        drop(removed);
    }

    /// The adapter with this GUID.
    pub(crate) fn find(&self, id: AdapterId) -> Option<AnyAdapter> {
        self.adapters.lock().iter().find(|adapter| adapter.id() == id).cloned()
    }

    /// The adapter with this name, UTF-8.
    pub(crate) fn find_name(&self, name: &[u8]) -> Option<AnyAdapter> {
        self.adapters.lock().iter().find(|adapter| adapter.name() == name).cloned()
    }

    /// What is called so behind a device's own name: an adapter by its GUID or name, if there is
    /// such a one. `None` where there is nothing behind.
    pub(crate) fn find_path(&self, path: &[u16]) -> Option<Option<AnyAdapter>> {
        let name = match path {
            [first, rest @ ..] if *first == u16::from(b'\\') => rest,
            name => name,
        };
        if name.is_empty() {
            return None;
        }
        Some(match guid::parse(name) {
            Some(id) => self.find(id),
            None => self.find_name(adapter::Name::from_utf16(name).as_bytes()),
        })
    }

    /// The first adapter that programs find as ovpn-dco-win's.
    pub(crate) fn first_ovpn_dco(&self) -> Option<AnyAdapter> {
        self.adapters.lock().iter().find(|adapter| adapter.is_ovpn_dco()).cloned()
    }

    /// Calls `f` with each adapter. It must not make any known or unknown.
    pub(crate) fn for_each(&self, mut f: impl FnMut(&AnyAdapter)) {
        self.adapters.lock().iter().for_each(&mut f);
    }

    /// The attachment to WSK, which is made now where there is none: WSK may not be there yet when
    /// drivers start.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    pub(crate) fn wsk(&self) -> Result<WskClient> {
        let mut wsk = self.wsk.lock();
        if let Some(client) = &*wsk {
            return Ok(client.clone());
        }
        let client = WskClient::attach()?;
        *wsk = Some(client.clone());
        Ok(client)
    }
}

impl Miniport for Tunic {
    const VERSION: (u8, u8) = VERSION;
    type Adapter = AnyAdapter;

    fn load() -> Result<Self> {
        let work = WorkQueue::new()?;
        let workers = Workers::start(work.clone())?;
        let core = Core { work, adapters: SleepMutex::new(Vec::new()), wsk: SleepMutex::new(None) };
        Ok(Self {
            core: Shared::new(core)?,
            workers: SleepMutex::new(Some(workers)),
            control_device: SleepMutex::new(None),
            ovpn_dco: OvpnDco::new(),
        })
    }

    fn registered(&self, driver: &DriverHandle) -> Result<()> {
        let name = DeviceName {
            device: &utf16!("\\Device\\Tunic"),
            symbolic_link: &utf16!("\\DosDevices\\Tunic"),
            // SYSTEM and Administrators, nobody else.
            sddl: &utf16!("D:P(A;;GA;;;SY)(A;;GA;;;BA)"),
        };
        let device = Shared::new(ControlPoint::new(self.core.clone()))?;
        let registration = DeviceRegistration::new(driver, &name, device)?;
        *self.control_device.lock() = Some(registration);
        Ok(())
    }

    fn unload(&self) {
        self.ovpn_dco.remove();
        let control_device = self.control_device.lock().take();
        drop(control_device);
        let workers = self.workers.lock().take();
        drop(workers);
        let wsk = self.core.wsk.lock().take();
        drop(wsk);
    }

    fn initialize(
        &self,
        driver: &DriverHandle,
        handle: AdapterHandle,
    ) -> Result<(Self::Adapter, Attributes)> {
        let keywords = Keywords::read(&handle)?;
        if keywords.is_ovpn_dco() {
            self.ovpn_dco.offer(driver, &self.core)?;
        }
        adapter::initialize(&self.core, handle, &keywords)
    }

    fn halt(&self, adapter: Self::Adapter) {
        with_adapter!(adapter, adapter => adapter::halt(&self.core, adapter));
    }

    fn restart(&self, adapter: &Self::Adapter) -> Result<()> {
        with_adapter!(adapter, adapter => adapter::restart(adapter));
        Ok(())
    }

    fn pause(&self, adapter: &Self::Adapter) {
        with_adapter!(adapter, adapter => adapter::pause(adapter));
    }

    fn oid_request(&self, adapter: &Self::Adapter, request: OidRequest<'_>) -> Status {
        with_adapter!(adapter, adapter => adapter::oid_request(adapter, request))
    }

    fn send(&self, adapter: &Self::Adapter, packets: TransmitQueue) {
        with_adapter!(adapter, adapter => transmit::submit(adapter, packets));
    }

    fn removed(&self, adapter: &Self::Adapter) {
        with_adapter!(adapter, adapter => adapter::removed(adapter));
    }
}
