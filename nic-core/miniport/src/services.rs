//! The driver-wide objects that adapters share.

use nt::Shared;
use nt::extended_state::ExtendedRegisters;

use crate::adapter::WorkerQueue;
use crate::outer_route::Network;
use crate::registry::Registry;
use crate::wsk::Wsk;

/// The driver-wide objects that adapters share.
#[derive(Clone)]
pub(crate) struct Services {
    /// The WSK client.
    pub(crate) wsk: Shared<Wsk>,
    /// The routes that datagrams take.
    pub(crate) network: Shared<Network>,
    /// The driver's adapters.
    pub(crate) registry: Shared<Registry>,
    /// The registers that AEADs may use.
    pub(crate) registers: ExtendedRegisters,
    /// The queue of the worker threads.
    pub(crate) worker_queue: Shared<WorkerQueue>,
}
