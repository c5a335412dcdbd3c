//! One adapter: what NDIS's calls, IOCTLs and sockets of it share.
//!
//! # Locks
//!
//! In this order: [`Adapter::state`] (a sleep lock: up, down, pause, configuration), then the
//! engine's. The spin locks of queues, rings and the sockets' place are leaves. Nothing is sent,
//! indicated, completed or closed under a lock but [`Adapter::state`], and of that the data path
//! knows nothing.

mod halt;
mod initialize;
mod mtu;
mod offloads;
mod oid;
mod pause;
mod protocol;
mod report;
mod restart;
mod statistics;

use nt::event::Event;
use nt::lock::SleepMutex;
use nt::miniport::AdapterHandle;
use nt::wsk::SendBatch;
use nt::{PoolBox, Shared};
use tunic_ioctl::AdapterId;

use crate::control_thread::{Control, Sink};
use crate::driver::Core;
use crate::log::Line;
use crate::recycler::Recycler;
use crate::ring::Ring;
use crate::sockets::SocketPlace;
use crate::system::{Nt, OpenedPackets};
use crate::time;
use crate::transmit::{InFlight, Sending};
use crate::workers::WorkQueue;

pub(crate) use halt::{halt, removed};
pub(crate) use initialize::{Keywords, initialize, make};
pub(crate) use mtu::{MAXIMUM_MTU_BYTES, follow as follow_mtu, slot_bytes};
use offloads::Offloads;
pub(crate) use oid::oid_request;
pub(crate) use pause::pause;
pub(crate) use protocol::AdapterProtocol;
pub(crate) use report::{EventRecord, log};
pub(crate) use restart::restart;
pub(crate) use statistics::statistics;

/// An adapter's engine.
pub(crate) type Nic<P> = nic_engine::Nic<P, Nt<P>>;
/// A batch to be sealed.
pub(crate) type TxBatch<P> = nic_engine::nic::TxBatch<P, Nt<P>>;
/// A batch to be opened.
pub(crate) type RxBatch<P> = nic_engine::nic::RxBatch<P>;

/// What the link says of its speed: nothing limits it but the processor.
pub(crate) const BITS_PER_SECOND: u64 = 100_000_000_000;

/// An adapter that speaks `P`.
pub(crate) struct Adapter<P: AdapterProtocol> {
    /// Its GUID.
    pub(crate) id: AdapterId,
    /// Its name in UTF-8, as the registry has it; empty where it has none.
    pub(crate) name: Name,
    pub(crate) handle: AdapterHandle,
    pub(crate) core: Shared<Core>,
    pub(crate) work: Shared<WorkQueue>,
    pub(crate) nic: PoolBox<Nic<P>>,
    pub(crate) state: SleepMutex<State<P>>,
    pub(crate) sockets: SocketPlace<P>,
    pub(crate) send_batches: Shared<Recycler<SendBatch<InFlight<P>>>>,
    pub(crate) sending: Sending,
    pub(crate) interfaces: mtu::Interfaces,
    pub(crate) opened: Shared<Recycler<OpenedPackets>>,
    pub(crate) offloads: Offloads,
    pub(crate) control: Control,
    pub(crate) log: Ring<Line>,
    pub(crate) events: Ring<EventRecord>,
    /// What the protocol has beside.
    pub(crate) extension: P::Extension,
    /// The registry allows to change the protocol's timers.
    pub(crate) allows_test_timers: bool,
    /// It is found by ovpn-dco-win's names as well.
    pub(crate) is_ovpn_dco: bool,
    /// Tells [`halt()`] that all of the above is gone. Must be the last field: fields are dropped
    /// in order.
    gone: Gone,
}

/// What is asked of an adapter.
pub(crate) struct State<P: AdapterProtocol> {
    /// It has sockets, and packets may be carried.
    pub(crate) is_up: bool,
    /// The stack was told that the link is up.
    pub(crate) is_connected: bool,
    /// NDIS wants no packets.
    pub(crate) is_paused: bool,
    /// Its device is going: nothing can be changed any more.
    pub(crate) is_removed: bool,
    /// What the protocol notes.
    pub(crate) settings: P::Settings,
    /// Counts events.
    pub(crate) event_sequence: u64,
}

impl<P: AdapterProtocol> Default for State<P> {
    /// Down, and paused as NDIS has it at first.
    fn default() -> Self {
        Self {
            is_up: false,
            is_connected: false,
            is_paused: true,
            is_removed: false,
            settings: P::Settings::default(),
            event_sequence: 0,
        }
    }
}

/// How many peers an adapter has.
pub(crate) fn peer_count<P: AdapterProtocol>(adapter: &Shared<Adapter<P>>) -> u32 {
    let mut sink = Sink::new(adapter);
    let count = adapter.nic.configure(time::now(), &mut sink, |config| config.peer_count());
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// A short name.
#[derive(Clone, Copy)]
pub(crate) struct Name {
    bytes: [u8; 128],
    length: usize,
}

impl Name {
    /// From UTF-16; cut where it is too long, empty where it is none.
    pub(crate) fn from_utf16(name: &[u16]) -> Self {
        let mut result = Self { bytes: [0; 128], length: 0 };
        for character in char::decode_utf16(name.iter().copied()) {
            let Ok(character) = character else { return Self { bytes: [0; 128], length: 0 } };
            let end = result.length.wrapping_add(character.len_utf8());
            let Some(room) = result.bytes.get_mut(result.length..end) else { break };
            character.encode_utf8(room);
            result.length = end;
        }
        result
    }

    /// UTF-8.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

impl<P: AdapterProtocol> Adapter<P> {
    /// Counts an event and gives its number.
    pub(crate) fn next_event(&self) -> u64 {
        let mut state = self.state.lock();
        state.event_sequence = state.event_sequence.wrapping_add(1);
        state.event_sequence
    }
}

/// Sets an event when it is dropped.
struct Gone(Shared<Event>);

impl Drop for Gone {
    fn drop(&mut self) {
        self.0.set();
    }
}
