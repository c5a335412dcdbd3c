//! An IP stack in memory (smoltcp) as the edge of an adapter. It runs on its own thread: real TCP
//! without privileges.
//!
//! The stack answers echo requests. Further work is passed to its thread as tasks:
//! [`ping`](MemoryStack::ping), bulk TCP ([`listen_sink`](MemoryStack::listen_sink),
//! [`start_bulk`](MemoryStack::start_bulk)), UDP echo.

mod link;
mod pattern;
mod ping;
mod task;
mod tcp;
mod udp;

use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use smoltcp::iface::{Config, Interface, SocketSet};
use smoltcp::wire::{HardwareAddress, IpCidr, Ipv4Address, Ipv6Address};

pub use ping::PingReport;
pub use tcp::{BulkAmount, BulkTransfer, Sink, ThroughputReport};
pub use udp::EchoReport;

use self::link::{Inbox, Link};
use self::task::{Context, Step, Task};
use crate::edge::Edge;
use crate::ndis::{AdapterPort, ReceivedBatch};

/// An IP stack in memory. Clones share it.
#[derive(Clone)]
pub struct MemoryStack {
    shared: Arc<Shared>,
}

/// The reason why a task failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StackError {
    /// The stack is not attached to an adapter, or was detached during the task.
    Detached,
    /// The stack has no address of the family.
    NoAddress,
    /// The peer did not answer in time.
    TimedOut,
    /// The peer closed or reset the connection.
    Closed,
    /// The port is in use.
    PortInUse,
}

impl std::fmt::Display for StackError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Detached => "the stack is not above an adapter",
            Self::NoAddress => "the stack has no address of that family",
            Self::TimedOut => "the peer did not answer in time",
            Self::Closed => "the peer closed the connection",
            Self::PortInUse => "the port is in use",
        })
    }
}

impl std::error::Error for StackError {}

struct Shared {
    addresses: Vec<(IpAddr, u8)>,
    mtu: AtomicU32,
    inbox: Mutex<Inbox>,
    wake: Condvar,
    stops: AtomicBool,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl MemoryStack {
    /// A stack with these addresses and prefix lengths, at most one of each family. Everything is
    /// routed to the adapter.
    #[must_use]
    pub fn new(addresses: &[(IpAddr, u8)], mtu: u32) -> Self {
        Self {
            shared: Arc::new(Shared {
                addresses: addresses.to_vec(),
                mtu: AtomicU32::new(mtu),
                inbox: Mutex::new(Inbox::default()),
                wake: Condvar::new(),
                stops: AtomicBool::new(true),
                thread: Mutex::new(None),
            }),
        }
    }

    /// Passes a task to the stack's thread.
    fn add(&self, task: Box<dyn Task>) -> Result<(), StackError> {
        if self.shared.stops.load(Ordering::Acquire) {
            return Err(StackError::Detached);
        }
        self.shared.leave(|inbox| inbox.tasks.push(task));
        Ok(())
    }

    /// Passes a task to the stack's thread and waits for its result.
    fn run<T>(&self, make: impl FnOnce(Answer<T>) -> Box<dyn Task>) -> Result<T, StackError> {
        let (answer, result) = mpsc::channel();
        self.add(make(answer))?;
        // The other end is dropped with the task, when the stack is detached.
        result.recv().unwrap_or(Err(StackError::Detached))
    }

    /// The stack's own address of the family of `peer`.
    fn source_for(&self, peer: IpAddr) -> Result<IpAddr, StackError> {
        self.shared
            .addresses
            .iter()
            .map(|(address, _)| *address)
            .find(|address| address.is_ipv4() == peer.is_ipv4())
            .ok_or(StackError::NoAddress)
    }
}

/// The sender of a task's result.
type Answer<T> = mpsc::Sender<Result<T, StackError>>;

impl Shared {
    fn inbox(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the inbox, and wakes the thread if it sleeps.
    fn leave(&self, f: impl FnOnce(&mut Inbox)) {
        let mut inbox = self.inbox();
        f(&mut inbox);
        let sleeps = inbox.sleeps;
        drop(inbox);
        if sleeps {
            self.wake.notify_one();
        }
    }
}

impl Edge for MemoryStack {
    fn attach(&self, port: AdapterPort) -> io::Result<()> {
        self.shared.stops.store(false, Ordering::Release);
        let shared = Arc::clone(&self.shared);
        let thread = thread::Builder::new()
            .name(format!("stack-{}", port.name()))
            .spawn(move || run(&shared, port))?;
        *self.shared.thread.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread);
        Ok(())
    }

