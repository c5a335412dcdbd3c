//! The driver's workers: one thread for each processor, shared by all adapters.
//!
//! Work that is small is done where it appears. What is more goes into one bounded queue; a worker
//! is woken only when there is more in the queue than workers that are awake, so a quiet tunnel
//! wakes nobody and a busy one spreads out.

use alloc::vec::Vec;

use nic_engine::protocol::PeerId;
use nic_memory::{Push, Queue};
use nt::lock::SpinMutex;
use nt::semaphore::Semaphore;
use nt::thread::Thread;
use nt::{Result, Shared, Status, processor};

use crate::adapter::{Adapter, AdapterProtocol, TxBatch};
use crate::protocols::AnyJob;
use crate::receive::{self, OpenJob};
use crate::transmit;

/// The most jobs that wait.
const CAPACITY: usize = 1024;

/// The most workers: more processors than that don't help one queue.
const MAXIMUM_WORKERS: u32 = 64;

/// A piece of work, and the adapter that it is for.
pub(crate) struct Job<P: AdapterProtocol> {
    pub(crate) adapter: Shared<Adapter<P>>,
    pub(crate) work: Work<P>,
}

/// What is to be done.
pub(crate) enum Work<P: AdapterProtocol> {
    /// Seal a batch, and send what is in turn.
    Seal(TxBatch<P>),
    /// Open a batch, and indicate what is in turn.
    Open(OpenJob<P>),
    /// Look whether a peer has something to send.
    Pump(PeerId),
}

/// The queue in front of the workers.
pub(crate) struct WorkQueue {
    state: SpinMutex<State>,
    wake: Semaphore,
}

struct State {
    jobs: Queue<AnyJob>,
    /// Workers that exist.
    workers: usize,
    /// Workers that wait to be woken.
    asleep: usize,
    is_stopping: bool,
}

impl WorkQueue {
    /// An empty queue without workers.
    pub(crate) fn new() -> Result<Shared<Self>> {
        let mut jobs = Queue::new();
        jobs.try_reserve(CAPACITY).map_err(|_| Status::INSUFFICIENT_RESOURCES)?;
        let state = State { jobs, workers: 0, asleep: 0, is_stopping: false };
        Shared::new(Self { state: SpinMutex::new(state), wake: Semaphore::new()? })
    }

    /// Adds a job; gives it back where there is no room, and then the caller does it itself.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    pub(crate) fn push<P: AdapterProtocol>(&self, job: Job<P>) -> Option<Job<P>> {
        let mut state = self.state.lock();
        if state.jobs.len() >= CAPACITY || state.is_stopping {
            return Some(job);
        }
        // There is room: `new` made it.
        let _ = state.jobs.push_back(P::any_job(job));
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
        None
    }

    /// Whether jobs wait.
    pub(crate) fn is_busy(&self) -> bool {
        !self.state.lock().jobs.is_empty()
    }

    /// Whether a worker has nothing to do.
    pub(crate) fn has_idle(&self) -> bool {
        self.state.lock().asleep > 0
    }

    /// Does jobs until the workers are to stop.
    fn work(&self) {
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
                None => self.wake.wait(),
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

impl<P: AdapterProtocol> Job<P> {
    /// Does it.
    pub(crate) fn run(self) {
        let Self { adapter, work } = self;
        match work {
            Work::Seal(batch) => transmit::seal_and_pump(&adapter, batch),
            Work::Open(job) => receive::open(&adapter, job),
            Work::Pump(peer) => transmit::pump(&adapter, peer, transmit::PumpContext::Worker),
        }
        // Whatever was dropped meanwhile goes back to the stack.
        adapter.handle.transmit.flush();
    }
}

/// The threads. Dropping them stops them, after the jobs that are in the queue.
pub(crate) struct Workers {
    queue: Shared<WorkQueue>,
    threads: Vec<Thread>,
}

impl Workers {
    /// Starts one thread for each processor; fewer, but at least one, where there is no memory for
    /// more.
    pub(crate) fn start(queue: Shared<WorkQueue>) -> Result<Self> {
        let count = processor::active_count().clamp(1, MAXIMUM_WORKERS) as usize;
        let mut threads = Vec::new();
        threads.try_reserve_exact(count).map_err(|_| Status::INSUFFICIENT_RESOURCES)?;
        let mut workers = Self { queue, threads };
        for _ in 0..count {
            let queue = workers.queue.clone();
            match Thread::spawn(move || queue.work()) {
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

impl Drop for Workers {
    fn drop(&mut self) {
        self.queue.stop();
        self.threads.clear();
    }
}
