//! The receive path: opens, accepts and indicates datagrams.
//!
//! An indication of WSK is split into runs of datagrams with one selector, that is, one key. The
//! receiving thread opens a short run; workers open long ones. Each run holds its own part of WSK's
//! indication, and returns it as soon as the datagrams are decrypted. The engine restores the order
//! of runs. One thread at a time accepts those of a peer, and indicates each run as one NBL chain.

use nic_crypto::Tier;
use nic_engine::nic::{AcceptItem, RxOutcome};
use nic_engine::protocol::{
    Class, Discard, Ecn, OpenPacket, OpenedPacket, Opener, PeerId, Selector,
};
use nic_engine::{Drain, InnerPacket, Protocol};
use nt::Shared;
use nt::mdl::{Pieces, PiecesError};
use nt::nbl::{IpVersion, ReceiveChain, ReceivePacket};
use nt::pool::PoolBytes;
use nt::wsk::{Datagram, Datagrams, ReceiveFrom};

use super::opened::{OpenedBatch, OpenedPackets};
use super::{Adapter, AdapterProtocol, OpenContext, RxBatch, Task, Work, endpoint};
use crate::time;

/// The maximum length of a run, and so of an indication to the stack.
const MAX_RUN_DATAGRAMS: usize = 64;

/// A longer run goes to a worker.
const MAX_INLINE_DATAGRAMS: usize = 8;

/// Datagrams opened by one call: enough for interleaving AEAD backends, few enough for the kernel
/// stack.
const CHUNK_DATAGRAMS: usize = 8;

/// The maximum pieces of a datagram that is opened from its MDLs. One with more is copied first.
const MAX_PIECES: usize = 4;

/// The bytes of a datagram that [`Protocol::classify`] gets.
const HEAD_BYTES: usize = 16;

/// The receive handler of an adapter's sockets.
pub struct Receiver<P: AdapterProtocol> {
    adapter: Shared<Adapter<P>>,
}

impl<P: AdapterProtocol> Receiver<P> {
    /// The handler for an adapter.
    pub fn new(adapter: &Shared<Adapter<P>>) -> Self {
        Self { adapter: adapter.clone() }
    }
}

impl<P: AdapterProtocol> Clone for Receiver<P> {
    fn clone(&self) -> Self {
        Self::new(&self.adapter)
    }
}

impl<P: AdapterProtocol> ReceiveFrom for Receiver<P> {
    fn receive(&self, datagrams: Datagrams) {
        receive(&self.adapter, datagrams);
    }
}

/// A run of datagrams, and the key that opens them.
pub(super) struct OpenJob<P: AdapterProtocol> {
    batch: RxBatch<P>,
    datagrams: Datagrams,
}

/// Receives datagrams from a socket.
///
/// # IRQL
/// `<= DISPATCH_LEVEL`
fn receive<P: AdapterProtocol>(adapter: &Shared<Adapter<P>>, mut datagrams: Datagrams) {
    while let Some((class, length)) = next_run::<P>(&datagrams) {
        let run = datagrams.split_front(length);
        match class {
            Class::Data(selector) => receive_data(adapter, selector, run),
            Class::Control => {
                run.iter().for_each(|datagram| P::receive_control(adapter, &datagram));
            }
            Class::Malformed => adapter.nic.count(Discard::Malformed, length as u64),
        }
    }
}

/// Opens a run, and indicates the runs that are next in order.
pub(super) fn open<P: AdapterProtocol>(adapter: &Shared<Adapter<P>>, job: OpenJob<P>) {
    let OpenJob { batch: RxBatch::<P> { peer, ticket, context }, datagrams } = job;
    let drain = match adapter.opened.take(0) {
        Ok(mut packets) => {
            packets.clear();
            let bytes = datagrams.iter().map(|it| it.len()).fold(0, usize::saturating_add);
            let forged = adapter.registers.with_tier(bytes, |tier| {
                open_all(adapter, &context, tier, &datagrams, &mut packets)
            });
            datagrams.release();
            if adapter.nic.count_forged(peer, &context, forged) {
                adapter.control.wake();
            }
            adapter.nic.finish_open(peer, ticket, OpenedBatch { context, packets })
        }
        Err(_) => {
            adapter.nic.count(Discard::NoMemory, datagrams.len() as u64);
            datagrams.release();
            adapter.nic.abandon_open(peer, ticket)
        }
    };
    if drain == Drain::Required {
        drain_opened(adapter, peer);
    }
}

