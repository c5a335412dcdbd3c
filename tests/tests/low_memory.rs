//! Memory runs out, once, at every place where it can: the driver refuses what it can't do, drops what it can't carry, and
//! leaves nothing behind.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use nt_host::edge::capture::Capture;
use nt_host::handle::Handle;
use nt_host::ndis::{Adapter, AdapterOptions, ConfigValue, MiniportDriver, Tuning};
use nt_host::{Machine, MachineOptions, pool};
use nt_sys::io::{GENERIC_READ, GENERIC_WRITE};
use tunic::{
    AdapterState, AllowedIp, AllowedIpChange, ConfigurationChange, IoctlReply, Key, PeerChange,
    Transport,
};

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
    fn new(machine: Machine, driver: MiniportDriver, number: u8, tuning: Tuning) -> Option<Self> {
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
        let adapter = Adapter::add_tuned(driver, options, tuning).ok()?;
        let path = format!("\\Device\\Tunic\\{guid}");
        let Ok(handle) = machine.open(&path, GENERIC_READ | GENERIC_WRITE) else {
            adapter.remove(false);
            return None;
        };
        Some(Self {
            adapter,
            edge,
            control: tunic::Adapter::new(Ioctls(handle)),
            key: Key::generate_private().expect("random numbers"),
            v4: Ipv4Addr::new(10, 9, 0, number),
            v6: Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, number.into()),
        })
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

    /// Whether it could be configured and came up.
    fn configure(&self, peer: PeerChange) -> bool {
        let change = ConfigurationChange {
            private_key: Some(Some(self.key.clone())),
            replace_peers: true,
            peers: vec![peer],
            ..ConfigurationChange::default()
        };
        self.control.set_configuration(&change).is_ok()
            && self.control.set_state(AdapterState::Up).is_ok()
    }

    fn port(&self) -> Option<u16> {
        self.control.configuration().ok()?.listen_port
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

/// Sends packets, and waits a moment for those that get through.
fn carry(from: &End, to: &End) -> usize {
    let packets: Vec<Vec<u8>> =
        (0..4).map(|number| packet(from.v4.into(), to.v4.into(), 100, number)).collect();
    let slices: Vec<&[u8]> = packets.iter().map(Vec::as_slice).collect();
    if from.edge.send(&slices).is_err() {
        return 0;
    }
    to.edge.wait_for(packets.len(), Duration::from_millis(50)).len()
}

/// The life of a driver with two adapters. How many packets got through.
fn live(machine: Machine) -> usize {
    let Ok(driver) = machine.load_linked("tunic", tunic_driver::driver_entry) else { return 0 };
    let Some(miniport) = MiniportDriver::of(driver.object()) else {
        driver.unload();
        return 0;
    };
    let ends = [1, 2].map(|number| End::new(machine, miniport, number, Tuning::default()));
    let mut carried = 0;
    if let [Some(first), Some(second)] = &ends {
        second.configure(first.peer(None));
        let port = second.port().unwrap_or(9);
        first.configure(second.peer(Some(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))));
        carried = carry(first, second) + carry(second, first);
    }
    for End { adapter, control, .. } in ends.into_iter().flatten() {
        drop(control);
        adapter.remove(false);
    }
    driver.unload();
    carried
}

#[test]
fn every_allocation_may_fail() {
    let machine = Machine::boot(MachineOptions::default());
    assert_eq!(live(machine), 8, "all packets get through while there is memory");
    for failing in 1.. {
        let before = pool::allocation_count();
        pool::fail_allocation(failing);
        live(machine);
        pool::fail_allocation(0);
        if pool::allocation_count() - before < failing {
            println!("{failing} places");
            return;
        }
    }
}
