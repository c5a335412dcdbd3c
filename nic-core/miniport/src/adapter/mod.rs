//! One adapter: what NDIS's calls, IOCTLs and sockets of it share.
//!
//! This is the hub of the folder: the modules below it work on an [`Adapter`] and call few of their
//! neighbours.
//!
//! # Locks
//!
//! In this order: [`Adapter::state`] (a sleep lock: up, down, pause, configuration), then the
//! engine's. The spin locks of queues, rings and the sockets' place are leaves. Nothing is sent,
//! indicated, completed or closed under a lock but [`Adapter::state`], and of that the data path
//! knows nothing.

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
use crate::recycler::Recycler;
use crate::ring::Ring;
use crate::time;
use crate::workers::Job;
use crate::wsk::Wsk;

/// NT, as the engine of an adapter that speaks `P` sees it.
pub struct Nt<P>(PhantomData<fn() -> P>);

impl<P: AdapterProtocol> System for Nt<P> {
    type SpinLock = SpinLock;
    type SleepLock = SleepLock;
    type Packet = StackPacket;
    type Queue = StackQueue;
    type Sealed = SealedBatch<P>;
    type Opened = OpenedBatch<P::Protocol>;
}

/// An adapter's sockets.
pub type Sockets<P> = sockets::Sockets<Receiver<P>>;
/// Sockets that are to be an adapter's.
pub type NewSockets<P> = sockets::NewSockets<Receiver<P>>;
/// Where an adapter's sockets are.
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
/// What a datagram's length depends on, beside its payload.
type Framing<P> = <<P as AdapterProtocol>::Protocol as Protocol>::Framing;

/// What the link says of its speed: nothing limits it but the processor.
pub const BITS_PER_SECOND: u64 = 100_000_000_000;

/// An adapter that speaks `P`.
pub struct Adapter<P: AdapterProtocol> {
    /// Its GUID.
    pub id: AdapterId,
    /// Its name, as the registry has it; empty where it has none.
    pub name: Name,
    /// NDIS's side of it.
    pub handle: AdapterHandle,
    /// The driver's attachment to WSK.
    pub wsk: Shared<Wsk>,
    /// Its engine.
    pub nic: PoolBox<Nic<P>>,
    /// What is asked of it.
    pub state: SleepMutex<State<P>>,
    /// Its UDP sockets.
    pub sockets: ActiveSockets<P>,
    /// Its control thread.
    pub control: ControlThread,
    /// What the protocol has beside.
    pub extension: P::Extension,
    /// The registry allows to change the protocol's timers.
    pub allows_test_timers: bool,
    /// Events of the native ABI.
    pub(crate) events: Ring<EventInfo>,
    jobs: Jobs<Work<P>>,
    send_batches: Shared<Recycler<SendBatch<InFlight<P>>>>,
    sending: Sending,
    interfaces: mtu::Interfaces,
    opened: Shared<Recycler<OpenedPackets>>,
    offloads: Offloads,
    /// Tells who halts it that all of the above is gone. Must be the last field: fields are dropped
    /// in order.
    released: Released,
}

/// A job for the workers, and the adapter that it is for.
struct Work<P: AdapterProtocol> {
    adapter: Shared<Adapter<P>>,
    task: Task<P>,
}

/// What is to be done.
enum Task<P: AdapterProtocol> {
    /// Seal a batch, and send what is in turn.
    Seal(TxBatch<P>),
    /// Open a batch, and indicate what is in turn.
    Open(OpenJob<P>),
    /// Look whether a peer has something to send.
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
        // Whatever was dropped meanwhile goes back to the stack.
        adapter.handle.transmit.flush();
    }
}

/// What is asked of an adapter.
pub struct State<P: AdapterProtocol> {
    /// It has sockets, and packets may be carried.
    pub is_up: bool,
    /// The stack was told that the link is up.
    pub is_connected: bool,
    /// NDIS wants no packets.
    pub is_paused: bool,
    /// Its device is going: nothing can be changed any more.
    pub is_removed: bool,
    /// What the protocol notes.
    pub settings: P::Settings,
    /// Counts events.
    pub event_sequence: u64,
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
pub fn peer_count<P: AdapterProtocol>(adapter: &Shared<Adapter<P>>) -> u32 {
    let mut sink = Sink::new(adapter);
    let count = adapter.nic.configure(time::now(), &mut sink, |config| config.peer_count());
    u32::try_from(count).unwrap_or(u32::MAX)
}

impl<P: AdapterProtocol> Adapter<P> {
    /// Leaves an event to those who read events by the native ABI.
    pub fn push_event(&self, event: EventInfo) {
        self.events.push(event);
    }

    /// Counts an event and gives its number.
    pub fn next_event(&self) -> u64 {
        let mut state = self.state.lock();
        state.event_sequence = state.event_sequence.wrapping_add(1);
        state.event_sequence
    }
}

/// Sets an event when it is dropped.
struct Released(Shared<Event>);

impl Drop for Released {
    fn drop(&mut self) {
        self.0.set();
    }
}
