//! MiniportPause: packets stop, in both directions. Keys stay.

use nt::Shared;

use super::Adapter;

/// Stops packets and waits until none of the stack's is here and none of ours is there.
///
/// # IRQL
/// `PASSIVE_LEVEL`
pub(crate) fn pause(adapter: &Shared<Adapter>) {
    let mut state = adapter.state.lock();
    state.is_paused = true;
    adapter.handle.transmit.pause();
    adapter.handle.receive.pause();
    // What is queued is dropped; what is being sealed or sent ends by itself.
    adapter.device.set_up(false);
    drop(state);

    adapter.handle.transmit.flush();
    adapter.handle.transmit.drain();
    adapter.handle.receive.drain();
}
