//! The list of the driver's adapters.

use alloc::vec::Vec;

use nic_memory::Push;
use nt::lock::SleepMutex;
use nt::{Result, Shared, Status};
use tunic_ioctl::AdapterId;

use crate::any_adapter::AnyAdapter;
use crate::guid;
use crate::name::Name;

/// All adapters of the driver, in the order of their initialization.
pub struct Registry {
    adapters: SleepMutex<Vec<Shared<dyn AnyAdapter>>>,
}

impl Registry {
    /// An empty list.
    pub(crate) fn new() -> Self {
        Self { adapters: SleepMutex::new(Vec::new()) }
    }

    /// Adds an adapter.
    pub(crate) fn add(&self, adapter: Shared<dyn AnyAdapter>) -> Result<()> {
        let mut adapters = self.adapters.lock();
        adapters.try_push(adapter).map_err(|_| Status::INSUFFICIENT_RESOURCES)
    }

    /// Removes an adapter.
    pub(crate) fn remove(&self, adapter: &Shared<dyn AnyAdapter>) {
        let removed = {
            let mut adapters = self.adapters.lock();
            let index = adapters.iter().position(|known| known.is_same(adapter));
            index.map(|index| adapters.remove(index))
        };
        drop(removed);
    }

    /// The first adapter for which `matches` is true. `matches` must not call the registry.
    pub fn find(
        &self,
        matches: impl Fn(&dyn AnyAdapter) -> bool,
    ) -> Option<Shared<dyn AnyAdapter>> {
        self.adapters.lock().iter().find(|adapter| matches(&***adapter)).cloned()
    }

    /// The adapter with this GUID.
    pub fn find_id(&self, id: AdapterId) -> Option<Shared<dyn AnyAdapter>> {
        self.find(|adapter| adapter.id() == id)
    }

    /// The adapter that the path after a device's name selects, by GUID or by name. The outer
    /// `None` means an empty path, the inner `None` that no such adapter exists.
    pub fn find_path(&self, path: &[u16]) -> Option<Option<Shared<dyn AnyAdapter>>> {
        let name = match path {
            [first, rest @ ..] if *first == u16::from(b'\\') => rest,
            name => name,
        };
        if name.is_empty() {
            return None;
        }
        Some(match guid::parse(name) {
            Some(id) => self.find_id(id),
            None => {
                let name = Name::from_utf16(name);
                self.find(|adapter| adapter.name() == name.as_bytes())
            }
        })
    }

    /// Calls `f` with each adapter, under the list's lock. `f` must not call the registry.
    pub fn for_each(&self, mut f: impl FnMut(&Shared<dyn AnyAdapter>)) {
        self.adapters.lock().iter().for_each(&mut f);
    }
}
