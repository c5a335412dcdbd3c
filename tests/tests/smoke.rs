//! Two adapters of the driver on one machine: they agree on keys and carry packets over real UDP, and everything ends clean.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use nt_host::edge::capture::Capture;
use nt_host::handle::Handle;
use nt_host::ndis::{
    Adapter, AdapterOptions, ConfigValue, MdlLayout, MiniportDriver, SendLevel, Tuning,
};
use nt_host::{Machine, MachineOptions};
use nt_sys::io::{GENERIC_READ, GENERIC_WRITE};
use tunic::{
    AdapterState, AllowedIp, AllowedIpChange, ConfigurationChange, IoctlReply, Key, PeerChange,
    Transport,
};

const TIMEOUT: Duration = Duration::from_secs(20);

/// A handle to an adapter, as the SDK wants it.
struct Ioctls(Handle);

impl Transport for Ioctls {
    fn ioctl(&self, code: u32, input: &[u8], output: &mut [u8]) -> io::Result<IoctlReply> {
        let (status, information) = self.0.ioctl(code, input, output);
        Ok(IoctlReply { status: status.cast_unsigned(), information: information as u64 })
    }
}

/// One end of the tunnel.
struct End {
    adapter: Adapter,
    edge: Capture,
    control: tunic::Adapter<Ioctls>,
    key: Key,
    v4: Ipv4Addr,
    v6: Ipv6Addr,
}

impl End {
    fn new(machine: Machine, driver: MiniportDriver, number: u8, tuning: Tuning) -> Self {
        let edge = Capture::new();
        let guid = format!("{{{number:08x}-0000-0000-0000-000000000000}}");
        let keywords = [
            ("NetCfgInstanceId", ConfigValue::String(guid.clone())),
            ("TunicName", ConfigValue::String(format!("end{number}"))),
        ];
        let options = AdapterOptions {
            name: format!("end{number}"),
            guid: [number; 16],
            if_index: number.into(),
            net_luid_index: number.into(),
            mtu: 1420,
            configuration: keywords.map(|(name, value)| (name.to_owned(), value)).to_vec(),
            edge: Box::new(edge.clone()),
        };
        let adapter = Adapter::add_tuned(driver, options, tuning).expect("the adapter starts");
        let handle = machine
            .open(&format!("\\Device\\Tunic\\{guid}"), GENERIC_READ | GENERIC_WRITE)
            .expect("the control device opens");
        Self {
            adapter,
            edge,
            control: tunic::Adapter::new(Ioctls(handle)),
            key: Key::generate_private().expect("random numbers"),
            v4: Ipv4Addr::new(10, 9, 0, number),
            v6: Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, number.into()),
        }
    }

    fn peer(&self, endpoint: Option<SocketAddr>) -> PeerChange {
        let networks = [AllowedIp::new(self.v4.into(), 32), AllowedIp::new(self.v6.into(), 128)];
        PeerChange {
            endpoint,
            replace_allowed_ips: true,
            allowed_ips: networks
                .into_iter()
                .flatten()
                .map(|network| AllowedIpChange { network, remove: false })
                .collect(),
            ..PeerChange::new(self.key.public())
        }
    }

    fn configure(&self, peer: PeerChange) {
        let change = ConfigurationChange {
            private_key: Some(Some(self.key.clone())),
            replace_peers: true,
            peers: vec![peer],
            ..ConfigurationChange::default()
        };
        self.control.set_configuration(&change).expect("the configuration is applied");
        self.control.set_state(AdapterState::Up).expect("the adapter comes up");
        assert!(self.edge.wait_for_link(true, TIMEOUT), "the link is up");
    }

    fn port(&self) -> u16 {
        let configuration = self.control.configuration().expect("the configuration is told");
        configuration.listen_port.expect("a port is bound")
    }
}

/// A UDP packet between two addresses of one family, its payload all `fill`.
fn packet(from: IpAddr, to: IpAddr, payload_bytes: usize, fill: u8) -> Vec<u8> {
    let udp_bytes = u16::try_from(8 + payload_bytes).unwrap();
    let mut packet = match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            let mut header = vec![0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, 17, 0, 0];
            header[2..4].copy_from_slice(&(20 + udp_bytes).to_be_bytes());
            header.extend(from.octets());
            header.extend(to.octets());
            header
        }
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            let mut header = vec![0x60, 0, 0, 0, 0, 0, 17, 64];
            header[4..6].copy_from_slice(&udp_bytes.to_be_bytes());
            header.extend(from.octets());
            header.extend(to.octets());
            header
        }
        _ => unreachable!("one family"),
    };
    packet.extend([0x12, 0x34, 0x56, 0x78]);
    packet.extend(udp_bytes.to_be_bytes());
    packet.extend([0, 0]);
    packet.extend(std::iter::repeat_n(fill, payload_bytes));
    packet
}

