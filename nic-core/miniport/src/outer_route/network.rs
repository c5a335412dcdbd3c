//! The network as the driver knows it, for all its adapters.

use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, Ordering};

use nic_memory::Push;
use nt::event::Event;
use nt::ip_changes::{IpChangeListener, IpChanges};
use nt::lock::{SleepMutex, SpinMutex};
use nt::{Result, Shared, Status};

use super::forwarding_table::ForwardingTable;

/// The forwarding table and the registrations for its changes.
///
/// # Locks
/// Its locks are leaves. The sleep lock is held while the stack's tables are read.
pub(crate) struct Network {
    state: SleepMutex<State>,
    changes: Shared<Changes>,
}

#[derive(Default)]
struct State {
    /// Made when an adapter first looks for a route.
    watch: Option<IpChanges<Listener>>,
    /// A table, and the generation when it was read.
    table: Option<(u64, Shared<ForwardingTable>)>,
}

/// What a change of the network does.
struct Changes {
    generation: AtomicU64,
    /// Wakes the adapters' control threads.
    events: SpinMutex<Vec<Shared<Event>>>,
}

/// A reference to it, for the stack.
struct Listener(Shared<Changes>);

impl IpChangeListener for Listener {
    fn changed(&self) {
        self.0.generation.fetch_add(1, Ordering::AcqRel);
        for event in &*self.0.events.lock() {
            event.set();
        }
    }
}

impl Network {
    /// Nothing is read or watched yet.
    pub(crate) fn new() -> Result<Self> {
        let events = SpinMutex::new(Vec::new());
        let changes = Shared::new(Changes { generation: AtomicU64::new(1), events })?;
        Ok(Self { state: SleepMutex::new(State::default()), changes })
    }

    /// Has an event set at each change, until [`Network::forget`].
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    pub(crate) fn wake_at_change(&self, event: Shared<Event>) -> Result<()> {
        let mut events = self.changes.events.lock();
        events.try_push(event).map_err(|_| Status::INSUFFICIENT_RESOURCES)
    }

    /// Forgets an event.
    pub(crate) fn forget(&self, event: &Shared<Event>) {
        let mut events = self.changes.events.lock();
        let at = events.iter().position(|known| known.is_same(event));
        let forgotten = at.map(|at| events.remove(at));
        drop(events);
        drop(forgotten);
    }

    /// Grows with each change.
    pub(crate) fn generation(&self) -> u64 {
        self.changes.generation.load(Ordering::Acquire)
    }

    /// The forwarding table now: read once after each change.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    pub(super) fn table(&self) -> Result<Shared<ForwardingTable>> {
        let mut state = self.state.lock();
        if state.watch.is_none() {
            state.watch = Some(IpChanges::watch(Listener(self.changes.clone()))?);
        }
        let generation = self.generation();
        if let Some((read_at, table)) = &state.table
            && *read_at == generation
        {
            return Ok(table.clone());
        }
        let table = Shared::new(ForwardingTable::read()?)?;
        state.table = Some((generation, table.clone()));
        Ok(table)
    }

    /// Ends the registrations.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    pub(crate) fn stop(&self) {
        let state = core::mem::take(&mut *self.state.lock());
        // Waits for a callback, under no lock.
        drop(state);
    }
}
