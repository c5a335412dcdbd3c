//! Bulk TCP: a sink that verifies what it receives, and a source.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use smoltcp::iface::SocketHandle;
use smoltcp::socket::tcp::{Socket, SocketBuffer};

use super::pattern::Pattern;
use super::task::{Context, Step, Task};
use super::{Answer, MemoryStack, StackError};

const BUFFER_BYTES: usize = 4 << 20;
/// The time without progress after which a transfer fails.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);
/// The sink's answer at the end: the bytes received, and the offset of the first wrong byte or
/// `u64::MAX`.
const VERDICT_BYTES: usize = 16;

/// The amount to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BulkAmount {
    /// As much as possible in this time.
    Duration(Duration),
    /// This many bytes.
    Bytes(u64),
}

/// The result of a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ThroughputReport {
    /// The bytes sent. The sink received all of them.
    pub bytes: u64,
    /// The time from the first byte to the sink's answer.
    pub duration: Duration,
    /// The offset of the first byte that the sink found to be wrong.
    pub first_wrong_byte: Option<u64>,
}

impl ThroughputReport {
    /// Bits per second.
    #[must_use]
    pub fn bits_per_second(&self) -> f64 {
        self.bytes as f64 * 8.0 / self.duration.as_secs_f64().max(1e-9)
    }
}

/// A transfer in progress.
pub struct BulkTransfer {
    acknowledged: Arc<AtomicU64>,
    result: mpsc::Receiver<Result<ThroughputReport, StackError>>,
}

impl BulkTransfer {
    /// The bytes that the sink's stack has acknowledged.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.acknowledged.load(Ordering::Relaxed)
    }

    /// Waits for the end.
    ///
    /// # Errors
    /// `TimedOut` after 15 s without progress, `Closed` if the peer refused or reset the
    /// connection, `Detached`.
    pub fn wait(self) -> Result<ThroughputReport, StackError> {
        self.result.recv().unwrap_or(Err(StackError::Detached))
    }
}

/// A listening sink.
#[derive(Clone)]
pub struct Sink {
    received: Arc<AtomicU64>,
    wrong: Arc<AtomicU64>,
    connections: Arc<AtomicU64>,
}

impl Sink {
    /// The bytes received on all connections.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// The number of connections with a wrong byte.
    #[must_use]
    pub fn corrupt_connections(&self) -> u64 {
        self.wrong.load(Ordering::Relaxed)
    }

    /// The number of accepted connections.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.connections.load(Ordering::Relaxed)
    }
}

impl MemoryStack {
    /// Listens at `port`, and verifies and discards what it receives. Returns once it listens.
    ///
    /// # Errors
    /// `PortInUse` for port 0, `Detached`.
    pub fn listen_sink(&self, port: u16) -> Result<Sink, StackError> {
        let sink =
            Sink { received: Arc::default(), wrong: Arc::default(), connections: Arc::default() };
        let shared = sink.clone();
        self.run(|answer| {
            Box::new(Listener { port, sink: shared, socket: None, answer: Some(answer) })
        })?;
        Ok(sink)
    }

    /// Sends to a sink and waits for the end.
    ///
    /// # Errors
    /// As [`BulkTransfer::wait`]; `NoAddress`.
    pub fn send_bulk(
        &self,
        to: IpAddr,
        port: u16,
        amount: BulkAmount,
    ) -> Result<ThroughputReport, StackError> {
        self.start_bulk(to, port, amount)?.wait()
    }

    /// Starts a transfer to a sink.
    ///
    /// # Errors
    /// `NoAddress`, `Detached`.
    pub fn start_bulk(
        &self,
        to: IpAddr,
        port: u16,
        amount: BulkAmount,
    ) -> Result<BulkTransfer, StackError> {
        let from = self.source_for(to)?;
        let acknowledged = Arc::new(AtomicU64::new(0));
        let (answer, result) = mpsc::channel();
        self.add(Box::new(Source {
            from,
            to: SocketAddr::new(to, port),
            amount,
            pattern: Pattern::new(),
            socket: None,
            begun: None,
            moved: Instant::now(),
            offset: 0,
            is_closed: false,
            acknowledged: Arc::clone(&acknowledged),
            answer,
        }))?;
        Ok(BulkTransfer { acknowledged, result })
    }
}