/// The class of the first datagram, and how many datagrams in a row have it.
fn next_run<P: AdapterProtocol>(datagrams: &Datagrams) -> Option<(Class, usize)> {
    let mut rest = datagrams.iter();
    let class = classify::<P>(&rest.next()?);
    let more = rest.take(MAX_RUN_DATAGRAMS.saturating_sub(1));
    let length = more.take_while(|datagram| classify::<P>(datagram) == class).count();
    Some((class, length.saturating_add(1)))
}

fn classify<P: AdapterProtocol>(datagram: &Datagram<'_>) -> Class {
    let mut head = [0; HEAD_BYTES];
    datagram
        .copy_to(&mut head)
        .map_or(Class::Malformed, |head| P::Protocol::classify(head, datagram.len()))
}

fn receive_data<P: AdapterProtocol>(
    adapter: &Shared<Adapter<P>>,
    selector: Selector,
    datagrams: Datagrams,
) {
    let length = datagrams.len();
    let count = u32::try_from(length).unwrap_or(u32::MAX);
    // The engine counts a refused run; dropping it returns it to WSK.
    let Ok(batch) = adapter.nic.begin_open(selector, count, time::instant()) else { return };
    let job = OpenJob { batch, datagrams };
    if length <= MAX_INLINE_DATAGRAMS && !adapter.jobs.is_busy() {
        open(adapter, job);
        return;
    }
    let job = Work { adapter: adapter.clone(), task: Task::Open(job) };
    if let Err(Work { task: Task::Open(job), .. }) = adapter.jobs.push(job) {
        open(adapter, job);
    }
}

