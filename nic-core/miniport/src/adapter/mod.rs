//! One adapter: the state that NDIS callbacks, IOCTLs and sockets share.
//!
//! This is the hub of the folder: the modules below it work on an [`Adapter`] and call few of their
//! neighbours.
//!
//! # Locks
//!
//! In this order: [`Adapter::state`] (a sleep lock: up, down, pause, configuration), then the
//! engine's locks. The spin locks of queues, rings and [`ActiveSockets`] are leaves. Sends,
//! indications, completions and closes happen under no lock but [`Adapter::state`], which the data
//! path never takes. One exception: a control message that the engine hands up to userspace may
//! complete a read request under the engine's control lock.

mod control_thread;
mod endpoint;
mod events;
mod halt;
mod initialize;
mod jobs;
mod keywords;
mod link;
mod message;
mod mtu;
mod object;
mod offloads;
mod oid;
mod opened;
mod packet_size;
mod path;
mod pause;
mod protocol;
mod receive;
mod requests;
mod restart;
mod sockets;
mod stack_queue;
mod statistics;
mod transmit;

use core::marker::PhantomData;

use nic_engine::protocol::PeerId;
use nic_engine::{Protocol, System};
use nt::event::Event;
use nt::extended_state::ExtendedRegisters;
use nt::lock::{SleepLock, SleepMutex, SpinLock};
use nt::miniport::AdapterHandle;
use nt::wsk::SendBatch;
use nt::{PoolBox, Shared};
use tunic_ioctl::AdapterId;
use tunic_ioctl::native::reply::EventInfo;

pub use control_thread::{ControlThread, Sink, receive as receive_control};
pub(crate) use initialize::{attributes, make};
use jobs::Jobs;
pub(crate) use jobs::{OldestJob, WorkerQueue};
pub use keywords::Keywords;
use offloads::Offloads;
use opened::{OpenedBatch, OpenedPackets};
pub use packet_size::MAXIMUM_MTU_BYTES;
pub use protocol::AdapterProtocol;
pub use receive::Receiver as SocketReceiver;
use receive::{OpenJob, Receiver};
use stack_queue::{StackPacket, StackQueue};
pub use statistics::statistics;
use transmit::{InFlight, SealedBatch, Sending};

use crate::name::Name;
use crate::outer_route::Network;
use crate::recycler::Recycler;
use crate::registry::Registry;
use crate::ring::Ring;
use crate::time;
use crate::workers::Job;
use crate::wsk::Wsk;

/// The engine's [`System`] on NT, for an adapter with protocol `P`.
pub struct Nt<P>(PhantomData<fn() -> P>);

impl<P: AdapterProtocol> System for Nt<P> {
    const FINDS_PATHS: bool = true;

    type SpinLock = SpinLock;
    type SleepLock = SleepLock;
    type Packet = StackPacket;
    type Queue = StackQueue;
    type Sealed = SealedBatch<P>;
    type Opened = OpenedBatch<P::Protocol>;
}

/// An adapter's sockets.
pub type Sockets<P> = sockets::Sockets<Receiver<P>>;
/// Bound sockets that are not installed yet.
pub type NewSockets<P> = sockets::NewSockets<Receiver<P>>;
/// The slot for an adapter's current sockets.
pub type ActiveSockets<P> = sockets::ActiveSockets<Receiver<P>>;

/// An adapter's engine.
pub type Nic<P> = nic_engine::Nic<<P as AdapterProtocol>::Protocol, Nt<P>>;
/// The engine of an adapter, under its control lock.
pub type Config<'a, P> = nic_engine::nic::Configurator<'a, <P as AdapterProtocol>::Protocol, Nt<P>>;
/// A batch to be sealed.
type TxBatch<P> = nic_engine::nic::TxBatch<<P as AdapterProtocol>::Protocol, Nt<P>>;
/// A batch to be opened.
type RxBatch<P> = nic_engine::nic::RxBatch<<P as AdapterProtocol>::Protocol>;

/// One batch's copy of a sealing key.
type SealContext<P> = <<P as AdapterProtocol>::Protocol as Protocol>::SealContext;
/// One batch's copy of an opening key.
type OpenContext<P> = <<P as AdapterProtocol>::Protocol as Protocol>::OpenContext;
/// What the length of a datagram depends on, besides its payload.
type Framing<P> = <<P as AdapterProtocol>::Protocol as Protocol>::Framing;