fn carry(from: &End, to: &End) {
    // Of all sizes that matter: empty, odd, full.
    let mut packets = Vec::new();
    for (number, payload_bytes) in (0_u8..).zip([0, 1, 15, 16, 17, 500, 1300, 1372].repeat(8)) {
        packets.push(packet(from.v4.into(), to.v4.into(), payload_bytes, number));
        packets.push(packet(from.v6.into(), to.v6.into(), payload_bytes, number));
    }
    let slices: Vec<&[u8]> = packets.iter().map(Vec::as_slice).collect();
    let sent = from.edge.send(&slices).expect("the adapter takes packets");
    assert_eq!(sent, packets.len());
    let received = to.edge.wait_for(packets.len(), TIMEOUT);
    assert_eq!(received.len(), packets.len(), "{:?}", from.control.statistics());
    assert!(received == packets, "packets arrive whole and in order");
}

/// The ways in which a stack may hand packets over and take them.
fn tunings() -> [Tuning; 5] {
    [
        Tuning::default(),
        // A header in pieces, and more pieces than are sealed in place.
        Tuning {
            mdl_layout: MdlLayout::Pieces(7),
            send_level: SendLevel::Passive,
            ..Tuning::default()
        },
        Tuning { mdl_layout: MdlLayout::Pieces(600), guard: true, ..Tuning::default() },
        Tuning { send_level: SendLevel::Dispatch, ..Tuning::default() },
        Tuning { hold_indications: Some(Duration::from_millis(5)), ..Tuning::default() },
    ]
}

#[test]
fn two_adapters_talk() {
    let machine = Machine::boot(MachineOptions { guard_pages: true, ..MachineOptions::default() });
    let driver =
        machine.load_linked("tunic", tunic_driver::driver_entry).expect("the driver loads");
    let miniport = MiniportDriver::of(driver.object()).expect("it is a miniport");
    for tuning in tunings() {
        talk(machine, miniport, &tuning);
    }
    driver.unload();
}

fn talk(machine: Machine, miniport: MiniportDriver, tuning: &Tuning) {
    let first = End::new(machine, miniport, 1, tuning.clone());
    let second = End::new(machine, miniport, 2, tuning.clone());
    second.configure(first.peer(None));
    let to_second = SocketAddr::from((Ipv4Addr::LOCALHOST, second.port()));
    first.configure(second.peer(Some(to_second)));

    carry(&first, &second);
    carry(&second, &first);

    let statistics = first.control.statistics().expect("statistics are told");
    let corners = [statistics.traffic.tx_packets, statistics.traffic.rx_packets];
    assert_eq!(corners, [128, 128], "{statistics:?}");
    let peer = &first.control.configuration().expect("the configuration is told").peers[0];
    assert!(peer.last_handshake.is_some(), "a handshake was done");
    assert_eq!(peer.endpoint, Some(to_second));

    // Paused and restarted, they go on with the same keys.
    let handshake = peer.last_handshake;
    first.adapter.pause().expect("it pauses");
    first.adapter.restart().expect("it restarts");
    carry(&first, &second);
    let peer = &first.control.configuration().expect("the configuration is told").peers[0];
    assert_eq!(peer.last_handshake, handshake);

    // On another port the second is still found by the first, which follows it.
    let change = ConfigurationChange { listen_port: Some(0), ..ConfigurationChange::default() };
    second.control.set_configuration(&change).expect("the port changes");
    assert_ne!(second.port(), to_second.port());
    carry(&second, &first);
    carry(&first, &second);

    first.control.set_state(AdapterState::Down).expect("it goes down");
    assert!(first.edge.wait_for_link(false, TIMEOUT), "the link is down");
    first.control.set_state(AdapterState::Up).expect("it comes up again");
    carry(&first, &second);

    for End { adapter, control, .. } in [first, second] {
        drop(control);
        adapter.remove(false);
    }
}
