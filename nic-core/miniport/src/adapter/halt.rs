//! MiniportHaltEx: an adapter goes.

use nt::Shared;

use super::{Adapter, AdapterProtocol};
use crate::driver::Core;

/// Ends everything of an adapter. When it returns, nothing of it is left.
///
/// # IRQL
/// `PASSIVE_LEVEL`
pub(crate) fn halt<P: AdapterProtocol>(core: &Shared<Core>, adapter: Shared<Adapter<P>>) {
    core.remove(&P::any_adapter(adapter.clone()));
    removed(&adapter);
    let mut state = adapter.state.lock();
    state.is_up = false;
    state.is_connected = false;
    adapter.nic.set_up(false);
    drop(state);
    adapter.sockets.replace(None);
    adapter.control.stop();
    adapter.handle.transmit.flush();

    // Requests and jobs that were under way have their own hold on it; the last one tells.
    let gone = adapter.gone.0.clone();
    drop(adapter);
    gone.wait();
}

/// The device is going: who waits for news of it gets none, and nothing can be changed any more.
///
/// # IRQL
/// `PASSIVE_LEVEL`
pub(crate) fn removed<P: AdapterProtocol>(adapter: &Shared<Adapter<P>>) {
    adapter.state.lock().is_removed = true;
    adapter.log.close();
    adapter.events.close();
    P::device_removed(adapter);
}
