//! Edges: the network stack above an adapter, which sends through it and receives from it.

pub mod capture;
pub mod memory;
pub mod tun;
mod tun_offload;

use std::io;

use crate::ndis::port::AdapterPort;
use crate::ndis::received::ReceivedBatch;

/// A network stack above an adapter.
///
/// `receive`, `room` and `link` are called on the driver's threads at up to DISPATCH_LEVEL. They
/// must not wait for an action of the driver.
pub trait Edge: Send + Sync {
    /// The adapter is initialized and about to run: the edge may transmit through `port` until
    /// [`detach`](Edge::detach).
    ///
    /// # Errors
    /// The edge cannot work. The adapter is then halted.
    fn attach(&self, port: AdapterPort) -> io::Result<()>;

    /// Packets were received. They are valid until this returns.
    fn receive(&self, packets: &ReceivedBatch<'_>);

    /// Packets can be transmitted again, after
    /// [`PacketBatch::buffer`](crate::ndis::PacketBatch::buffer) had no room.
    fn room(&self) {}

    /// The link went up or down. Also called when the adapter starts running.
    fn link(&self, up: bool) {
        let _ = up;
    }

    /// The MTU of the stack was set, in bytes.
    fn mtu(&self, mtu: u32) {
        let _ = mtu;
    }

    /// The index of the interface of Linux that the edge is.
    fn linux_interface(&self) -> Option<u32> {
        None
    }

    /// The adapter is removed: the edge stops its threads and drops its port.
    fn detach(&self);
}
