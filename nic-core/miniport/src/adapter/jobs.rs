//! An adapter's jobs for the workers.
//!
//! The jobs of adapters differ in size and type. Each adapter keeps its own jobs, and the workers'
//! queue holds one [`OldestJob`] per job, so that the jobs of all adapters run in the order in
//! which they were queued.

use nic_memory::Queue;
use nt::lock::SpinMutex;
use nt::{Result, Shared, Status};

use crate::workers::{Job, MAX_JOBS, WorkQueue};

/// The workers' queue.
pub(crate) type WorkerQueue = WorkQueue<OldestJob>;

/// An entry of the workers' queue: runs the oldest job of one adapter.
pub(crate) struct OldestJob(Shared<dyn RunOldest>);

impl Job for OldestJob {
    fn run(self) {
        self.0.run_oldest();
    }
}

/// The jobs of an adapter of any protocol.
trait RunOldest: Send + Sync {
    /// Removes the oldest job and runs it.
    fn run_oldest(&self);
}

/// The jobs of one adapter.
pub(crate) struct Jobs<J: Job> {
    waiting: Shared<Waiting<J>>,
    /// The same object, as a trait object.
    as_object: Shared<dyn RunOldest>,
    worker_queue: Shared<WorkerQueue>,
}

struct Waiting<J>(SpinMutex<Queue<J>>);

impl<J: Job> RunOldest for Waiting<J> {
    fn run_oldest(&self) {
        let job = self.0.lock().pop_front();
        if let Some(job) = job {
            job.run();
        }
    }
}

impl<J: Job> Jobs<J> {
    /// No jobs yet.
    pub(crate) fn new(worker_queue: Shared<WorkerQueue>) -> Result<Self> {
        let mut jobs = Queue::new();
        jobs.try_reserve(MAX_JOBS).map_err(|_| Status::INSUFFICIENT_RESOURCES)?;
        let waiting = Shared::new(Waiting(SpinMutex::new(jobs)))?;
        let as_object = waiting.clone().unsize::<dyn RunOldest>(|inner| inner);
        Ok(Self { waiting, as_object, worker_queue })
    }

    /// Queues a job for the workers. Returns it if the queue is full; the caller then runs it
    /// itself.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    ///
    /// # Locks
    /// Takes the spin lock of the adapter's jobs, then that of the workers' queue.
    pub(crate) fn push(&self, job: J) -> core::result::Result<(), J> {
        let mut waiting = self.waiting.0.lock();
        if waiting.len() >= MAX_JOBS {
            return Err(job);
        }
        // A worker that already has the entry waits for this lock, and then finds the job.
        if self.worker_queue.push(OldestJob(self.as_object.clone())).is_err() {
            return Err(job);
        }
        // `new` has reserved the capacity.
        waiting.push_back(job)
    }

    /// Whether jobs are queued, of this adapter or another one.
    pub(crate) fn is_busy(&self) -> bool {
        self.worker_queue.is_busy()
    }

    /// Whether a worker is idle.
    pub(crate) fn has_idle(&self) -> bool {
        self.worker_queue.has_idle()
    }
}
