//! What lies above an adapter: the IP stack that sends through it and gets what it receives.

pub mod capture;
pub mod memory;
pub mod tun;
mod tun_offload;

use std::io;

use crate::ndis::port::AdapterPort;
use crate::ndis::received::ReceivedBatch;

/// A stack above an adapter.
///
/// `receive`, `room` and `link` are called from the driver's threads at up to DISPATCH_LEVEL: they
/// must not wait for what a driver does.
pub trait Edge: Send + Sync {
    /// The adapter is initialized and about to run: the edge may transmit through `port` until
    /// [`detach`](Edge::detach).
    ///
    /// # Errors
    /// When the edge cannot work; the adapter is then halted.
    fn attach(&self, port: AdapterPort) -> io::Result<()>;

    /// Packets were received. They are gone when this returns.
    fn receive(&self, packets: &ReceivedBatch<'_>);

    /// Packets can be transmitted again, after
    /// [`PacketBatch::buffer`](crate::ndis::PacketBatch::buffer) had no room.
    fn room(&self) {}

    /// The link went up or down; also called when the adapter starts running.
    fn link(&self, up: bool) {
        let _ = up;
    }

    /// The MTU of the stack was set, in bytes.
    fn mtu(&self, mtu: u32) {
        let _ = mtu;
    }

    /// The adapter goes: the edge stops its threads and forgets its port.
    fn detach(&self);
}
