//! WireGuard handshakes.
//!
//! Two adapters in one process; what each message costs is measured apart, and what a flood costs
//! that gets no answer. All measurements take turns in every round; the result is the median over
//! the rounds.

use std::fmt::Write;
use std::net::SocketAddr;
use std::time::{Duration, Instant as Clock};

use nic_engine::protocol::{
    AddressValidator, ClaimError, ControlPlane, DataPlane, Discard, Event, PeerId, ReceiverId,
    SealRequest, SentPackets,
};
use nic_engine::{ControlHost, Endpoint, Instant, Now, PeerName};
use nic_wireguard::{
    Control, Identity, PeerControl, PeerData, TimerConstants, WireGuard, configure,
};

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
    assert_eq!(left.host.completed, MESSAGES, "every handshake completes");

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
    assert_eq!(right.host.discards[Discard::CookieRequired as usize], MESSAGES);

    let all = times.iter().sum();
    [all, times[0], times[1], times[2], cookies, refusals]
        .map(|time: Duration| f64::from(MESSAGES) / time.as_secs_f64())
}

const PEER: PeerId = PeerId { index: 0, generation: 0 };

/// An adapter with one peer.
struct Side {
    control: Control,
    host: Host,
    address: Endpoint,
}

struct Host {
    peer: Option<(PeerControl, PeerData, Endpoint)>,
    /// The last message that was sent.
    sent: Vec<u8>,
    next_receiver: u32,
    random: u64,
    is_under_load: bool,
    completed: u32,
    discards: [u32; Discard::COUNT],
}

impl Side {
    fn new(private_key: [u8; 32], address: &str) -> Self {
        let identity = Identity::new(&private_key);
        let address: SocketAddr = address.parse().expect("an address");
        Self {
            control: Control::with_identity(TimerConstants::PAPER, identity),
            host: Host {
                peer: None,
                sent: Vec::new(),
                next_receiver: 0,
                random: u64::from(private_key[0]),
                is_under_load: false,
                completed: 0,
                discards: [0; Discard::COUNT],
            },
            address: Endpoint::new(address),
        }
    }

    fn meet(&mut self, other: &Self) {
        let key = other.control.identity().expect("it has one").public_key().0;
        let (control, data) =
            configure::new_peer(&self.control, &key, &[0; 32]).expect("not our own key");
        self.host.peer = Some((control, data, other.address));
    }

    /// The initiation that a packet brings about.
    fn initiate(&mut self, now: Now) -> Vec<u8> {
        let (_, data, _) = self.host.peer.as_mut().expect("they met");
        let sealed = data.begin_seal(SealRequest::data(1, 0), now.instant);
        assert!(sealed.is_err(), "the session before is too old");
        self.control.timeout(&mut self.host, PEER, now);
        std::mem::take(&mut self.host.sent)
    }

    /// Whether a datagram is not worth to be queued; the judge is copied for each, as the engine
    /// does.
    fn refuses(&self, datagram: &[u8], from: &Self, now: Now) -> bool {
        let validator = self.control.address_validator();
        validator.validate(datagram, &from.address, &|_| false, now.instant).is_err()
    }

    fn receive(&mut self, datagram: &[u8], from: &Self, now: Now) -> Vec<u8> {
        let Self { control, host, .. } = self;
        control.control_message(host, datagram, &from.address, now);
        std::mem::take(&mut host.sent)
    }
}

impl ControlHost<WireGuard> for Host {
    fn peer_by_name(&self, public_key: &PeerName) -> Option<PeerId> {
        self.peer.as_ref().filter(|(peer, ..)| peer.public_key() == public_key).map(|_| PEER)
    }

    fn peer_by_receiver(&self, _: ReceiverId) -> Option<PeerId> {
        Some(PEER)
    }

    fn next_peer(&self, after: Option<PeerId>) -> Option<PeerId> {
        after.is_none().then_some(PEER)
    }

    fn peer_control(&mut self, _: PeerId) -> Option<&mut PeerControl> {
        self.peer.as_mut().map(|(control, ..)| control)
    }

    fn with_peer_data(&mut self, _: PeerId, f: &mut dyn FnMut(&mut PeerData)) -> bool {
        self.peer.as_mut().map(|(_, data, _)| f(data)).is_some()
    }

    fn claim_receiver(&mut self, _: PeerId, _: ReceiverId) -> Result<(), ClaimError> {
        unreachable!("WireGuard draws its receiver indices")
    }

    fn set_default_peer(&mut self, _: Option<PeerId>) {
        unreachable!("WireGuard has no default peer")
    }

    fn name(&self, _: PeerId) -> Option<PeerName> {
        unreachable!("WireGuard knows its peers by their keys")
    }

    fn remove_peer(&mut self, _: &mut Control, _: PeerId) -> bool {
        unreachable!("WireGuard removes nobody")
    }

    fn send_sealed(&mut self, _: PeerId, _: &[u8]) -> bool {
        unreachable!("WireGuard has no control messages in data packets")
    }

    fn hand_up(&mut self, _: &Endpoint, _: &[u8]) -> bool {
        unreachable!("WireGuard's handshakes are its own")
    }

    fn allocate_receiver(&mut self, _: PeerId) -> Option<ReceiverId> {
        self.next_receiver += 1;
        Some(ReceiverId(self.next_receiver))
    }

    fn release_receiver(&mut self, _: ReceiverId) {}

    fn endpoint(&self, _: PeerId) -> Option<Endpoint> {
        self.peer.as_ref().map(|(_, _, endpoint)| *endpoint)
    }

    fn set_endpoint(&mut self, _: PeerId, _: &Endpoint) {}

    fn clear_local_address(&mut self, _: PeerId) {}

    fn send(&mut self, _: PeerId, datagram: &[u8]) -> bool {
        self.sent = datagram.to_vec();
        true
    }

    fn reply(&mut self, _: &Endpoint, datagram: &[u8]) {
        self.sent = datagram.to_vec();
    }

    fn received(&mut self, _: PeerId, _: usize) {}

    fn send_queued(&mut self, _: PeerId) -> bool {
        false
    }

    fn send_keepalive(&mut self, _: PeerId) {
        let Some((_, data, _)) = &mut self.peer else {
            return;
        };
        data.sent(SentPackets { keepalives: 1, ..SentPackets::default() }, Instant::ZERO);
    }

    fn drop_queued(&mut self, _: PeerId) {}

    fn is_under_load(&self) -> bool {
        self.is_under_load
    }

    fn fill_random(&mut self, bytes: &mut [u8]) -> bool {
        for byte in bytes {
            self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            *byte = (self.random >> 56) as u8;
        }
        true
    }

    fn count(&mut self, reason: Discard) {
        self.discards[reason as usize] += 1;
    }

    fn event(&mut self, event: Event) {
        self.completed += u32::from(event == Event::HandshakeCompleted(PEER));
    }
}
