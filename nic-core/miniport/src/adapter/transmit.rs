//! The transmit path: routes, seals and sends packets of the stack.
//!
//! The calling thread seals and sends a small batch itself, for latency. A large batch goes to an
//! idle worker, so that batches are sealed in parallel. If no worker is idle, the caller seals it:
//! in the queue it would only wait, and the caller would submit more than can be sealed. The engine
//! restores the order of batches, and one thread at a time sends those of a peer. No lock is held
//! during a send.

use core::sync::atomic::{AtomicU32, Ordering};

use nic_crypto::Tier;
use nic_engine::nic::{NextTxBatch, PumpList, SentBatch};
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

/// A batch of more packets goes to an idle worker.
const MAX_INLINE_PACKETS: usize = 8;

/// Packets sealed by one call: enough for interleaving AEAD backends, few enough for the kernel
/// stack.
const CHUNK_PACKETS: usize = 8;

/// The maximum pieces of a packet that is sealed from its MDLs. A packet with more is copied first.
const MAX_PIECES: usize = 4;

/// The thread that a pump runs on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum PumpThread {
    /// A thread of the stack, of WSK or of a timer, possibly at DISPATCH_LEVEL.
    Caller,
    /// A worker thread.
    Worker,
}

/// Sends packets of the stack.
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

/// Seals and sends what a peer has queued, until the queue is empty or the limit of bytes in flight
/// is reached.
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
    /// Seals and sends what a peer has queued; a large batch goes to an idle worker.
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

/// Seals a batch, and then what its peer has queued since.
pub(super) fn seal_and_pump<P: AdapterProtocol>(adapter: &Shared<Adapter<P>>, batch: TxBatch<P>) {
    let peer = batch.peer;
    seal(adapter, batch);
    pump(adapter, peer, PumpThread::Worker);
}

/// Sealed datagrams that wait to be sent in order, and the packets in them. If dropped unsent, the
/// packets complete with a failure.
pub struct SealedBatch<P: AdapterProtocol> {
    pub(crate) datagrams: SendBatch<InFlight<P>>,
    pub(crate) packets: StackQueue,
}

/// The state of a batch that WSK is sending.
pub(crate) struct InFlight<P: AdapterProtocol> {
    flight: Option<Flight<P>>,
}

struct Flight<P: AdapterProtocol> {
    adapter: Shared<Adapter<P>>,
    peer: PeerId,
    batch: SentBatch,
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
        let Flight { adapter, peer, batch: sent, packets } = flight;
        adapter.send_batches.give_back(batch);
        let is_sent = status.is_success();
        if is_sent {
            packets.complete();
        } else {
            drop(packets);
        }
        let effects = adapter.nic.send_completed(peer, &sent, is_sent, time::instant());
        if effects.control_due {
            adapter.control.wake();
        }
        if effects.pump {
            // On a worker: this completion may be nested in a send, with little stack left.
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

/// The number of send calls in progress. Completed packets are returned to the stack after a send
/// call, not inside it, so that what the stack then sends does not nest on this kernel stack.
#[derive(Default)]
pub(super) struct Sending {
    calls: AtomicU32,
}

impl Sending {
    fn flush_unless_sending(&self, path: &TransmitPath) {
        // Pairs with the flush after each send call, which follows the decrement.
        if self.calls.load(Ordering::SeqCst) == 0 {
            path.flush();
        }
    }
}

/// Drops packets that do not fit into a datagram. The stack's MTU is no bound here: the driver sees
/// a change of it late.
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
    let message = message.as_deref().unwrap_or_default();
    let longest = packets.iter().map(TransmitPacket::len).max().unwrap_or(message.len());
    let drain = match adapter.send_batches.take(slot_bytes::<P::Protocol>(longest)) {
        Ok(mut datagrams) => {
            let buffer = datagrams.datagrams_mut();
            if packets.is_empty() {
                seal_message(adapter, &context, message, bytes, buffer);
            } else {
                let bytes = packets.iter().map(TransmitPacket::len).fold(0, usize::saturating_add);
                adapter.registers.with_tier(bytes, |tier| {
                    let sealing = Sealing { context: &context, framing, tier };
                    seal_packets(adapter, &sealing, &packets, buffer);
                });
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

/// Sends a peer's sealed batches in order. One thread at a time does so per peer.
fn drain_sealed<P: AdapterProtocol>(adapter: &Shared<Adapter<P>>, peer: PeerId) {
    while let Some(next) = adapter.nic.next_to_send(peer, time::instant()) {
        if next.control_due {
            adapter.control.wake();
        }
        let SealedBatch { mut datagrams, packets } = next.sealed;
        let flight = Flight { adapter: adapter.clone(), peer, batch: next.batch, packets };
        datagrams.context_mut().flight = Some(flight);
        adapter.sending.calls.fetch_add(1, Ordering::SeqCst);
        adapter.sockets.send(datagrams, &next.endpoint);
        adapter.sending.calls.fetch_sub(1, Ordering::SeqCst);
        adapter.handle.transmit.flush();
    }
}

/// How the packets of a batch are sealed.
struct Sealing<'b, P: AdapterProtocol> {
    context: &'b SealContext<P>,
    framing: Framing<P>,
    tier: Tier<'b>,
}

/// Seals a batch's packets into a buffer. Not inlined, so that its arrays are off the stack when
/// datagrams are sent. An unreadable packet is skipped, as if the network had lost it.
#[inline(never)]
fn seal_packets<P: AdapterProtocol>(
    adapter: &Adapter<P>,
    sealing: &Sealing<'_, P>,
    packets: &StackQueue,
    buffer: &mut DatagramBuffer,
) {
    buffer.clear();
    let mut lengths = [0_usize; CHUNK_PACKETS];
    let mut packets = packets.iter();
    let mut first = 0_u32;
    loop {
        let done = first as usize;
        let count = seal_chunk(adapter, sealing, &mut packets, first, buffer, &mut lengths);
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

/// Seals up to [`CHUNK_PACKETS`] packets into the slots from `first` on. Returns how many packets
/// there were, and stores the datagrams' lengths.
fn seal_chunk<'p, P: AdapterProtocol>(
    adapter: &Adapter<P>,
    sealing: &Sealing<'_, P>,
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
        // An unreadable packet uses its counter, and a slot that is not sent.
        let payload_bytes = if source.is_empty() { 0 } else { packet.len() };
        let datagram_bytes =
            adapter.nic.datagram_bytes(sealing.framing, packet.head(), payload_bytes);
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
        sealing.context.seal(sealing.tier, first, to_seal);
    }
    count
}

/// Copies a packet with more than [`MAX_PIECES`] pieces. `None` if no copy is needed, if the packet
/// is unreadable, or if memory runs out.
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

/// Seals a control message, or a keepalive if the message is empty.
fn seal_message<P: AdapterProtocol>(
    adapter: &Adapter<P>,
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
    adapter.registers.with_tier(message.len(), |tier| context.seal(tier, 0, &mut [packet]));
    buffer.push(datagram_bytes);
}
