//! A bad network between two WireGuards: a UDP relay that loses, reorders, repeats, cuts and flips.

use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Result;

use crate::namespace::Namespace;

/// What becomes of a datagram: what is sent on in its place, in order.
pub type Mangle = Box<dyn FnMut(&[u8], Direction) -> Vec<Vec<u8>> + Send>;

/// Which way a datagram goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From whoever spoke first to the relay, to the target.
    Forward,
    /// Back.
    Back,
}

/// A relay that runs until it is dropped.
pub struct Relay {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

struct Shared {
    ended: AtomicBool,
    mangle: Mutex<Mangle>,
    forwarded: AtomicU64,
    /// The socket towards the target.
    back: UdpSocket,
    /// The socket that answers are sent from, and to whom.
    front: Mutex<(Arc<UdpSocket>, Option<SocketAddr>)>,
}

impl Relay {
    /// Listens on `listen` in a namespace and passes everything on to `target`, and the answers
    /// back.
    pub fn start(namespace: &Namespace, listen: SocketAddr, target: SocketAddr) -> Result<Self> {
        let (front, back) = namespace.enter(|| {
            let back = UdpSocket::bind(match target {
                SocketAddr::V4(_) => "0.0.0.0:0",
                SocketAddr::V6(_) => "[::]:0",
            })?;
            back.connect(target)?;
            Ok((Arc::new(UdpSocket::bind(listen)?), back))
        })?;
        for socket in [&*front, &back] {
            socket.set_read_timeout(Some(POLL))?;
        }
        let shared = Arc::new(Shared {
            ended: AtomicBool::new(false),
            mangle: Mutex::new(Box::new(pass)),
            forwarded: AtomicU64::new(0),
            back,
            front: Mutex::new((front.clone(), None)),
        });
        let threads = vec![
            std::thread::spawn({
                let shared = shared.clone();
                move || shared.carry_forward(&front)
            }),
            std::thread::spawn({
                let shared = shared.clone();
                move || shared.carry_back()
            }),
        ];
        Ok(Self { shared, threads })
    }

    /// Moves to another address: from now on answers come from there. The old one still listens.
    pub fn roam(&mut self, namespace: &Namespace, listen: SocketAddr) -> Result<()> {
        let front = Arc::new(namespace.enter(|| Ok(UdpSocket::bind(listen)?))?);
        front.set_read_timeout(Some(POLL))?;
        lock(&self.shared.front).0 = front.clone();
        let shared = self.shared.clone();
        self.threads.push(std::thread::spawn(move || shared.carry_forward(&front)));
        Ok(())
    }

    /// From now on, datagrams become what `mangle` makes of them.
    pub fn set(&self, mangle: impl FnMut(&[u8], Direction) -> Vec<Vec<u8>> + Send + 'static) {
        *lock(&self.shared.mangle) = Box::new(mangle);
    }

    /// Datagrams sent on so far, both ways.
    pub fn forwarded(&self) -> u64 {
        self.shared.forwarded.load(Ordering::Relaxed)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// Passes a datagram on as it is.
pub fn pass(datagram: &[u8], _: Direction) -> Vec<Vec<u8>> {
    vec![datagram.to_vec()]
}

/// Loses one datagram in a hundred and lets one in twenty wait for the next.
pub fn lossy() -> impl FnMut(&[u8], Direction) -> Vec<Vec<u8>> + Send {
    let mut count = 0_u64;
    let mut held: [Option<Vec<u8>>; 2] = [None, None];
    move |datagram, direction| {
        count += 1;
        let held = &mut held[usize::from(direction == Direction::Back)];
        // A fixed but irregular choice, so that a run can be repeated.
        let draw = count.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
        if draw.is_multiple_of(100) {
            return Vec::new();
        }
        if draw % 20 == 7 && held.is_none() {
            *held = Some(datagram.to_vec());
            return Vec::new();
        }
        std::iter::once(datagram.to_vec()).chain(held.take()).collect()
    }
}

impl Shared {
    fn carry_forward(&self, front: &UdpSocket) {
        let mut buffer = vec![0; 65536];
        while !self.ended.load(Ordering::Relaxed) {
            let Ok((length, from)) = front.recv_from(&mut buffer) else { continue };
            lock(&self.front).1 = Some(from);
            for datagram in self.mangled(&buffer[..length], Direction::Forward) {
                // A datagram may be lost anywhere, here too.
                let _ = self.back.send(&datagram);
            }
        }
    }

    fn carry_back(&self) {
        let mut buffer = vec![0; 65536];
        while !self.ended.load(Ordering::Relaxed) {
            let Ok(length) = self.back.recv(&mut buffer) else { continue };
            let (front, to) = lock(&self.front).clone();
            for datagram in self.mangled(&buffer[..length], Direction::Back) {
                let _ = to.map(|to| front.send_to(&datagram, to));
            }
        }
    }

    fn mangled(&self, datagram: &[u8], direction: Direction) -> Vec<Vec<u8>> {
        let datagrams = lock(&self.mangle)(datagram, direction);
        self.forwarded.fetch_add(datagrams.len() as u64, Ordering::Relaxed);
        datagrams
    }
}

/// How long a thread of the relay sleeps before it looks whether to end.
const POLL: Duration = Duration::from_millis(50);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
