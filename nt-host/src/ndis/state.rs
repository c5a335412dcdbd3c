//! The states of an adapter (windows-driver-docs, "Miniport Adapter States and Operations").

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nt_sys::ndis::NDIS_STATUS;

use crate::violation::{Rule, stop};

/// A state of an adapter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum State {
    /// Not present.
    Halted,
    /// In MiniportInitializeEx.
    Initializing,
    /// No data flows.
    Paused,
    /// From MiniportRestart to its completion.
    Restarting,
    /// Data flows.
    Running,
    /// From MiniportPause to its completion.
    Pausing,
}

/// The state, and the completion of a transition.
pub(super) struct StateMachine {
    transition: Mutex<Transition>,
    completed: Condvar,
    /// A copy of the state, readable without the lock.
    state: AtomicU8,
}

struct Transition {
    state: State,
    completion: Option<NDIS_STATUS>,
}

impl StateMachine {
    pub(super) fn new() -> Self {
        Self {
            transition: Mutex::new(Transition { state: State::Halted, completion: None }),
            completed: Condvar::new(),
            state: AtomicU8::new(State::Halted as u8),
        }
    }

    /// The state.
    pub(super) fn state(&self) -> State {
        match self.state.load(Ordering::SeqCst) {
            1 => State::Initializing,
            2 => State::Paused,
            3 => State::Restarting,
            4 => State::Running,
            5 => State::Pausing,
            _ => State::Halted,
        }
    }

    /// Changes the state from `from` to `to`. Returns the actual state if it is not `from`.
    pub(super) fn go(&self, from: State, to: State) -> Result<(), State> {
        let mut transition = self.lock();
        if transition.state != from {
            return Err(transition.state);
        }
        transition.state = to;
        transition.completion = None;
        self.state.store(to as u8, Ordering::SeqCst);
        Ok(())
    }

    /// Records the completion of a transition. Returns false if none is in progress, or if it was
    /// completed before.
    pub(super) fn complete(&self, during: State, status: NDIS_STATUS) -> bool {
        let mut transition = self.lock();
        if transition.state != during || transition.completion.is_some() {
            return false;
        }
        transition.completion = Some(status);
        self.completed.notify_all();
        true
    }

    /// Waits for [`complete`](Self::complete). Stops if it is not called in time.
    pub(super) fn wait(&self, function: &str, timeout: Duration) -> NDIS_STATUS {
        let transition = self.lock();
        let (transition, _) = self
            .completed
            .wait_timeout_while(transition, timeout, |transition| transition.completion.is_none())
            .unwrap_or_else(PoisonError::into_inner);
        transition.completion.unwrap_or_else(|| {
            stop(
                Rule::NEVER_COMPLETED,
                function,
                format_args!("pending for {} s", timeout.as_secs()),
            )
        })
    }

    fn lock(&self) -> MutexGuard<'_, Transition> {
        self.transition.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
