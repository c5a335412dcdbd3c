//! An adapter of the driver with a capturing stack above it: one end of a tunnel.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use host_transport::HostFile;
use nt_host::DevnodeOptions;
use nt_host::edge::capture::Capture;
use nt_host::handle::Handle;
use nt_host::ndis::{Adapter, AdapterOptions, ConfigValue, Tuning};
use nt_sys::ntdef::NTSTATUS;
use tunic::{
    AdapterState, AllowedIp, AllowedIpChange, ConfigurationChange, Key, Peer, PeerChange,
    Statistics,
};

use super::packet::{self, Origin, Step};
use super::{Loaded, MTU_BYTES, TIMEOUT};

/// An adapter, the edge above it, and a file to control it by. It is removed when it is dropped.
pub struct End {
    /// The edge above.
    pub edge: Capture,
    /// What controls it.
    pub control: tunic::Adapter<HostFile>,
    /// The file that `control` uses.
    pub file: Handle,
    /// The adapter.
    pub adapter: Adapter,
    /// Its private key.
    pub key: Key,
    /// The address of the stack above.
    pub v4: Ipv4Addr,
    /// The address of the stack above.
    pub v6: Ipv6Addr,
    number: u8,
}

/// How an adapter is set up.
#[derive(Clone)]
pub struct Setup {
    /// Its number, which its GUID, name and addresses come from.
    pub number: u8,
    /// What it speaks; WireGuard where nothing is said.
    pub protocol: Option<&'static str>,
    /// So many times as fast are its timers.
    pub timer_divisor: u32,
    /// What else its key in the registry says, as an INF writes it.
    pub keywords: &'static [(&'static str, &'static str)],
    /// How the stack above hands packets over and takes them.
    pub tuning: Tuning,
    /// Its device, where a client looks for it.
    pub device: Option<DevnodeOptions>,
}

impl Setup {
    /// WireGuard with its own timers, under a stack whose packets are out of reach once they are
    /// completed.
    #[must_use]
    pub fn new(number: u8) -> Self {
        let (keywords, tuning) = (&[], guarded());
        Self { number, protocol: None, timer_divisor: 0, keywords, tuning, device: None }
    }
}

impl End {
    /// Adds adapter `number` with the protocol's own timers.
    #[must_use]
    pub fn new(loaded: &Loaded, number: u8) -> Self {
        Self::with_timers(loaded, number, 0)
    }

    /// Adds adapter `number`, with timers that are `divisor` times as fast.
    #[must_use]
    pub fn with_timers(loaded: &Loaded, number: u8, divisor: u32) -> Self {
        Self::create(loaded, &Setup { timer_divisor: divisor, ..Setup::new(number) })
    }

    /// Adds adapter `number`, that speaks this protocol.
    #[must_use]
    pub fn speaking(loaded: &Loaded, number: u8, protocol: &'static str) -> Self {
        Self::create(loaded, &Setup { protocol: Some(protocol), ..Setup::new(number) })
    }

    /// Adds adapter `number` under a stack that hands packets over and takes them in a way of its
    /// own.
    #[must_use]
    pub fn with_tuning(loaded: &Loaded, number: u8, tuning: Tuning) -> Self {
        Self::create(loaded, &Setup { tuning, ..Setup::new(number) })
    }

