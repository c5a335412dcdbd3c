//! UDP echo.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use smoltcp::iface::SocketHandle;
use smoltcp::socket::udp::{PacketBuffer, PacketMetadata, Socket};
use smoltcp::wire::IpEndpoint;

use super::pattern::Pattern;
use super::task::{Context, Step, Task};
use super::{Answer, MemoryStack, StackError};

const QUEUE_PACKETS: usize = 512;
const QUEUE_BYTES: usize = 1 << 20;
/// How long answers are awaited after the last datagram.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// The result of an exchange of datagrams.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EchoReport {
    /// The number of datagrams sent.
    pub sent: u32,
    /// The number of datagrams that came back unchanged.
    pub received: u32,
    /// The number of datagrams that came back changed.
    pub corrupt: u32,
    /// The round-trip times of those that came back.
    pub round_trips: Vec<Duration>,
}

impl MemoryStack {
    /// Echoes every datagram at `port`. Returns once it listens.
    ///
    /// # Errors
    /// `PortInUse` for port 0, `Detached`.
    pub fn listen_udp_echo(&self, port: u16) -> Result<(), StackError> {
        self.run(|answer| Box::new(Echo { port, socket: None, answer: Some(answer) }))
    }

    /// Sends `count` datagrams of `bytes` (at least 4) to an echo port, one each `interval`, and
    /// waits for the answers for up to 2 s after the last.
    ///
    /// # Errors
    /// `NoAddress`, `Detached`. A missing answer is not an error.
    pub fn udp_echo(
        &self,
        to: IpAddr,
        port: u16,
        count: u32,
        bytes: usize,
        interval: Duration,
    ) -> Result<EchoReport, StackError> {
        let from = self.source_for(to)?;
        self.run(|answer| {
            Box::new(Probe {
                from,
                to: SocketAddr::new(to, port),
                count,
                bytes: bytes.max(4),
                interval,
                next: Instant::now(),
                sent: Vec::new(),
                pattern: Pattern::new(),
                report: EchoReport::default(),
                socket: None,
                answer,
            })
        })
    }
}

fn new_socket() -> Socket<'static> {
    let buffer =
        || PacketBuffer::new(vec![PacketMetadata::EMPTY; QUEUE_PACKETS], vec![0; QUEUE_BYTES]);
    Socket::new(buffer(), buffer())
}

struct Echo {
    port: u16,
    socket: Option<SocketHandle>,
    answer: Option<Answer<()>>,
}

impl Task for Echo {
    fn step(&mut self, context: &mut Context<'_>) -> Step {
        let Some(handle) = self.socket else {
            let mut socket = new_socket();
            let result = socket.bind(self.port).map_err(|_| StackError::PortInUse);
            self.socket = context.serve(socket, result, &mut self.answer);
            return if self.socket.is_some() { Step::Progress } else { Step::Done };
        };
        let socket = context.socket::<Socket<'static>>(handle);
        let mut progress = false;
        while socket.can_recv() && socket.can_send() {
            let Ok((datagram, metadata)) = socket.recv() else { break };
            let datagram = datagram.to_vec();
            // A full queue drops it, as UDP may.
            let _ = socket.send_slice(&datagram, metadata.endpoint);
            progress = true;
        }
        if progress { Step::Progress } else { Step::Wait(None) }
    }
}

struct Probe {
    from: IpAddr,
    to: SocketAddr,
    count: u32,
    bytes: usize,
    interval: Duration,
    /// The time of the next datagram. After the last one, the end of the wait.
    next: Instant,
    /// When each was sent; `None` once its answer has arrived.
    sent: Vec<Option<Instant>>,
    pattern: Pattern,
    report: EchoReport,
    socket: Option<SocketHandle>,
    answer: Answer<EchoReport>,
}

impl Task for Probe {
    fn step(&mut self, context: &mut Context<'_>) -> Step {
        // Below IANA's dynamic ports, which TCP uses here.
        static NEXT: AtomicU16 = AtomicU16::new(0);
        let handle = *self.socket.get_or_insert_with(|| {
            let mut socket = new_socket();
            let port = 40_000 + NEXT.fetch_add(1, Ordering::Relaxed) % 8_192;
            // A new socket can be bound.
            let _ = socket.bind((self.from, port));
            context.sockets.add(socket)
        });
        let socket = context.socket::<Socket<'static>>(handle);
        let mut progress = false;
        while let Ok((datagram, _)) = socket.recv() {
            self.count_answer(datagram);
            progress = true;
        }
        let now = Instant::now();
        let all_sent = self.report.sent >= self.count;
        let answered = self.report.received + self.report.corrupt;
        if all_sent && (answered >= self.count || now >= self.next) {
            context.sockets.remove(handle);
            // The receiver may no longer exist.
            let _ = self.answer.send(Ok(std::mem::take(&mut self.report)));
            return Step::Done;
        }
        if !all_sent && now >= self.next && socket.can_send() {
            self.send(socket);
            self.next = if self.report.sent < self.count {
                now + self.interval
            } else {
                now + ANSWER_TIMEOUT
            };
            return Step::Progress;
        }
        if progress {
            Step::Progress
        } else {
            Step::Wait(Some(self.next.saturating_duration_since(now)))
        }
    }
}

impl Probe {
    /// A datagram: its number, followed by the pattern.
    fn datagram(&self, number: u32) -> Vec<u8> {
        let mut datagram = vec![0; self.bytes];
        self.pattern.fill(u64::from(number), &mut datagram);
        datagram.iter_mut().zip(number.to_be_bytes()).for_each(|(to, from)| *to = from);
        datagram
    }

    fn send(&mut self, socket: &mut Socket<'static>) {
        let datagram = self.datagram(self.report.sent);
        // There is room; a datagram that exceeds the MTU is dropped.
        let _ = socket.send_slice(&datagram, IpEndpoint::from(self.to));
        self.report.sent += 1;
        self.sent.push(Some(Instant::now()));
    }

    fn count_answer(&mut self, datagram: &[u8]) {
        let number = datagram.first_chunk::<4>().map(|bytes| u32::from_be_bytes(*bytes));
        let sent =
            number.and_then(|number| self.sent.get_mut(number as usize)).and_then(Option::take);
        let (Some(number), Some(sent)) = (number, sent) else {
            self.report.corrupt += 1;
            return;
        };
        if datagram == self.datagram(number) {
            self.report.received += 1;
            self.report.round_trips.push(sent.elapsed());
        } else {
            self.report.corrupt += 1;
        }
    }
}
