//! The driver's workers: one thread for each processor, shared by all adapters.
//!
//! Small batches are processed on the caller's thread; large ones go into one bounded queue. A
//! worker is woken only if there are more jobs than awake workers: an idle tunnel wakes none, and a
//! busy one uses several processors.

use alloc::vec::Vec;

use nic_memory::{Push, Queue};
use nt::lock::SpinMutex;
use nt::semaphore::Semaphore;
use nt::thread::Thread;
use nt::{Passive, Result, Shared, Status, processor};

/// The maximum number of queued jobs.
pub(crate) const MAX_JOBS: usize = 1024;

/// The maximum number of workers. One queue does not scale to more processors.
const MAX_WORKERS: u32 = 64;

/// A job for a worker.
pub(crate) trait Job: Send + 'static {
    /// Runs the job.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    fn run(self);
}

/// The queue in front of the workers.
pub(crate) struct WorkQueue<J> {
    state: SpinMutex<State<J>>,
    wake: Semaphore,
}

struct State<J> {
    jobs: Queue<J>,
    /// Workers that exist.
    workers: usize,
    /// Workers that are asleep.
    asleep: usize,
    is_stopping: bool,
}

impl<J: Job> WorkQueue<J> {
    /// An empty queue without workers.
    pub(crate) fn new() -> Result<Shared<Self>> {
        let mut jobs = Queue::new();
        jobs.try_reserve(MAX_JOBS).map_err(|_| Status::INSUFFICIENT_RESOURCES)?;
        let state = State { jobs, workers: 0, asleep: 0, is_stopping: false };
        Shared::new(Self { state: SpinMutex::new(state), wake: Semaphore::new()? })
    }

    /// Adds a job. Returns it if the queue is full; the caller then runs it itself.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    pub(crate) fn push(&self, job: J) -> core::result::Result<(), J> {
        let mut state = self.state.lock();
        if state.jobs.len() >= MAX_JOBS || state.is_stopping {
            return Err(job);
        }
        // `new` has reserved the capacity.
        state.jobs.push_back(job)?;
        let awake = state.workers.saturating_sub(state.asleep);
        let is_more_than_awake = state.jobs.len() > awake;
        let wakes = is_more_than_awake && state.asleep > 0;
        if wakes {
            state.asleep = state.asleep.saturating_sub(1);
        }
        drop(state);
        if wakes {
            self.wake.release(1);
        }
        Ok(())
    }

    /// Whether jobs are queued.
    pub(crate) fn is_busy(&self) -> bool {
        !self.state.lock().jobs.is_empty()
    }

    /// Whether a worker is idle.
    pub(crate) fn has_idle(&self) -> bool {
        self.state.lock().asleep > 0
    }

    /// Runs jobs until the workers are stopped.
    fn work(&self, passive: Passive) {
        loop {
            let mut state = self.state.lock();
            let job = state.jobs.pop_front();
            if job.is_none() {
                if state.is_stopping {
                    return;
                }
                state.asleep = state.asleep.saturating_add(1);
            }
            drop(state);
            match job {
                Some(job) => job.run(),
                None => self.wake.wait(passive),
            }
        }
    }

    fn stop(&self) {
        let mut state = self.state.lock();
        state.is_stopping = true;
        let asleep = core::mem::take(&mut state.asleep);
        drop(state);
        self.wake.release(u16::try_from(asleep).unwrap_or(u16::MAX));
    }
}

/// The worker threads. Drop runs the jobs that are queued, and then stops the threads.
pub(crate) struct Workers<J: Job> {
    queue: Shared<WorkQueue<J>>,
    threads: Vec<Thread>,
}

impl<J: Job> Workers<J> {
    /// Starts one thread per processor; fewer, but at least one, if memory runs out.
    pub(crate) fn start(queue: Shared<WorkQueue<J>>) -> Result<Self> {
        let count = processor::active_count().clamp(1, MAX_WORKERS) as usize;
        let mut threads = Vec::new();
        threads.try_reserve_exact(count).map_err(|_| Status::INSUFFICIENT_RESOURCES)?;
        let mut workers = Self { queue, threads };
        for _ in 0..count {
            let queue = workers.queue.clone();
            match Thread::spawn(move |passive| queue.work(passive)) {
                Ok(thread) => workers
                    .threads
                    .push_in_capacity(thread)
                    .map_err(|_| Status::INSUFFICIENT_RESOURCES)?,
                Err(status) if workers.threads.is_empty() => return Err(status),
                Err(_) => break,
            }
            let mut state = workers.queue.state.lock();
            state.workers = state.workers.saturating_add(1);
        }
        Ok(workers)
    }
}

impl<J: Job> Drop for Workers<J> {
    fn drop(&mut self) {
        self.queue.stop();
        self.threads.clear();
    }
}
