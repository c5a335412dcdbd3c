//! WireGuard handshakes.
//!
//! Two adapters in one process; what each message costs is measured apart, and what a flood costs
//! that gets no answer. All measurements take turns in every round; the result is the median over
//! the rounds.

use std::fmt::Write;
use std::net::SocketAddr;
use std::time::{Duration, Instant as Clock};

use nic_engine::fake_host::FakeHost;
use nic_engine::protocol::{
    AddressValidator, ControlPlane, DataPlane, Discard, Event, PeerId, SealRequest,
};
use nic_engine::{Endpoint, Instant, Now};
use nic_wireguard::{Control, Identity, TimerConstants, WireGuard, configure};

const ROUNDS: usize = 15;
/// Handshakes, or messages, in a round.
const MESSAGES: u32 = 100;

/// One result.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    /// What was done.
    pub(crate) task: Task,
    /// Median of how often in a second.
    pub(crate) per_s: f64,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// Both sides of a handshake.
    Handshake,
    /// Making an initiation.
    Initiate,
    /// Reading an initiation and making the response.
    Respond,
    /// Reading the response.
    Finish,
    /// Answering an initiation by a cookie.
    Cookie,
    /// Refusing an initiation whose first authenticator is wrong, before it waits for its turn.
    Refuse,
}

impl Task {
    /// All of them, in the order of the table.
    const ALL: [Self; 6] =
        [Self::Handshake, Self::Initiate, Self::Respond, Self::Finish, Self::Cookie, Self::Refuse];

    const fn name(self) -> &'static str {
        match self {
            Self::Handshake => "handshake, both sides",
            Self::Initiate => "make an initiation",
            Self::Respond => "answer an initiation",
            Self::Finish => "read the response",
            Self::Cookie => "under load: answer by a cookie",
            Self::Refuse => "refuse a forged initiation",
        }
    }
}

/// Measures everything; takes a second.
pub(crate) fn run() -> Vec<Row> {
    let mut rounds: Vec<[f64; Task::ALL.len()]> = (0..ROUNDS).map(|_| round()).collect();
    Task::ALL
        .into_iter()
        .enumerate()
        .map(|(column, task)| {
            rounds.sort_unstable_by(|one, other| one[column].total_cmp(&other[column]));
            Row { task, per_s: rounds[ROUNDS / 2][column] }
        })
        .collect()
}

/// A Markdown table of how often in a second.
pub(crate) fn table(rows: &[Row]) -> String {
    let mut text = String::from("| one core | per second |\n|---|---:|\n");
    for row in rows {
        _ = writeln!(text, "| {} | {:.0} |", row.task.name(), row.per_s);
    }
    text
}

/// One turn of each.
fn round() -> [f64; Task::ALL.len()] {
    let mut left = Side::new([1; 32], "192.0.2.1:1");
    let mut right = Side::new([2; 32], "192.0.2.2:2");
    left.meet(&right);
    right.meet(&left);
    let mut times = [Duration::ZERO; 3];
    let mut now = Duration::from_secs(1000);
    let mut initiation = Vec::new();
    for _ in 0..MESSAGES {
        // Far enough apart that each begins anew and is no replay.
        now += Duration::from_secs(300);
        let now = Now { instant: Instant::ZERO.after(now), unix: now };
        let mut clock = Clock::now();
        let mut lap = |time: &mut Duration| {
            *time += clock.elapsed();
            clock = Clock::now();
        };
        initiation = left.initiate(now);
        lap(&mut times[0]);
        let response = right.receive(&initiation, &left, now);
        lap(&mut times[1]);
        left.receive(&response, &right, now);
        lap(&mut times[2]);
    }
    let completed =
        left.host.events.iter().filter(|event| **event == Event::HandshakeCompleted(PEER));
    assert_eq!(completed.count(), MESSAGES as usize, "every handshake completes");

    let now = Now { instant: Instant::ZERO.after(now), unix: now };
    right.host.is_under_load = true;
    let clock = Clock::now();
    for _ in 0..MESSAGES {
        right.receive(&initiation, &left, now);
    }
    let cookies = clock.elapsed();
    initiation[116] ^= 1;
    let clock = Clock::now();
    let refused = (0..MESSAGES).filter(|_| right.refuses(&initiation, &left, now)).count();
    let refusals = clock.elapsed();
    assert_eq!(refused, MESSAGES as usize);
    assert_eq!(right.host.counts[Discard::CookieRequired as usize], u64::from(MESSAGES));

    let all = times.iter().sum();
    [all, times[0], times[1], times[2], cookies, refusals]
        .map(|time: Duration| f64::from(MESSAGES) / time.as_secs_f64())
}

const PEER: PeerId = PeerId { index: 0, generation: 0 };

/// An adapter with one peer.
struct Side {
    control: Control,
    host: FakeHost<WireGuard>,
    address: Endpoint,
}

impl Side {
    fn new(private_key: [u8; 32], address: &str) -> Self {
        let identity = Identity::new(&private_key);
        let address: SocketAddr = address.parse().expect("an address");
        let mut host = FakeHost::new(address, u64::from(private_key[0]));
        host.skips_sealing = true;
        let control = Control::with_identity(TimerConstants::PAPER, identity);
        Self { control, host, address: Endpoint::new(address) }
    }

    fn meet(&mut self, other: &Self) {
        let key = other.control.identity().expect("it has one").public_key().0;
        let (control, data) =
            configure::new_peer(&self.control, &key, &[0; 32]).expect("not our own key");
        self.host.add_peer(key, control, data, Some(other.address));
    }

    /// The initiation that a packet brings about.
    fn initiate(&mut self, now: Now) -> Vec<u8> {
        let sealed = self.host.peer(PEER).data.begin_seal(SealRequest::data(1, 0), now.instant);
        assert!(sealed.is_err(), "the session before is too old");
        self.control.timeout(&mut self.host, PEER, now);
        self.sent()
    }

    /// Whether a datagram is not worth to be queued; the judge is copied for each, as the engine
    /// does.
    fn refuses(&self, datagram: &[u8], from: &Self, now: Now) -> bool {
        let validator = self.control.address_validator();
        validator.validate(datagram, &from.address, &|_| false, now.instant).is_err()
    }

    /// The message that was sent.
    fn sent(&mut self) -> Vec<u8> {
        self.host.outbox.pop().map(|datagram| datagram.bytes).unwrap_or_default()
    }

    fn receive(&mut self, datagram: &[u8], from: &Self, now: Now) -> Vec<u8> {
        self.control.control_message(&mut self.host, datagram, &from.address, now);
        self.sent()
    }
}
