//! MiniportPause: packets stop, in both directions. Keys stay.

use core::time::Duration;

use nt::event::Wait;
use nt::{Passive, Shared};

use super::{Adapter, AdapterProtocol};

/// How soon queues are looked at again.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// Stops packets and waits until none of the stack's is here and none of ours is there.
///
/// # IRQL
/// `PASSIVE_LEVEL`
pub(super) fn pause<P: AdapterProtocol>(adapter: &Shared<Adapter<P>>, passive: Passive) {
    let mut state = adapter.state.lock();
    state.is_paused = true;
    adapter.handle.transmit.pause();
    adapter.handle.receive.pause();
    // What is being sealed or sent ends by itself.
    drop(state);
    loop {
        // What is queued is dropped. Again: a call that was under way may have queued more
        // meanwhile.
        adapter.nic.set_up(false);
        adapter.handle.transmit.flush();
        if adapter.handle.transmit.drain_for(POLL_INTERVAL, passive) == Wait::Satisfied {
            break;
        }
    }
    adapter.handle.receive.drain(passive);
}
