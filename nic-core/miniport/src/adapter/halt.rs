//! MiniportHaltEx: an adapter goes.

use nt::Shared;
use nt::event::Event;

use super::{Adapter, AdapterProtocol};

/// Ends everything of an adapter. The event is set when its last owner is gone: requests and jobs
/// that were under way own it, too.
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
    adapter.control.stop();
    adapter.handle.transmit.flush();
    adapter.released.0.clone()
}

/// The device is being removed: requests that wait for news of it end, and nothing can be changed
/// any more.
///
/// # IRQL
/// `PASSIVE_LEVEL`
pub(super) fn removed<P: AdapterProtocol>(adapter: &Shared<Adapter<P>>) {
    adapter.state.lock().is_removed = true;
    adapter.events.close();
    P::device_removed(adapter);
}
