//! MiniportInitializeEx: creates an adapter.

use alloc::boxed::Box;

use nic_engine::{Mtu, Protocol};
use nic_memory::{NoMemory, boxed};
use nt::event::{Event, EventKind};
use nt::lock::SleepMutex;
use nt::miniport::{AdapterHandle, Attributes};
use nt::{PoolBox, Result, Shared, Status, random};

use super::jobs::Jobs;
use super::mtu::Interfaces;
use super::offloads::Offloads;
use super::packet_size::{MAXIMUM_MTU_BYTES, slot_bytes};
use super::transmit::Sending;
use super::{
    ActiveSockets, Adapter, AdapterProtocol, BITS_PER_SECOND, ControlThread, Keywords, Nic,
    Released, State, oid,
};
use crate::recycler::{Recycler, Sizes};
use crate::ring::Ring;
use crate::services::Services;

/// The maximum number of batches kept for reuse, per kind.
const MAX_KEPT_BATCHES: usize = 32;

/// The attributes of an adapter for NDIS.
pub(crate) fn attributes(keywords: &Keywords) -> Attributes {
    Attributes {
        mtu_bytes: MAXIMUM_MTU_BYTES,
        bits_per_second: BITS_PER_SECOND,
        oids: &oid::SUPPORTED,
        receive_checksums: keywords.receive_checksums,
    }
}

/// Creates an adapter with protocol `P`. Its control thread runs; it has no sockets yet.
///
/// # IRQL
/// `PASSIVE_LEVEL`
#[inline(never)]
pub(crate) fn make<P: AdapterProtocol>(
    services: &Services,
    handle: AdapterHandle,
    keywords: &Keywords,
    own_keywords: &P::Keywords,
) -> Result<Shared<Adapter<P>>> {
    let nic = make_nic::<P>(keywords)?;
    let packet_bytes = slot_bytes::<P::Protocol>(keywords.mtu_bytes as usize);
    let packets = nic_engine::nic::BATCH_PACKETS as usize;
    let sizes = Sizes { packets, packet_bytes };
    let released = Shared::new(Event::new(EventKind::Manual)?)?;
    let adapter = Shared::new(Adapter {
        id: keywords.id,
        name: keywords.name,
        handle,
        wsk: services.wsk.clone(),
        network: services.network.clone(),
        registry: services.registry.clone(),
        registers: services.registers,
        jobs: Jobs::new(services.worker_queue.clone())?,
        nic,
        state: SleepMutex::new(State::default()),
        sockets: ActiveSockets::new(),
        send_batches: Recycler::new(MAX_KEPT_BATCHES, sizes)?,
        sending: Sending::default(),
        interfaces: Interfaces::new(keywords.mtu_bytes),
        opened: Recycler::new(MAX_KEPT_BATCHES, Sizes { packet_bytes: 0, ..sizes })?,
        offloads: Offloads::new(keywords.receive_checksums),
        control: ControlThread::new()?,
        events: Ring::new()?,
        extension: P::new_extension(own_keywords)?,
        allows_test_timers: keywords.test_timers > 0,
        released: Released(released),
    })?;
    ControlThread::start(&adapter)?;
    Ok(adapter)
}

/// Creates an adapter's engine. A separate function, because its stack frame is large.
#[inline(never)]
fn make_nic<P: AdapterProtocol>(keywords: &Keywords) -> Result<PoolBox<Nic<P>>> {
    let mut hash_key = [0; 16];
    random::fill(&mut hash_key)?;
    let nic = PoolBox::new(Nic::<P>::new(make_control::<P>(keywords)?, hash_key))?;
    nic.set_mtu(Mtu::of_both(keywords.mtu_bytes));
    Ok(nic)
}

/// Creates the protocol's control state. A separate function for the same reason.
#[inline(never)]
fn make_control<P: AdapterProtocol>(
    keywords: &Keywords,
) -> Result<Box<<P::Protocol as Protocol>::Control>> {
    boxed(P::new_control(keywords)).map_err(|NoMemory| Status::INSUFFICIENT_RESOURCES)
}