/// The link speed that NDIS is given: only the processor limits the real one.
pub const BITS_PER_SECOND: u64 = 100_000_000_000;

/// An adapter with protocol `P`.
pub struct Adapter<P: AdapterProtocol> {
    /// Its GUID.
    pub id: AdapterId,
    /// Its name from the registry; empty for none.
    pub name: Name,
    /// NDIS's handle, and its transmit and receive paths.
    pub handle: AdapterHandle,
    /// The driver's attachment to WSK.
    pub wsk: Shared<Wsk>,
    /// The routes that its datagrams take.
    network: Shared<Network>,
    /// The driver's adapters.
    registry: Shared<Registry>,
    /// Its engine.
    pub nic: PoolBox<Nic<P>>,
    /// Link state and configuration.
    pub state: SleepMutex<State<P>>,
    /// Its UDP sockets.
    pub sockets: ActiveSockets<P>,
    /// Its control thread.
    pub control: ControlThread,
    /// The protocol's objects outside the engine.
    pub extension: P::Extension,
    /// The registry allows tests to scale the protocol's timers.
    pub allows_test_timers: bool,
    /// Events of the native ABI.
    pub(crate) events: Ring<EventInfo>,
    /// The registers that AEADs may use.
    registers: ExtendedRegisters,
    jobs: Jobs<Work<P>>,
    send_batches: Shared<Recycler<SendBatch<InFlight<P>>>>,
    sending: Sending,
    interfaces: mtu::Interfaces,
    opened: Shared<Recycler<OpenedPackets>>,
    offloads: Offloads,
    /// Signals MiniportHaltEx that all fields above are dropped. Must be the last field: fields are
    /// dropped in order.
    released: Released,
}

/// A job for the workers, and its adapter.
struct Work<P: AdapterProtocol> {
    adapter: Shared<Adapter<P>>,
    task: Task<P>,
}

/// The kinds of job.
enum Task<P: AdapterProtocol> {
    /// Seal a batch, and send the batches that are next in order.
    Seal(TxBatch<P>),
    /// Open a batch, and indicate the batches that are next in order.
    Open(OpenJob<P>),
    /// Seal and send what a peer has queued.
    Pump(PeerId),
}

impl<P: AdapterProtocol> Job for Work<P> {
    fn run(self) {
        let Self { adapter, task } = self;
        match task {
            Task::Seal(batch) => transmit::seal_and_pump(&adapter, batch),
            Task::Open(job) => receive::open(&adapter, job),
            Task::Pump(peer) => transmit::pump(&adapter, peer, transmit::PumpThread::Worker),
        }
        // Returns packets that were dropped during the job to the stack.
        adapter.handle.transmit.flush();
    }
}

/// The link state and configuration of an adapter.
pub struct State<P: AdapterProtocol> {
    /// The adapter has sockets and carries packets.
    pub is_up: bool,
    /// The link was indicated to NDIS as connected.
    pub is_connected: bool,
    /// NDIS has paused the adapter.
    pub is_paused: bool,
    /// The device is being removed: changes are refused.
    pub is_removed: bool,
    /// The protocol's configuration.
    pub settings: P::Settings,
    /// Sequence number of the last event.
    pub event_sequence: u64,
}

impl<P: AdapterProtocol> Default for State<P> {
    /// Down and paused, the initial state of an NDIS adapter.
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

/// The number of peers of an adapter.
pub fn peer_count<P: AdapterProtocol>(adapter: &Shared<Adapter<P>>) -> u32 {
    let mut sink = Sink::new(adapter);
    let count = adapter.nic.configure(time::now(), &mut sink, |config| config.peer_count());
    u32::try_from(count).unwrap_or(u32::MAX)
}

impl<P: AdapterProtocol> Adapter<P> {
    /// Queues an event for READ_EVENT of the native ABI.
    pub fn push_event(&self, event: EventInfo) {
        self.events.push(event);
    }

    /// Allocates the sequence number of an event.
    pub fn next_event(&self) -> u64 {
        let mut state = self.state.lock();
        state.event_sequence = state.event_sequence.wrapping_add(1);
        state.event_sequence
    }
}

/// Sets its event on drop.
struct Released(Shared<Event>);

impl Drop for Released {
    fn drop(&mut self) {
        self.0.set();
    }
}
