//! Packets that leave a tunnel's machine in plaintext.

use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Result, ensure};
use nix::sys::socket::{setsockopt, sockopt};

use crate::link::Link;

const PORT: u16 = 7777;
/// The interval of packets to each destination.
const INTERVAL: Duration = Duration::from_millis(10);

/// Sends packets to destinations behind a tunnel all the time, and counts those that reach the
/// other side of the link without the tunnel.
#[derive(Debug)]
pub struct Plaintext {
    sent: Arc<AtomicUsize>,
    arrived: Arc<AtomicUsize>,
    is_over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Plaintext {
    /// Starts to send from the left of a link, and to count at its right. Without the tunnel, the
    /// link must be the way to these addresses.
    pub fn start(link: &Link, destinations: &[&str]) -> Result<Self> {
        let receiver = link.right.enter(|| {
            let socket = UdpSocket::bind(("::", PORT))?;
            setsockopt(&socket, sockopt::BindToDevice, &"v0".into())?;
            Ok(socket)
        })?;
        receiver.set_read_timeout(Some(Duration::from_millis(100)))?;
        let senders =
            link.left.enter(|| Ok([UdpSocket::bind("0.0.0.0:0")?, UdpSocket::bind("[::]:0")?]))?;
        let destinations: Result<Vec<SocketAddr>, _> = destinations
            .iter()
            .map(|address| address.parse().map(|address| SocketAddr::new(address, PORT)))
            .collect();
        let destinations = destinations?;
        let mut counted = Self {
            sent: Arc::default(),
            arrived: Arc::default(),
            is_over: Arc::default(),
            threads: Vec::new(),
        };
        let (sent, is_over) = (counted.sent.clone(), counted.is_over.clone());
        counted.threads.push(thread::spawn(move || {
            while !is_over.load(Ordering::Relaxed) {
                for destination in &destinations {
                    // Refused while there is no way at all, and while the tunnel has no peer.
                    let _ =
                        senders[usize::from(destination.is_ipv6())].send_to(b"secret", destination);
                }
                sent.fetch_add(1, Ordering::Relaxed);
                thread::park_timeout(INTERVAL);
            }
        }));
        let (arrived, is_over) = (counted.arrived.clone(), counted.is_over.clone());
        counted.threads.push(thread::spawn(move || {
            while !is_over.load(Ordering::Relaxed) {
                match receiver.recv(&mut [0; 16]) {
                    Ok(_) => _ = arrived.fetch_add(1, Ordering::Relaxed),
                    Err(error)
                        if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                    Err(error) => panic!("{error}"),
                }
            }
        }));
        Ok(counted)
    }

    /// How many packets came in plaintext so far.
    pub fn arrived(&self) -> usize {
        self.arrived.load(Ordering::Relaxed)
    }

    /// Expects packets to have been sent since the last call, and none to have come in plaintext.
    pub fn none_arrived(&self) -> Result<()> {
        let sent = self.sent.swap(0, Ordering::Relaxed);
        let arrived = self.arrived.swap(0, Ordering::Relaxed);
        ensure!(sent > 0, "nothing was sent");
        ensure!(arrived == 0, "{arrived} packets in plaintext of {sent} to each destination");
        Ok(())
    }
}

impl Drop for Plaintext {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}
