//! What adapters use of the driver.

use nt::Shared;

use crate::adapter::WorkerQueue;
use crate::wsk::Wsk;

/// What adapters use of the driver.
#[derive(Clone)]
pub(crate) struct Services {
    /// Its attachment to WSK.
    pub(crate) wsk: Shared<Wsk>,
    /// The queue of its workers.
    pub(crate) worker_queue: Shared<WorkerQueue>,
}
