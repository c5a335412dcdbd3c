//! What the engine needs of the system that it runs in.

use crate::Instant;

/// The types of one system: NT in the driver, plain ones in tests.
pub trait System: Sized + Send + Sync + 'static {
    /// Whether the system finds the local addresses of peers, by
    /// [`ControlSink::find_path`](crate::ControlSink::find_path). Otherwise a peer's datagrams are
    /// sent from where its last one arrived.
    const FINDS_PATHS: bool = false;

    /// Guards the data path: short, usable where a packet may arrive (NT: a spin lock,
    /// DISPATCH_LEVEL).
    type SpinLock: lock_api::RawMutex + Send + Sync;
    /// Guards the control path: may wait (NT: a push lock, PASSIVE_LEVEL).
    type SleepLock: lock_api::RawMutex + Send + Sync;
    /// One IP packet from the stack above.
    type Packet: Packet;
    /// A first-in first-out queue of them that allocates nothing.
    type Queue: PacketQueue<Packet = Self::Packet>;
    /// A sealed batch that waits for its turn to be sent.
    type Sealed: Send;
    /// An opened batch that waits for its turn to be indicated.
    type Opened: Send;
}

/// One IP packet from the stack above, owned.
///
/// Dropping it tells the stack that it was not sent.
pub trait Packet: Send {
    /// The first bytes, contiguous: all of them or at least 40.
    fn head(&self) -> &[u8];
    /// Length in bytes.
    fn len(&self) -> usize;
    /// Whether it has no bytes.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// When it was queued, as last set.
    fn queued_at(&self) -> Instant;
    /// Notes when it was queued.
    fn set_queued_at(&mut self, now: Instant);
}

/// A first-in first-out queue of packets, linked through the packets themselves.
pub trait PacketQueue: Default + Send {
    /// What it holds.
    type Packet: Packet;
    /// Puts a packet at the end.
    fn push_back(&mut self, packet: Self::Packet);
    /// Takes the oldest.
    fn pop_front(&mut self) -> Option<Self::Packet>;
    /// The oldest.
    fn front(&self) -> Option<&Self::Packet>;
    /// Packets in it.
    fn len(&self) -> usize;
    /// Whether it holds none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