fn new_socket() -> Socket<'static> {
    let mut socket = Socket::new(
        SocketBuffer::new(vec![0; BUFFER_BYTES]),
        SocketBuffer::new(vec![0; BUFFER_BYTES]),
    );
    socket.set_nagle_enabled(false);
    socket
}

struct Listener {
    port: u16,
    sink: Sink,
    socket: Option<SocketHandle>,
    answer: Option<Answer<()>>,
}

impl Task for Listener {
    fn step(&mut self, context: &mut Context<'_>) -> Step {
        let Some(handle) = self.socket else {
            let mut socket = new_socket();
            let result = socket.listen(self.port).map_err(|_| StackError::PortInUse);
            self.socket = context.serve(socket, result, &mut self.answer);
            return if self.socket.is_some() { Step::Progress } else { Step::Done };
        };
        let socket = context.socket::<Socket<'static>>(handle);
        if !socket.is_active() {
            if !socket.is_open() {
                self.socket = None;
                context.sockets.remove(handle);
                return Step::Progress;
            }
            return Step::Wait(None);
        }
        self.sink.connections.fetch_add(1, Ordering::Relaxed);
        context.new.push(Box::new(Swallow {
            sink: self.sink.clone(),
            pattern: Pattern::new(),
            socket: handle,
            offset: 0,
            first_wrong: u64::MAX,
            moved: Instant::now(),
            has_answered: false,
        }));
        self.socket = None;
        Step::Progress
    }
}

/// One connection of a sink.
struct Swallow {
    sink: Sink,
    pattern: Pattern,
    socket: SocketHandle,
    offset: u64,
    first_wrong: u64,
    moved: Instant,
    has_answered: bool,
}

impl Task for Swallow {
    fn step(&mut self, context: &mut Context<'_>) -> Step {
        let socket = context.socket::<Socket<'static>>(self.socket);
        let mut progress = false;
        while socket.can_recv() {
            let (pattern, offset, first_wrong) =
                (&self.pattern, self.offset, &mut self.first_wrong);
            let received = socket.recv(|bytes| {
                if *first_wrong == u64::MAX {
                    *first_wrong = pattern.mismatch(offset, bytes).unwrap_or(u64::MAX);
                }
                (bytes.len(), bytes.len() as u64)
            });
            let Ok(received) = received else { break };
            self.offset += received;
            self.sink.received.fetch_add(received, Ordering::Relaxed);
            progress = true;
        }
        let may_begin = !matches!(
            socket.state(),
            smoltcp::socket::tcp::State::SynReceived | smoltcp::socket::tcp::State::Listen
        );
        if !self.has_answered && may_begin && !socket.may_recv() && socket.can_send() {
            let mut verdict = [0; VERDICT_BYTES];
            let (bytes, wrong) = verdict.split_at_mut(8);
            bytes.copy_from_slice(&self.offset.to_be_bytes());
            wrong.copy_from_slice(&self.first_wrong.to_be_bytes());
            // The send buffer is empty.
            let _ = socket.send_slice(&verdict);
            socket.close();
            self.has_answered = true;
            self.sink.wrong.fetch_add(u64::from(self.first_wrong != u64::MAX), Ordering::Relaxed);
            progress = true;
        }
        if progress {
            self.moved = Instant::now();
            return Step::Progress;
        }
        let left = ANSWER_TIMEOUT.saturating_sub(self.moved.elapsed());
        if !socket.is_open() || left.is_zero() {
            context.sockets.remove(self.socket);
            return Step::Done;
        }
        Step::Wait(Some(left))
    }
}

/// The sending side of a connection.
struct Source {
    from: IpAddr,
    to: SocketAddr,
    amount: BulkAmount,
    pattern: Pattern,
    socket: Option<SocketHandle>,
    begun: Option<Instant>,
    moved: Instant,
    offset: u64,
    is_closed: bool,
    acknowledged: Arc<AtomicU64>,
    answer: Answer<ThroughputReport>,
}

