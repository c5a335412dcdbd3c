//! MiniportHaltEx, and the removal of the device.

use nt::Shared;
use nt::event::Event;

use super::{Adapter, AdapterProtocol};

/// Closes an adapter's sockets and stops its control thread. The returned event is set when the
/// last reference is released; requests and jobs in progress also hold references.
///
/// # IRQL
/// `PASSIVE_LEVEL`
pub(super) fn halt<P: AdapterProtocol>(adapter: &Shared<Adapter<P>>) -> Shared<Event> {
    removed(adapter);
    let mut state = adapter.state.lock();
    state.is_up = false;
    state.is_connected = false;
    adapter.nic.set_up(false);
    drop(state);
    adapter.sockets.replace(None);
    adapter.control.stop(&adapter.network);
    adapter.handle.transmit.flush();
    adapter.released.0.clone()
}

/// Cancels pending requests, and refuses later ones and every change.
///
/// # IRQL
/// `PASSIVE_LEVEL`
pub(super) fn removed<P: AdapterProtocol>(adapter: &Shared<Adapter<P>>) {
    adapter.state.lock().is_removed = true;
    adapter.events.close();
    P::device_removed(adapter);
}
