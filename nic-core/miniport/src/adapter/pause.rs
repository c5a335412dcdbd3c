//! MiniportPause: stops packets in both directions. Keys stay.

use core::time::Duration;

use nt::event::Wait;
use nt::{Passive, Shared};

use super::{Adapter, AdapterProtocol};

/// The interval at which queues are drained again.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// Stops packets. Waits until every packet of the stack is completed and every indicated packet is
/// returned.
///
/// # IRQL
/// `PASSIVE_LEVEL`
pub(super) fn pause<P: AdapterProtocol>(adapter: &Shared<Adapter<P>>, passive: Passive) {
    let mut state = adapter.state.lock();
    state.is_paused = true;
    adapter.handle.transmit.pause();
    adapter.handle.receive.pause();
    // Packets that are being sealed or sent complete by themselves.
    drop(state);
    loop {
        // Drops queued packets. Repeated, because a send call in progress may have queued more.
        adapter.nic.set_up(false);
        adapter.handle.transmit.flush();
        if adapter.handle.transmit.drain_for(POLL_INTERVAL, passive) == Wait::Satisfied {
            break;
        }
    }
    adapter.handle.receive.drain(passive);
}