    /// Adds an adapter.
    ///
    /// # Panics
    /// Where the driver refuses it.
    #[must_use]
    pub fn create(loaded: &Loaded, setup: &Setup) -> Self {
        let number = setup.number;
        let edge = Capture::new();
        let adapter = add_as(loaded, setup, &edge).expect("the adapter starts");
        let file = open(loaded, number).expect("the adapter opens");
        Self {
            edge,
            control: tunic::Adapter::new(HostFile(file.clone())),
            file,
            adapter,
            key: Key::generate_private().expect("random numbers"),
            v4: Ipv4Addr::new(10, 9, 0, number),
            v6: Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, number.into()),
            number,
        }
    }

    /// Another file on it.
    #[must_use]
    pub fn open(&self, loaded: &Loaded) -> Handle {
        open(loaded, self.number).expect("the adapter opens")
    }

    /// Makes this end a peer of another, with its addresses.
    #[must_use]
    pub fn as_peer(&self, endpoint: Option<SocketAddr>) -> PeerChange {
        let networks = [AllowedIp::new(self.v4.into(), 32), AllowedIp::new(self.v6.into(), 128)];
        PeerChange {
            endpoint,
            replace_allowed_ips: true,
            allowed_ips: networks.into_iter().flatten().map(AllowedIpChange::from).collect(),
            ..PeerChange::new(self.key.public())
        }
    }

    /// Has its own key and this one peer, and comes up.
    pub fn configure(&self, peer: PeerChange) {
        let change = ConfigurationChange {
            private_key: Some(Some(self.key.clone())),
            replace_peers: true,
            peers: vec![peer],
            ..ConfigurationChange::default()
        };
        self.control.set_configuration(&change).expect("the configuration is applied");
        self.up();
    }

    /// Comes up.
    pub fn up(&self) {
        self.control.set_state(AdapterState::Up).expect("the adapter comes up");
        assert!(self.edge.wait_for_link(true, TIMEOUT), "the link is up");
    }

    /// Goes down.
    pub fn down(&self) {
        self.control.set_state(AdapterState::Down).expect("the adapter goes down");
        assert!(self.edge.wait_for_link(false, TIMEOUT), "the link is down");
    }

    /// Where its socket is.
    #[must_use]
    pub fn endpoint(&self) -> SocketAddr {
        let configuration = self.control.configuration().expect("the configuration is told");
        (Ipv4Addr::LOCALHOST, configuration.listen_port.expect("a port is bound")).into()
    }

    /// Its only peer.
    #[must_use]
    pub fn peer(&self) -> Peer {
        let mut peers = self.control.configuration().expect("the configuration is told").peers;
        assert_eq!(peers.len(), 1);
        peers.remove(0)
    }

    /// Its counters.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        self.control.statistics().expect("statistics are told")
    }

    /// Packets that were discarded for a reason of this name.
    #[must_use]
    pub fn discards(&self, reason: &str) -> u64 {
        let discards = self.statistics().discards;
        let counter = discards.iter().find(|(name, _)| *name == reason);
        counter.unwrap_or_else(|| panic!("no counter {reason}")).1
    }

    /// Packets that were discarded, and for what.
    #[must_use]
    pub fn all_discards(&self) -> Vec<(&'static str, u64)> {
        let mut discards = self.statistics().discards;
        discards.retain(|(_, count)| *count > 0);
        discards
    }

    /// An IPv4 packet for another end.
    #[must_use]
    pub fn packet(&self, to: &Self, payload_bytes: usize, fill: u8) -> Vec<u8> {
        packet::unmarked(self.v4.into(), to.v4.into(), payload_bytes, fill)
    }

    /// An IPv6 packet for another end.
    #[must_use]
    pub fn packet6(&self, to: &Self, payload_bytes: usize, fill: u8) -> Vec<u8> {
        packet::unmarked(self.v6.into(), to.v6.into(), payload_bytes, fill)
    }

    /// Sends packets of a few sizes to another end and waits until all of them are there, whole and
    /// in order.
    pub fn carry(&self, to: &Self) {
        let _ = to.edge.take();
        self.carry_sizes(to, &[0, 1, 16, 500, 1372].repeat(2));
    }

    /// The same with payloads of these sizes, each by IPv4 and by IPv6.
    pub fn carry_sizes(&self, to: &Self, sizes_bytes: &[usize]) {
        let step = Step::new();
        let mut packets = Vec::new();
        for (fill, payload_bytes) in (0_u8..).zip(sizes_bytes) {
            packets.push(step.packet(self.v4.into(), to.v4.into(), *payload_bytes, fill));
            packets.push(step.packet(self.v6.into(), to.v6.into(), *payload_bytes, fill));
        }
        self.deliver(to, &step, &packets);
    }

    /// Sends the packets of a step to another end and waits until they are there, each once, whole
    /// and in order. Packets of no step that were offered earlier may arrive meanwhile; a packet of
    /// another step may not, because that step has waited for all of its packets.
    pub fn deliver(&self, to: &Self, step: &Step, packets: &[Vec<u8>]) {
        let slices: Vec<&[u8]> = packets.iter().map(Vec::as_slice).collect();
        let sent = self.edge.send(&slices).expect("the adapter takes packets");
        assert_eq!(sent, packets.len());
        let deadline = Instant::now() + TIMEOUT;
        let mut received = Vec::new();
        while received.len() < packets.len() && Instant::now() < deadline {
            for packet in to.edge.wait_for(1, deadline.saturating_duration_since(Instant::now())) {
                match step.origin(&packet) {
                    Origin::Step => received.push(packet),
                    Origin::Unmarked => {}
                    Origin::Unexpected => panic!("altered, or sent twice: {packet:02x?}"),
                }
            }
        }
        assert_eq!(received.len(), packets.len(), "{:?}", (self.all_discards(), to.all_discards()));
        assert!(received == packets, "packets arrive whole and in order");
    }

    /// Sends a packet so many times, or as often as there is room. How many were taken.
    pub fn offer(&self, packet: &[u8], count: usize) -> usize {
        let Some(port) = self.edge.port() else { return 0 };
        let mut batch = port.batch();
        while batch.len() < count && batch.push(packet) {}
        port.transmit(&mut batch).unwrap_or(0)
    }

    /// The packet that [`End::reach`] sends.
    #[must_use]
    pub fn probe(&self, to: &Self) -> Vec<u8> {
        self.packet(to, 20, 0x77)
    }

    /// Sends a packet again and again until one arrives. Others may arrive later.
    pub fn reach(&self, to: &Self) {
        let packet = self.probe(to);
        let deadline = Instant::now() + TIMEOUT;
        while Instant::now() < deadline {
            self.offer(&packet, 1);
            if to.edge.wait_for(1, Duration::from_millis(10)).contains(&packet) {
                return;
            }
        }
        panic!("nothing arrives: {:?}", (self.all_discards(), to.all_discards()));
    }

    /// Its file is closed, and it is removed.
    pub fn remove(self, surprise: bool) {
        let Self { control, file, adapter, .. } = self;
        drop((control, file));
        adapter.remove(surprise);
    }
}

