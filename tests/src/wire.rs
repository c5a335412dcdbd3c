//! The wire between two ends on loopback: it carries, records, and can hold back.

use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::machine::End;

/// How often the threads look whether to end.
const POLL: Duration = Duration::from_millis(20);

/// A wire between a first and a second end. Each takes it for the other.
pub struct Wire {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

/// A datagram that was on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// It was for the second end.
    pub to_second: bool,
    /// What it was.
    pub datagram: Vec<u8>,
}

struct Shared {
    /// By the first end, and then by the second.
    sockets: [UdpSocket; 2],
    ends: [SocketAddr; 2],
    is_ended: AtomicBool,
    holds_data: AtomicBool,
    record: Mutex<Vec<Recorded>>,
}

impl Wire {
    /// Connects two ends with each other, and brings them up. The first knows where the second is.
    #[must_use]
    pub fn between(first: &End, second: &End) -> Self {
        let sockets = [(); 2].map(|()| {
            let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
            socket.set_read_timeout(Some(POLL)).expect("a timeout");
            socket
        });
        let near = sockets[0].local_addr().expect("an address");
        second.configure(first.as_peer(None));
        first.configure(second.as_peer(Some(near)));
        let shared = Arc::new(Shared {
            sockets,
            ends: [first.endpoint(), second.endpoint()],
            is_ended: AtomicBool::new(false),
            holds_data: AtomicBool::new(false),
            record: Mutex::new(Vec::new()),
        });
        let threads = [0, 1]
            .map(|from| {
                let shared = shared.clone();
                std::thread::spawn(move || shared.carry(from))
            })
            .into();
        Self { shared, threads }
    }

    /// From now on, data is recorded and goes no further; or it goes on again.
    pub fn hold_data(&self, hold: bool) {
        self.shared.holds_data.store(hold, Ordering::Relaxed);
    }

    /// Takes what was recorded so far.
    #[must_use]
    pub fn take(&self) -> Vec<Recorded> {
        std::mem::take(&mut *self.shared.record())
    }

    /// How much is recorded.
    #[must_use]
    pub fn recorded(&self) -> usize {
        self.shared.record().len()
    }

    /// Sends a datagram to whom it was for, from where it would have come.
    pub fn send(&self, recorded: &Recorded) {
        let to = usize::from(recorded.to_second);
        let sent = self.shared.sockets[to].send_to(&recorded.datagram, self.shared.ends[to]);
        assert_eq!(sent.expect("it is sent"), recorded.datagram.len());
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.shared.is_ended.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl Shared {
    /// Carries what the end of this number sends.
    fn carry(&self, from: usize) {
        let to = 1 - from;
        let mut buffer = [0; 2048];
        while !self.is_ended.load(Ordering::Relaxed) {
            let Ok((length, sender)) = self.sockets[from].recv_from(&mut buffer) else { continue };
            if sender != self.ends[from] {
                continue;
            }
            let datagram = buffer[..length].to_vec();
            let is_held = self.holds_data.load(Ordering::Relaxed) && datagram[0] == 4;
            self.record().push(Recorded { to_second: to == 1, datagram });
            if !is_held {
                // A datagram may be lost anywhere, here too.
                let _ = self.sockets[to].send_to(&buffer[..length], self.ends[to]);
            }
        }
    }

    fn record(&self) -> MutexGuard<'_, Vec<Recorded>> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