impl Task for Source {
    fn step(&mut self, context: &mut Context<'_>) -> Step {
        let Some(handle) = self.socket else {
            return self.connect(context);
        };
        let socket = context.socket::<Socket<'static>>(handle);
        let mut progress = false;
        if socket.may_send() && !self.is_closed {
            let begun = *self.begun.get_or_insert_with(Instant::now);
            let left = match self.amount {
                BulkAmount::Bytes(bytes) => bytes - self.offset,
                BulkAmount::Duration(duration) if begun.elapsed() >= duration => 0,
                BulkAmount::Duration(_) => u64::MAX,
            };
            if left == 0 {
                socket.close();
                self.is_closed = true;
                progress = true;
            } else if socket.can_send() {
                progress = self.fill(socket, left);
            }
        }
        let acknowledged = self.offset - socket.send_queue() as u64;
        if self.acknowledged.swap(acknowledged, Ordering::Relaxed) != acknowledged {
            self.moved = Instant::now();
        }
        if socket.recv_queue() >= VERDICT_BYTES {
            let mut verdict = [0; VERDICT_BYTES];
            let _ = socket.recv_slice(&mut verdict);
            return self.finish(context, Ok(verdict));
        }
        let left = ANSWER_TIMEOUT.saturating_sub(self.moved.elapsed());
        if !socket.is_open() || (self.is_closed && !socket.may_recv()) {
            return self.finish(context, Err(StackError::Closed));
        }
        if left.is_zero() {
            return self.finish(context, Err(StackError::TimedOut));
        }
        let end = match (self.amount, self.begun) {
            (BulkAmount::Duration(duration), Some(begun)) if !self.is_closed => {
                left.min(duration.saturating_sub(begun.elapsed()))
            }
            _ => left,
        };
        if progress { Step::Progress } else { Step::Wait(Some(end)) }
    }
}

impl Source {
    fn connect(&mut self, context: &mut Context<'_>) -> Step {
        // IANA's dynamic ports.
        static NEXT: AtomicU16 = AtomicU16::new(0);
        let local_port = 49_152 + NEXT.fetch_add(1, Ordering::Relaxed) % 16_384;
        let mut socket = new_socket();
        let result = socket.connect(context.interface.context(), self.to, (self.from, local_port));
        let handle = context.sockets.add(socket);
        self.socket = Some(handle);
        if result.is_err() {
            return self.finish(context, Err(StackError::PortInUse));
        }
        Step::Progress
    }

    /// Writes up to `left` bytes to the send buffer. Returns whether it wrote any.
    fn fill(&mut self, socket: &mut Socket<'static>, left: u64) -> bool {
        let (pattern, offset) = (&self.pattern, self.offset);
        let sent = socket.send(|buffer| {
            let bytes = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            pattern.fill(offset, buffer.get_mut(..bytes).unwrap_or_default());
            (bytes, bytes as u64)
        });
        let sent = sent.unwrap_or_default();
        self.offset += sent;
        sent > 0
    }

    fn finish(
        &mut self,
        context: &mut Context<'_>,
        verdict: Result<[u8; VERDICT_BYTES], StackError>,
    ) -> Step {
        if let Some(handle) = self.socket {
            // The rest of the closing handshake is not awaited: the peer answers with a reset or
            // times out.
            context.socket::<Socket<'static>>(handle).abort();
            context.sockets.remove(handle);
        }
        let report = verdict.and_then(|verdict| {
            let (bytes, wrong) = verdict.split_at(8);
            let number =
                |bytes: &[u8]| bytes.iter().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
            if number(bytes) != self.offset {
                return Err(StackError::Closed);
            }
            Ok(ThroughputReport {
                bytes: self.offset,
                duration: self.begun.map_or(Duration::ZERO, |begun| begun.elapsed()),
                first_wrong_byte: Some(number(wrong)).filter(|offset| *offset != u64::MAX),
            })
        });
        // The receiver may no longer exist.
        let _ = self.answer.send(report);
        Step::Done
    }
}
