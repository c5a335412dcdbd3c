//! The way out: packets of the stack are routed, sealed and sent.
//!
//! A small batch is sealed and sent by whoever brings it, for latency. A large one is left to a
//! worker, so that they are sealed in parallel, as long as one has nothing to do: where all are
//! busy it would only wait, and whoever brings it must not bring more than can be sealed. The
//! engine puts batches back in order, and one thread at a time sends a peer's. No lock is held
//! during a send.

use core::sync::atomic::{AtomicU32, Ordering};

use nic_engine::nic::{NextTxBatch, PumpList};
use nic_engine::protocol::{Discard, PeerId, SealPacket, Sealer};
use nic_engine::{Drain, PacketQueue};
use nt::datagrams::DatagramBuffer;
use nt::mdl::{Pieces, PiecesError};
use nt::nbl::{TransmitPacket, TransmitPath, TransmitQueue};
use nt::pool::PoolBytes;
use nt::wsk::{SendBatch, Sent};
use nt::{Result, Shared, Status};

use super::packet_size::{MAXIMUM_MTU_BYTES, slot_bytes};
use super::stack_queue::StackQueue;
use super::{Adapter, AdapterProtocol, Framing, SealContext, Task, TxBatch, Work};
use crate::recycler::{Recycled, Sizes};
use crate::time;

/// A batch of more packets than this is left to a worker that is idle.
const MAX_INLINE_PACKETS: usize = 8;

/// Packets that are sealed by one call: enough for backends that interleave, few enough for the
/// stack.
const CHUNK_PACKETS: usize = 8;

/// Pieces of a packet that are sealed where they lie; what has more is copied first.
const MAX_PIECES: usize = 4;

/// Where a pump runs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum PumpThread {
    /// On a thread of the stack, of WSK or of a timer, possibly at DISPATCH_LEVEL.
    Caller,
    /// A worker.
    Worker,
}

/// Takes packets from the stack.
///
/// # IRQL
/// `<= DISPATCH_LEVEL`
pub(super) fn submit<P: AdapterProtocol>(adapter: &Shared<Adapter<P>>, packets: TransmitQueue) {
    let mut packets = sendable(adapter, packets);
    let mut pumps = PumpList::new();
    while !packets.is_empty() {
        adapter.nic.submit(&mut packets, time::instant(), &mut pumps, &mut |packet, _| {
            drop(packet);
        });
        for &peer in pumps.peers() {
            pump(adapter, peer, PumpThread::Caller);
        }
        pumps.clear();
    }
    adapter.handle.transmit.flush();
}

/// Seals and sends what a peer has queued, until there is no more or no more may be in flight.
///
/// # IRQL
/// `<= DISPATCH_LEVEL`
pub(super) fn pump<P: AdapterProtocol>(
    adapter: &Shared<Adapter<P>>,
    peer: PeerId,
    thread: PumpThread,
) {
    loop {
        let next = adapter.nic.begin_seal(peer, time::instant(), &mut |packet, _| drop(packet));
        let NextTxBatch { batch, control_due } = next;
        if control_due {
            adapter.control.wake();
        }
        let Some(batch) = batch else { return };
        let is_for_workers = thread == PumpThread::Caller
            && batch.packets.len() > MAX_INLINE_PACKETS
            && adapter.jobs.has_idle();
        if !is_for_workers {
            seal(adapter, batch);
            continue;
        }
        let job = Work { adapter: adapter.clone(), task: Task::Seal(batch) };
        if let Err(Work { task: Task::Seal(batch), .. }) = adapter.jobs.push(job) {
            seal(adapter, batch);
        }
    }
}

impl<P: AdapterProtocol> Adapter<P> {
    /// Seals and sends what a peer has queued, for a caller that has other things to do.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    ///
    /// # Locks
    /// None may be held.
    pub(super) fn pump(adapter: &Shared<Self>, peer: PeerId) {
        pump(adapter, peer, PumpThread::Caller);
    }
}

/// Seals a batch, and goes on with what its peer has queued meanwhile.
pub(super) fn seal_and_pump<P: AdapterProtocol>(adapter: &Shared<Adapter<P>>, batch: TxBatch<P>) {
    let peer = batch.peer;
    seal(adapter, batch);
    pump(adapter, peer, PumpThread::Worker);
}

/// Datagrams that wait for their turn to be sent, and the packets that are in them. Dropped without
/// being sent, the packets fail.
pub struct SealedBatch<P: AdapterProtocol> {
    pub(crate) datagrams: SendBatch<InFlight<P>>,
    pub(crate) packets: StackQueue,
}

/// A batch on its way: whose it is, and the packets in it.
pub(crate) struct InFlight<P: AdapterProtocol> {
    flight: Option<Flight<P>>,
}

struct Flight<P: AdapterProtocol> {
    adapter: Shared<Adapter<P>>,
    peer: PeerId,
    bytes: usize,
    packets: StackQueue,
}

