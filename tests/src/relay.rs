//! A bad network between two WireGuards: a UDP relay that loses, reorders, repeats, cuts and flips.

use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
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
    ended: Arc<AtomicBool>,
    mangle: Arc<Mutex<Mangle>>,
    forwarded: Arc<AtomicU64>,
    thread: Option<JoinHandle<Result<()>>>,
}

impl Relay {
    /// Listens on `listen` in a namespace and passes everything on to `target`, and the answers back.
    pub fn start(namespace: &Namespace, listen: SocketAddr, target: SocketAddr) -> Result<Self> {
        let (front, back) = namespace.enter(|| {
            let back = UdpSocket::bind(match target {
                SocketAddr::V4(_) => "0.0.0.0:0",
                SocketAddr::V6(_) => "[::]:0",
            })?;
            back.connect(target)?;
            Ok((UdpSocket::bind(listen)?, back))
        })?;
        let ended = Arc::new(AtomicBool::new(false));
        let mangle: Arc<Mutex<Mangle>> = Arc::new(Mutex::new(Box::new(pass)));
        let forwarded = Arc::new(AtomicU64::new(0));
        let thread = std::thread::spawn({
            let (ended, mangle, forwarded) = (ended.clone(), mangle.clone(), forwarded.clone());
            move || run(&front, &back, &ended, &mangle, &forwarded)
        });
        Ok(Self { ended, mangle, forwarded, thread: Some(thread) })
    }

    /// From now on, datagrams become what `mangle` makes of them.
    pub fn set(&self, mangle: impl FnMut(&[u8], Direction) -> Vec<Vec<u8>> + Send + 'static) {
        *self.mangle.lock().unwrap_or_else(PoisonError::into_inner) = Box::new(mangle);
    }

    /// Datagrams sent on so far, both ways.
    pub fn forwarded(&self) -> u64 {
        self.forwarded.load(Ordering::Relaxed)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
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

fn run(
    front: &UdpSocket,
    back: &UdpSocket,
    ended: &AtomicBool,
    mangle: &Mutex<Mangle>,
    forwarded: &AtomicU64,
) -> Result<()> {
    let client: Mutex<Option<SocketAddr>> = Mutex::new(None);
    let client = &client;
    std::thread::scope(|scope| {
        let mangled = |datagram: &[u8], direction| {
            let mut mangle = mangle.lock().unwrap_or_else(PoisonError::into_inner);
            mangle(datagram, direction)
        };
        for socket in [front, back] {
            socket.set_read_timeout(Some(Duration::from_millis(50)))?;
        }
        scope.spawn(move || {
            let mut buffer = vec![0; 65536];
            while !ended.load(Ordering::Relaxed) {
                let Ok(length) = back.recv(&mut buffer) else { continue };
                let to = *client.lock().unwrap_or_else(PoisonError::into_inner);
                for datagram in mangled(&buffer[..length], Direction::Back) {
                    forwarded.fetch_add(1, Ordering::Relaxed);
                    // A datagram may be lost anywhere, here too.
                    let _ = to.map(|to| front.send_to(&datagram, to));
                }
            }
        });
        let mut buffer = vec![0; 65536];
        while !ended.load(Ordering::Relaxed) {
            let Ok((length, from)) = front.recv_from(&mut buffer) else { continue };
            *client.lock().unwrap_or_else(PoisonError::into_inner) = Some(from);
            for datagram in mangled(&buffer[..length], Direction::Forward) {
                forwarded.fetch_add(1, Ordering::Relaxed);
                let _ = back.send(&datagram);
            }
        }
        Ok(())
    })
}
