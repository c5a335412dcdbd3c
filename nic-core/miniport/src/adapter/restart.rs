//! MiniportRestart: packets may flow again.

use nt::Shared;

use super::{Adapter, AdapterProtocol};

/// Lets packets through. Where the adapter is up, it goes on with the keys that it has.
///
/// # IRQL
/// `PASSIVE_LEVEL`
pub(super) fn restart<P: AdapterProtocol>(adapter: &Shared<Adapter<P>>) {
    let mut state = adapter.state.lock();
    state.is_paused = false;
    adapter.handle.transmit.resume();
    adapter.handle.receive.resume();
    adapter.nic.set_up(state.is_up);
    drop(state);
    adapter.control.wake();
}
