//! The driver-wide objects that adapters share.

use nt::Shared;

use crate::adapter::WorkerQueue;
use crate::wsk::Wsk;

/// The driver-wide objects that adapters share.
#[derive(Clone)]
pub(crate) struct Services {
    /// The WSK client.
    pub(crate) wsk: Shared<Wsk>,
    /// The queue of the worker threads.
    pub(crate) worker_queue: Shared<WorkerQueue>,
}