/// Opens all datagrams; returns how many were not authentic. Not inlined, so that its arrays are
/// off the stack when packets are indicated.
#[inline(never)]
fn open_all<P: AdapterProtocol>(
    adapter: &Adapter<P>,
    context: &OpenContext<P>,
    tier: Tier<'_>,
    datagrams: &Datagrams,
    opened: &mut OpenedPackets,
) -> u32 {
    let mut datagrams = datagrams.iter();
    let mut forged = 0_u32;
    loop {
        let mut chunk: [Option<Datagram<'_>>; CHUNK_DATAGRAMS] = [None; CHUNK_DATAGRAMS];
        let mut count = 0_usize;
        for (entry, datagram) in chunk.iter_mut().zip(&mut datagrams) {
            *entry = Some(datagram);
            count = count.wrapping_add(1);
        }
        if count > 0 {
            forged =
                forged.saturating_add(open_chunk(adapter, context, tier, &chunk, count, opened));
        }
        if count < CHUNK_DATAGRAMS {
            return forged;
        }
    }
}

fn open_chunk<P: AdapterProtocol>(
    adapter: &Adapter<P>,
    context: &OpenContext<P>,
    tier: Tier<'_>,
    chunk: &[Option<Datagram<'_>>; CHUNK_DATAGRAMS],
    count: usize,
    opened: &mut OpenedPackets,
) -> u32 {
    let mut packets: [Option<ReceivePacket>; CHUNK_DATAGRAMS] = [const { None }; CHUNK_DATAGRAMS];
    let mut results: [Option<OpenedPacket>; CHUNK_DATAGRAMS] = [None; CHUNK_DATAGRAMS];
    for (packet, datagram) in packets.iter_mut().zip(chunk) {
        let Some(datagram) = datagram else { break };
        let capacity = P::Protocol::payload_capacity(datagram.len());
        *packet = adapter.handle.receive.allocate(capacity).ok();
        if packet.is_none() {
            adapter.nic.count(Discard::NoMemory, 1);
        }
    }
    open_packets::<P>(context, tier, chunk, count, &mut packets, &mut results);

    let mut forged = 0_u32;
    for ((datagram, packet), result) in chunk.iter().zip(&mut packets).zip(results).take(count) {
        let (Some(datagram), Some(mut packet)) = (datagram, packet.take()) else { continue };
        let (Some(result), Some(from)) = (result, endpoint::of(datagram)) else {
            forged = forged.saturating_add(1);
            continue;
        };
        let payload = packet.data_mut().get(..result.payload_bytes).unwrap_or_default();
        let item = AcceptItem {
            packet: result,
            from,
            datagram_bytes: datagram.len(),
            // The sockets do not report ECN.
            outer_ecn: Ecn::NotEct,
            inner: InnerPacket::parse(payload, payload.len()),
            outcome: RxOutcome::Consumed,
        };
        opened.push(packet, item);
    }
    forged
}

/// Opens datagrams into packets. A datagram without a packet gets no result. Not inlined, so that
/// its arrays are a separate stack frame.
#[inline(never)]
fn open_packets<P: AdapterProtocol>(
    context: &OpenContext<P>,
    tier: Tier<'_>,
    chunk: &[Option<Datagram<'_>>; CHUNK_DATAGRAMS],
    count: usize,
    packets: &mut [Option<ReceivePacket>; CHUNK_DATAGRAMS],
    results: &mut [Option<OpenedPacket>; CHUNK_DATAGRAMS],
) {
    let mut copies: [Option<PoolBytes>; CHUNK_DATAGRAMS] = [const { None }; CHUNK_DATAGRAMS];
    for (copy, datagram) in copies.iter_mut().zip(chunk) {
        *copy = datagram.as_ref().and_then(copy_if_scattered);
    }
    let mut pieces: [Pieces<'_, MAX_PIECES>; CHUNK_DATAGRAMS] =
        [const { Pieces::EMPTY }; CHUNK_DATAGRAMS];
    for ((pieces, datagram), copy) in pieces.iter_mut().zip(chunk).zip(&copies) {
        *pieces = match (datagram, copy) {
            (_, Some(copy)) => Pieces::one(copy),
            (Some(datagram), None) => datagram.pieces().unwrap_or(Pieces::EMPTY),
            (None, None) => Pieces::EMPTY,
        };
    }
    let mut to_open: [OpenPacket<'_>; CHUNK_DATAGRAMS] = core::array::from_fn(|_| OpenPacket {
        source: &[],
        datagram_bytes: 0,
        output: &mut [],
        result: None,
    });
    for (((entry, pieces), packet), datagram) in
        to_open.iter_mut().zip(&pieces).zip(packets).zip(chunk)
    {
        let (Some(packet), Some(datagram)) = (packet, datagram) else { continue };
        let source = pieces.as_slice();
        // An unreadable datagram fails like a forged one: it is too short.
        let datagram_bytes = if source.is_empty() { 0 } else { datagram.len() };
        let capacity = P::Protocol::payload_capacity(datagram_bytes);
        let Some(output) = packet.data_mut().get_mut(..capacity) else { continue };
        *entry = OpenPacket { source, datagram_bytes, output, result: None };
    }
    if let Some(to_open) = to_open.get_mut(..count) {
        context.open(tier, to_open);
    }
    for (result, opened) in results.iter_mut().zip(&to_open) {
        *result = opened.result;
    }
}

/// Accepts and indicates a peer's opened batches in order. One thread at a time does so per peer.
fn drain_opened<P: AdapterProtocol>(adapter: &Shared<Adapter<P>>, peer: PeerId) {
    while let Some(OpenedBatch { context, mut packets }) = adapter.nic.next_to_indicate(peer) {
        let outcome = adapter.nic.accept(peer, &context, &mut packets.items, time::instant());
        if outcome.endpoint_moved {
            adapter.control.endpoint_moved(peer);
        }
        if outcome.control_due {
            adapter.control.wake();
        }
        let checksums = adapter.offloads.receive_checksums();
        let mut chain = ReceiveChain::new();
        for (mut packet, item) in packets.packets.drain(..).zip(&packets.items) {
            let total_bytes = match item.outcome {
                RxOutcome::Deliver { total_bytes, .. } => total_bytes,
                RxOutcome::Control => {
                    let payload = packet.data_mut().get(..item.packet.payload_bytes);
                    let payload = payload.unwrap_or_default();
                    adapter.receive_authenticated(peer, &item.from, payload);
                    continue;
                }
                RxOutcome::Consumed | RxOutcome::Dropped(_) => continue,
            };
            let version = match item.inner.map(|inner| inner.source.is_ipv4()) {
                Some(true) => IpVersion::V4,
                _ => IpVersion::V6,
            };
            if packet.set_content(total_bytes, version, checksums).is_ok() {
                chain.push_back(packet);
            }
        }
        packets.clear();
        adapter.opened.give_back(packets);
        let length = chain.len() as u64;
        if !adapter.handle.receive.indicate(chain) {
            adapter.nic.count(Discard::Down, length);
        }
    }
}

/// Copies a datagram with more than [`MAX_PIECES`] pieces. `None` if no copy is needed, if the
/// datagram is unreadable, or if memory runs out.
fn copy_if_scattered(datagram: &Datagram<'_>) -> Option<PoolBytes> {
    match datagram.pieces::<MAX_PIECES>() {
        Ok(_) | Err(PiecesError::Unreadable) => None,
        Err(PiecesError::TooMany) => {
            let mut copy = PoolBytes::zeroed(datagram.len()).ok()?;
            datagram.copy_to(&mut copy).ok()?;
            Some(copy)
        }
    }
}
