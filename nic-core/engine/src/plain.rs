//! A system of plain Rust, for tests and measurements.

use core::marker::PhantomData;
use std::{collections::VecDeque, vec::Vec};

use crate::{Instant, Packet, PacketQueue, System};

/// A lock.
pub type PlainLock = parking_lot::RawMutex;

/// Packets are vectors, queues are deques, and an opened batch is an `O`.
#[derive(Debug)]
pub struct Plain<O = ()>(PhantomData<fn() -> O>);

/// A packet in a vector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlainPacket {
    /// What it holds.
    pub bytes: Vec<u8>,
    queued_at: Instant,
}

/// A queue of packets.
#[derive(Debug, Default)]
pub struct PlainQueue(VecDeque<PlainPacket>);

/// Datagrams that go out together.
pub type Datagrams = Vec<Vec<u8>>;

impl<O: Send + 'static> System for Plain<O> {
    type SpinLock = PlainLock;
    type SleepLock = PlainLock;
    type Packet = PlainPacket;
    type Queue = PlainQueue;
    type Sealed = Datagrams;
    type Opened = O;
}

impl PlainPacket {
    /// A packet of these bytes.
    pub const fn new(bytes: Vec<u8>) -> Self {
        Self { bytes, queued_at: Instant::ZERO }
    }
}

impl Packet for PlainPacket {
    fn head(&self) -> &[u8] {
        &self.bytes
    }

    fn len(&self) -> usize {
        self.bytes.len()
    }

    fn queued_at(&self) -> Instant {
        self.queued_at
    }

    fn set_queued_at(&mut self, now: Instant) {
        self.queued_at = now;
    }
}

impl PacketQueue for PlainQueue {
    type Packet = PlainPacket;

    fn push_back(&mut self, packet: PlainPacket) {
        self.0.push_back(packet);
    }

    fn pop_front(&mut self) -> Option<PlainPacket> {
        self.0.pop_front()
    }

    fn front(&self) -> Option<&PlainPacket> {
        self.0.front()
    }

    fn len(&self) -> usize {
        self.0.len()
    }
}

impl FromIterator<PlainPacket> for PlainQueue {
    fn from_iter<I: IntoIterator<Item = PlainPacket>>(packets: I) -> Self {
        Self(packets.into_iter().collect())
    }
}