/// Two ends that are up and know each other; the first knows where the second is.
pub fn connect(first: &End, second: &End) {
    second.configure(first.as_peer(None));
    first.configure(second.as_peer(Some(second.endpoint())));
}

/// Adds an adapter under an edge.
///
/// # Errors
/// The status with which the driver refused.
pub fn add(
    loaded: &Loaded,
    number: u8,
    timer_divisor: u32,
    edge: &Capture,
) -> Result<Adapter, NTSTATUS> {
    add_as(loaded, &Setup { timer_divisor, ..Setup::new(number) }, edge)
}

/// Adds an adapter under an edge, as it is set up.
///
/// # Errors
/// The status with which the driver refused.
pub fn add_as(loaded: &Loaded, setup: &Setup, edge: &Capture) -> Result<Adapter, NTSTATUS> {
    let number = setup.number;
    let mut keywords = vec![
        ("NetCfgInstanceId", ConfigValue::String(guid(number))),
        ("TunicName", ConfigValue::String(format!("end{number}"))),
        ("TunicTestTimers", ConfigValue::Dword(setup.timer_divisor)),
    ];
    let protocol = setup.protocol.map(|protocol| ConfigValue::String(protocol.to_owned()));
    keywords.extend(protocol.map(|protocol| ("TunicProtocol", protocol)));
    let others = setup.keywords.iter();
    keywords.extend(others.map(|(name, value)| (*name, ConfigValue::String((*value).to_owned()))));
    let keywords = keywords.into_iter().map(|(name, value)| (name.to_owned(), value));
    let options = AdapterOptions {
        name: format!("end{number}"),
        guid: [number; 16],
        if_index: number.into(),
        net_luid_index: number.into(),
        mtu: MTU_BYTES as u32,
        configuration: keywords.collect(),
        edge: Box::new(edge.clone()),
    };
    let (miniport, tuning) = (loaded.miniport.clone(), setup.tuning.clone());
    match &setup.device {
        Some(device) => Adapter::add_on(device.clone(), miniport, options, tuning),
        None => Adapter::add_tuned(miniport, options, tuning),
    }
}

/// Opens an adapter, for reading and writing.
///
/// # Errors
/// The status of the driver.
pub fn open(loaded: &Loaded, number: u8) -> Result<Handle, NTSTATUS> {
    loaded.open(&guid(number))
}

/// The path of an adapter.
#[must_use]
pub fn path(number: u8) -> String {
    format!(r"\Device\Tunic\{}", guid(number))
}

/// A stack whose packets are out of reach once they are completed.
fn guarded() -> Tuning {
    Tuning { guard: true, ..Tuning::default() }
}

/// The GUID of an adapter, as text.
#[must_use]
pub fn guid(number: u8) -> String {
    format!("{{{number:08x}-0000-0000-0000-000000000000}}")
}