impl<P: AdapterProtocol> Default for InFlight<P> {
    fn default() -> Self {
        Self { flight: None }
    }
}

impl<P: AdapterProtocol> Sent for InFlight<P> {
    fn sent(mut batch: SendBatch<Self>, status: Status) {
        let Some(flight) = batch.context_mut().flight.take() else { return };
        let Flight { adapter, peer, bytes, packets } = flight;
        adapter.send_batches.give_back(batch);
        if status.is_success() {
            packets.complete();
        } else {
            adapter.nic.count(Discard::SendFailed, packets.len() as u64);
            drop(packets);
        }
        if adapter.nic.send_completed(peer, bytes, time::instant()) {
            // By a worker: this may be inside of a send, deep in the stack.
            let job = Work { adapter: adapter.clone(), task: Task::Pump(peer) };
            if adapter.jobs.push(job).is_err() {
                pump(&adapter, peer, PumpThread::Worker);
            }
        }
        adapter.sending.flush_unless_sending(&adapter.handle.transmit);
    }
}

impl<P: AdapterProtocol> Recycled for SendBatch<InFlight<P>> {
    fn make(sizes: Sizes) -> Result<Self> {
        Self::new(sizes.packets, sizes.packet_bytes, InFlight::default())
    }

    fn packet_bytes(&self) -> usize {
        self.datagrams().slot_bytes()
    }
}

/// Which sends are going on: completed packets go back to the stack above after them rather than
/// inside of them, so that what the stack sends in turn doesn't pile up on this stack.
#[derive(Default)]
pub(super) struct Sending {
    calls: AtomicU32,
}

impl Sending {
    fn flush_unless_sending(&self, path: &TransmitPath) {
        // Pairs with the flush after each call, which comes after `leave`.
        if self.calls.load(Ordering::SeqCst) == 0 {
            path.flush();
        }
    }
}

/// Drops packets that no datagram holds. The stack keeps to its MTU by itself, which is known here
/// only some time after it has changed.
fn sendable<P: AdapterProtocol>(
    adapter: &Shared<Adapter<P>>,
    mut packets: TransmitQueue,
) -> StackQueue {
    let is_sendable = |packet: &TransmitPacket| packet.len() <= MAXIMUM_MTU_BYTES as usize;
    if packets.iter().all(is_sendable) {
        return packets.into();
    }
    let mut fitting = TransmitQueue::default();
    let mut dropped = 0_u64;
    while let Some(packet) = packets.pop_front() {
        if is_sendable(&packet) {
            fitting.push_back(packet);
        } else {
            dropped = dropped.saturating_add(1);
        }
    }
    adapter.nic.count(Discard::NotIp, dropped);
    fitting.into()
}

fn seal<P: AdapterProtocol>(adapter: &Shared<Adapter<P>>, batch: TxBatch<P>) {
    let TxBatch::<P> { peer, ticket, context, framing, packets, message, bytes } = batch;
    let longest = packets.iter().map(TransmitPacket::len).max().unwrap_or(message.len());
    let drain = match adapter.send_batches.take(slot_bytes::<P::Protocol>(longest)) {
        Ok(mut datagrams) => {
            let buffer = datagrams.datagrams_mut();
            if packets.is_empty() {
                seal_message::<P>(&context, &message, bytes, buffer);
            } else {
                seal_packets(adapter, &context, framing, &packets, buffer);
            }
            adapter.nic.finish_seal(peer, ticket, SealedBatch { datagrams, packets })
        }
        Err(_) => {
            adapter.nic.count(Discard::NoMemory, packets.len() as u64);
            drop(packets);
            adapter.nic.abandon_seal(peer, ticket, time::instant())
        }
    };
    if drain == Drain::Required {
        drain_sealed(adapter, peer);
    }
}

/// Sends a peer's sealed batches, in order, by the thread whose turn it is.
fn drain_sealed<P: AdapterProtocol>(adapter: &Shared<Adapter<P>>, peer: PeerId) {
    while let Some(next) = adapter.nic.next_to_send(peer, time::instant()) {
        if next.control_due {
            adapter.control.wake();
        }
        let SealedBatch { mut datagrams, packets } = next.sealed;
        let flight = Flight { adapter: adapter.clone(), peer, bytes: next.bytes, packets };
        datagrams.context_mut().flight = Some(flight);
        adapter.sending.calls.fetch_add(1, Ordering::SeqCst);
        adapter.sockets.send(datagrams, &next.endpoint);
        adapter.sending.calls.fetch_sub(1, Ordering::SeqCst);
        adapter.handle.transmit.flush();
    }
}