    fn receive(&self, packets: &ReceivedBatch<'_>) {
        self.shared.leave(|inbox| packets.for_each(|packet| inbox.push(packet.data)));
    }

    fn room(&self) {
        self.shared.leave(|inbox| inbox.has_room = true);
    }

    fn mtu(&self, mtu: u32) {
        self.shared.mtu.store(mtu, Ordering::Relaxed);
    }

    fn detach(&self) {
        self.shared.stops.store(true, Ordering::Release);
        // Under the lock, the thread either has not checked `stops` yet, or waits.
        self.shared.leave(|_| ());
        let thread = self.shared.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // A thread that panicked has ended the process.
            let _ = thread.join();
        }
    }
}

/// The stack's thread.
fn run(shared: &Shared, port: AdapterPort) {
    let start = Instant::now();
    let now = || {
        smoltcp::time::Instant::from_micros(
            i64::try_from(start.elapsed().as_micros()).unwrap_or(i64::MAX),
        )
    };
    let mut link = Link::new(port);
    let mut config = Config::new(HardwareAddress::Ip);
    config.random_seed = random();
    let mut interface = Interface::new(config, &mut link, now());
    interface.update_ip_addrs(|addresses| {
        for (address, prefix_length) in &shared.addresses {
            // Addresses beyond the documented maximum are ignored.
            let _ = addresses.push(IpCidr::new((*address).into(), *prefix_length));
        }
    });
    // Without a link layer, the gateway's address does not matter.
    let _ = interface.routes_mut().add_default_ipv4_route(Ipv4Address::new(192, 0, 2, 1));
    let _ = interface
        .routes_mut()
        .add_default_ipv6_route(Ipv6Address::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1));
    let mut sockets = SocketSet::new(Vec::new());
    let mut tasks: Vec<Box<dyn Task>> = Vec::new();
    while !shared.stops.load(Ordering::Acquire) {
        let has_more = link.exchange(&mut shared.inbox(), &mut tasks);
        link.mtu = shared.mtu.load(Ordering::Relaxed) as usize;
        interface.poll(now(), &mut link, &mut sockets);
        let (progress, next_task) = step(&mut tasks, &mut interface, &mut sockets);
        link.flush();
        if link.is_blocked() {
            wait(shared, Duration::from_secs(1), |inbox| !inbox.has_room);
            continue;
        }
        if progress || has_more {
            continue;
        }
        let timer = interface
            .poll_delay(now(), &sockets)
            .map(|delay| Duration::from_micros(delay.total_micros()));
        let waits =
            [timer, next_task].into_iter().flatten().min().unwrap_or(Duration::from_secs(1));
        if !waits.is_zero() {
            wait(shared, waits, Inbox::is_empty);
        }
    }
}

/// Runs a step of every task. Returns whether one made progress, and the time until the next step.
fn step(
    tasks: &mut Vec<Box<dyn Task>>,
    interface: &mut Interface,
    sockets: &mut SocketSet<'static>,
) -> (bool, Option<Duration>) {
    let (mut progress, mut next, mut new) = (false, None, Vec::new());
    tasks.retain_mut(|task| {
        let mut context = Context { interface, sockets, new: &mut new };
        match task.step(&mut context) {
            Step::Done => {
                progress = true;
                false
            }
            Step::Progress => {
                progress = true;
                true
            }
            Step::Wait(delay) => {
                next = [next, delay].into_iter().flatten().min();
                true
            }
        }
    });
    progress |= !new.is_empty();
    tasks.append(&mut new);
    (progress, next)
}

/// Waits while `idle` holds for the inbox, up to `timeout`.
fn wait(shared: &Shared, timeout: Duration, idle: impl Fn(&Inbox) -> bool) {
    let mut inbox = shared.inbox();
    inbox.sleeps = true;
    let (mut inbox, _) = shared
        .wake
        .wait_timeout_while(inbox, timeout, |inbox| {
            idle(inbox) && !shared.stops.load(Ordering::Acquire)
        })
        .unwrap_or_else(PoisonError::into_inner);
    inbox.sleeps = false;
}

fn random() -> u64 {
    let mut seed = [0; 8];
    // Without randomness, sequence numbers are predictable. Nothing here depends on them.
    let _ = getrandom::fill(&mut seed);
    u64::from_ne_bytes(seed)
}
