//! MiniportRestart.

use nt::Shared;

use super::{Adapter, AdapterProtocol};

/// Resumes both directions. An adapter that is up continues with its keys.
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
