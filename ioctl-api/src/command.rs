//! The commands that IOCTLs are decoded into, whichever ABI they come by.

use crate::change::Configure;
use crate::values::{AdapterId, AdapterState};
use crate::{Abi, data_channel};

/// A decoded IOCTL.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// The adapter that the request names; `None` is the adapter of the device that received it.
    pub adapter: Option<AdapterId>,
    /// The command.
    pub command: Command<'a>,
}

/// A validated command.
#[derive(Clone, Copy)]
pub enum Command<'a> {
    /// Answer with [`native::reply::version`](crate::native::reply::version).
    QueryVersion,
    /// Answer with one record for each adapter,
    /// [`AdapterEncoder`](crate::native::reply::AdapterEncoder).
    ListAdapters,
    /// Answer with one adapter record, [`AdapterEncoder`](crate::native::reply::AdapterEncoder).
    QueryAdapter,
    /// Answer with [`native::reply::statistics`](crate::native::reply::statistics).
    QueryStatistics,
    /// Answer with the adapter's routes, [`RoutesEncoder`](crate::native::RoutesEncoder).
    QueryRoutes,
    /// Answer with [`encode_state`](crate::configuration::encode_state).
    QueryState,
    /// Bring the adapter up or down.
    SetState(AdapterState),
    /// Answer with a [`ConfigurationEncoder`](crate::ConfigurationEncoder) of this ABI.
    QueryConfiguration(Abi),
    /// Change the configuration: all of it or nothing.
    Configure(Configure<'a>),
    /// Wait for a log line; answer with
    /// [`encode_log_entry`](crate::wireguard_nt::encode_log_entry).
    ReadLogLine,
    /// Wait for an event; answer with [`native::reply::event`](crate::native::reply::event).
    ReadEvent,
    /// Scale the protocol's timers. For tests: the driver refuses it unless it is enabled.
    SetTimerScale {
        /// Thousandths of the real durations, 1 to 1000.
        permille: u32,
    },
    /// A command for an adapter whose handshake is in userspace. The answer has the form of this
    /// ABI.
    DataChannel(Abi, data_channel::Command<'a>),
}
