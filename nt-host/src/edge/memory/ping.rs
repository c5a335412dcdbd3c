//! Echo requests.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use smoltcp::iface::SocketHandle;
use smoltcp::phy::ChecksumCapabilities;
use smoltcp::socket::icmp::{self, Endpoint, PacketBuffer, PacketMetadata};
use smoltcp::wire::{Icmpv4Packet, Icmpv4Repr, Icmpv6Packet, Icmpv6Repr};

use super::task::{Context, Step, Task};
use super::{Answer, MemoryStack, StackError};

/// How long answers are awaited after the last request.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);
const DATA_BYTES: usize = 56;
const IDENTIFIER: u16 = 0x7a1c;

/// The result of a ping.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PingReport {
    /// The number of requests.
    pub sent: u32,
    /// Round-trip times, in the order of the requests.
    pub round_trips: Vec<Duration>,
}

impl PingReport {
    /// The number of requests without an answer.
    #[must_use]
    pub fn lost(&self) -> u32 {
        self.sent.saturating_sub(u32::try_from(self.round_trips.len()).unwrap_or(u32::MAX))
    }
}

impl MemoryStack {
    /// Sends `count` echo requests, one each `interval`, and waits for the answers for up to 2 s
    /// after the last.
    ///
    /// # Errors
    /// `NoAddress`, `Detached`. A missing answer is not an error.
    pub fn ping(
        &self,
        to: IpAddr,
        count: u16,
        interval: Duration,
    ) -> Result<PingReport, StackError> {
        let from = self.source_for(to)?;
        self.run(|answer| {
            Box::new(Ping {
                from,
                to,
                count,
                interval,
                next: Instant::now(),
                requests: Vec::new(),
                answers: Vec::new(),
                socket: None,
                answer,
            })
        })
    }
}

struct Ping {
    from: IpAddr,
    to: IpAddr,
    count: u16,
    interval: Duration,
    /// The time of the next request. After the last request, the end of the wait.
    next: Instant,
    requests: Vec<Instant>,
    answers: Vec<Option<Duration>>,
    socket: Option<SocketHandle>,
    answer: Answer<PingReport>,
}

impl Task for Ping {
    fn step(&mut self, context: &mut Context<'_>) -> Step {
        let handle = *self.socket.get_or_insert_with(|| {
            let buffer = || PacketBuffer::new(vec![PacketMetadata::EMPTY; 64], vec![0; 64 * 128]);
            let mut socket = icmp::Socket::new(buffer(), buffer());
            // A new socket can be bound.
            let _ = socket.bind(Endpoint::Ident(IDENTIFIER));
            context.sockets.add(socket)
        });
        let mut progress = false;
        while context.socket::<icmp::Socket<'static>>(handle).can_recv() {
            progress = true;
            self.receive(context.socket(handle));
        }
        let now = Instant::now();
        let all_sent = self.requests.len() >= usize::from(self.count);
        let all_answered = all_sent && self.answers.iter().all(Option::is_some);
        if all_answered || (all_sent && now >= self.next) {
            context.sockets.remove(handle);
            let report = PingReport {
                sent: u32::from(self.count),
                round_trips: self.answers.iter().copied().flatten().collect(),
            };
            // The receiver may no longer exist.
            let _ = self.answer.send(Ok(report));
            return Step::Done;
        }
        if !all_sent && now >= self.next {
            self.send(context.socket(handle));
            self.next = if self.requests.len() < usize::from(self.count) {
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

impl Ping {
    fn send(&mut self, socket: &mut icmp::Socket<'static>) {
        let seq_no = u16::try_from(self.requests.len()).unwrap_or(u16::MAX);
        let data = [0x55; DATA_BYTES];
        let checksum = ChecksumCapabilities::default();
        match (self.from, self.to) {
            (IpAddr::V6(from), IpAddr::V6(to)) => {
                let request = Icmpv6Repr::EchoRequest { ident: IDENTIFIER, seq_no, data: &data };
                if let Ok(buffer) = socket.send(request.buffer_len(), self.to.into()) {
                    request.emit(&from, &to, &mut Icmpv6Packet::new_unchecked(buffer), &checksum);
                }
            }
            _ => {
                let request = Icmpv4Repr::EchoRequest { ident: IDENTIFIER, seq_no, data: &data };
                if let Ok(buffer) = socket.send(request.buffer_len(), self.to.into()) {
                    request.emit(&mut Icmpv4Packet::new_unchecked(buffer), &checksum);
                }
            }
        }
        self.requests.push(Instant::now());
        self.answers.push(None);
    }

    fn receive(&mut self, socket: &mut icmp::Socket<'static>) {
        let Ok((bytes, from)) = socket.recv() else { return };
        if IpAddr::from(from) != self.to {
            return;
        }
        let checksum = ChecksumCapabilities::default();
        let seq_no = match (self.from, self.to) {
            (IpAddr::V6(own), IpAddr::V6(peer)) => {
                let packet = Icmpv6Packet::new_checked(bytes);
                match packet.and_then(|packet| {
                    Icmpv6Repr::parse(&peer, &own, &packet, &checksum).map(echo_v6)
                }) {
                    Ok(Some(seq_no)) => seq_no,
                    _ => return,
                }
            }
            _ => {
                let packet = Icmpv4Packet::new_checked(bytes);
                match packet.and_then(|packet| Icmpv4Repr::parse(&packet, &checksum).map(echo_v4)) {
                    Ok(Some(seq_no)) => seq_no,
                    _ => return,
                }
            }
        };
        let index = usize::from(seq_no);
        if let (Some(sent), Some(slot)) = (self.requests.get(index), self.answers.get_mut(index)) {
            slot.get_or_insert(sent.elapsed());
        }
    }
}

fn echo_v4(reply: Icmpv4Repr<'_>) -> Option<u16> {
    match reply {
        Icmpv4Repr::EchoReply { seq_no, .. } => Some(seq_no),
        _ => None,
    }
}

fn echo_v6(reply: Icmpv6Repr<'_>) -> Option<u16> {
    match reply {
        Icmpv6Repr::EchoReply { seq_no, .. } => Some(seq_no),
        _ => None,
    }
}