/// Seals a batch's packets into a buffer. Not inlined: its arrays must be off the stack when
/// datagrams are sent. A packet that can't be read leaves a gap, as if the network had lost it.
#[inline(never)]
fn seal_packets<P: AdapterProtocol>(
    adapter: &Adapter<P>,
    context: &SealContext<P>,
    framing: Framing<P>,
    packets: &StackQueue,
    buffer: &mut DatagramBuffer,
) {
    buffer.clear();
    let mut lengths = [0_usize; CHUNK_PACKETS];
    let mut packets = packets.iter();
    let mut first = 0_u32;
    loop {
        let done = first as usize;
        let count =
            seal_chunk(adapter, context, framing, &mut packets, first, buffer, &mut lengths);
        for length in lengths.iter().take(count) {
            buffer.push(*length);
        }
        if count < CHUNK_PACKETS {
            return;
        }
        debug_assert_eq!(buffer.len(), done.wrapping_add(count), "slots follow packets");
        first = first.wrapping_add(CHUNK_PACKETS as u32);
    }
}

/// Seals up to [`CHUNK_PACKETS`] packets into the slots from `first` on; says how many there were,
/// and notes the datagrams' lengths.
fn seal_chunk<'p, P: AdapterProtocol>(
    adapter: &Adapter<P>,
    context: &SealContext<P>,
    framing: Framing<P>,
    packets: &mut impl Iterator<Item = &'p TransmitPacket>,
    first: u32,
    buffer: &mut DatagramBuffer,
    lengths: &mut [usize; CHUNK_PACKETS],
) -> usize {
    let mut copies: [Option<PoolBytes>; CHUNK_PACKETS] = [const { None }; CHUNK_PACKETS];
    let mut chunk: [Option<&TransmitPacket>; CHUNK_PACKETS] = [None; CHUNK_PACKETS];
    let mut count = 0_usize;
    for (entry, packet) in chunk.iter_mut().zip(packets) {
        *entry = Some(packet);
        count = count.wrapping_add(1);
    }
    for (copy, packet) in copies.iter_mut().zip(&chunk) {
        *copy = packet.and_then(copy_if_scattered);
    }
    let mut pieces: [Pieces<'_, MAX_PIECES>; CHUNK_PACKETS] =
        [const { Pieces::EMPTY }; CHUNK_PACKETS];
    for ((pieces, packet), copy) in pieces.iter_mut().zip(&chunk).zip(&copies) {
        *pieces = match (packet, copy) {
            (_, Some(copy)) => Pieces::one(copy),
            (Some(packet), None) => packet.pieces().unwrap_or(Pieces::EMPTY),
            (None, None) => Pieces::EMPTY,
        };
    }

    let mut to_seal: [SealPacket<'_>; CHUNK_PACKETS] =
        core::array::from_fn(|_| SealPacket { source: &[], payload_bytes: 0, datagram: &mut [] });
    let slots = buffer.slots_mut().skip(first as usize);
    for (((entry, packet), (pieces, slot)), length) in
        to_seal.iter_mut().zip(&chunk).zip(pieces.iter().zip(slots)).zip(lengths)
    {
        let Some(packet) = packet else { break };
        let source = pieces.as_slice();
        // An unreadable packet uses up its counter and a slot that isn't sent.
        let payload_bytes = if source.is_empty() { 0 } else { packet.len() };
        let datagram_bytes = adapter.nic.datagram_bytes(framing, packet.head(), payload_bytes);
        let Some(datagram) = slot.get_mut(..datagram_bytes) else {
            // There was no memory for a larger buffer.
            *length = 0;
            adapter.nic.count(Discard::NoMemory, 1);
            continue;
        };
        *length = if source.is_empty() { 0 } else { datagram_bytes };
        *entry = SealPacket { source, payload_bytes, datagram };
    }
    if let Some(to_seal) = to_seal.get_mut(..count) {
        context.seal(first, to_seal);
    }
    count
}

/// A copy of a packet that is in more pieces than are sealed in place; empty where it can't be read
/// or there is no memory, so that it is not sent.
fn copy_if_scattered(packet: &TransmitPacket) -> Option<PoolBytes> {
    match packet.pieces::<MAX_PIECES>() {
        Ok(_) | Err(PiecesError::Unreadable) => None,
        Err(PiecesError::TooMany) => {
            let mut copy = PoolBytes::zeroed(packet.len()).ok()?;
            packet.copy_to(&mut copy).ok()?;
            Some(copy)
        }
    }
}

/// Seals a control message, or a keepalive if it is empty.
fn seal_message<P: AdapterProtocol>(
    context: &SealContext<P>,
    message: &[u8],
    datagram_bytes: usize,
    buffer: &mut DatagramBuffer,
) {
    buffer.clear();
    let Some(datagram) = buffer.slots_mut().next().and_then(|slot| slot.get_mut(..datagram_bytes))
    else {
        return;
    };
    let source: &[&[u8]] = if message.is_empty() { &[] } else { &[message] };
    let packet = SealPacket { source, payload_bytes: message.len(), datagram };
    context.seal(0, &mut [packet]);
    buffer.push(datagram_bytes);
}
