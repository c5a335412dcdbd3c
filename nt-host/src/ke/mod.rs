//! Ke: the kernel's core: IRQL, locks, dispatcher objects, DPCs, timers, time, processors.

pub(crate) mod active_object;
pub mod bugcheck;
pub mod critical_region;
pub mod dispatcher;
pub mod dpc;
pub mod event;
pub mod level;
pub(crate) mod lock_order;
pub(crate) mod owner_word;
pub mod performance_counter;
pub mod processor;
pub(crate) mod saved_states;
pub mod semaphore;
pub mod spin_lock;
pub mod time;
pub mod timer;
pub mod wait;
pub mod xstate;
