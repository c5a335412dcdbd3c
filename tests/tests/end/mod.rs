//! An adapter of the driver with a capturing stack above it: one end of a tunnel.
#![allow(dead_code, reason = "each test uses a part")]

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use nt_host::Machine;
use nt_host::edge::capture::Capture;
use nt_host::handle::Handle;
use nt_host::ndis::{Adapter, AdapterOptions, ConfigValue, MiniportDriver, Tuning};
use nt_sys::io::{GENERIC_READ, GENERIC_WRITE};
use tunic::{
    AdapterState, AllowedIp, AllowedIpChange, ConfigurationChange, IoctlReply, Key, PeerChange,
    Transport,
};

/// A handle to an adapter, as the SDK wants it.
pub(crate) struct Ioctls(pub(crate) Handle);

impl Transport for Ioctls {
    fn ioctl(&self, code: u32, input: &[u8], output: &mut [u8]) -> io::Result<IoctlReply> {
        let (status, information) = self.0.ioctl(code, input, output);
        Ok(IoctlReply { status: status.cast_unsigned(), information: information as u64 })
    }
}

/// One end of the tunnel.
pub(crate) struct End {
    pub(crate) adapter: Adapter,
    pub(crate) edge: Capture,
    pub(crate) handle: Arc<Ioctls>,
    pub(crate) control: tunic::Adapter<Arc<Ioctls>>,
    pub(crate) key: Key,
    pub(crate) v4: Ipv4Addr,
    pub(crate) v6: Ipv6Addr,
}

impl End {
    pub(crate) fn new(
        machine: Machine,
        driver: MiniportDriver,
        number: u8,
        tuning: Tuning,
    ) -> Option<Self> {
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
        let Ok(handle) = open(machine, &guid) else {
            adapter.remove(false);
            return None;
        };
        let handle = Arc::new(Ioctls(handle));
        Some(Self {
            adapter,
            edge,
            control: tunic::Adapter::new(Arc::clone(&handle)),
            handle,
            key: Key::generate_private().expect("random numbers"),
            v4: Ipv4Addr::new(10, 9, 0, number),
            v6: Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, number.into()),
        })
    }

    pub(crate) fn peer(&self, endpoint: Option<SocketAddr>) -> PeerChange {
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
    pub(crate) fn configure(&self, peer: PeerChange) -> bool {
        let change = ConfigurationChange {
            private_key: Some(Some(self.key.clone())),
            replace_peers: true,
            peers: vec![peer],
            ..ConfigurationChange::default()
        };
        self.control.set_configuration(&change).is_ok()
            && self.control.set_state(AdapterState::Up).is_ok()
    }

    pub(crate) fn port(&self) -> Option<u16> {
        self.control.configuration().ok()?.listen_port
    }
}

/// A UDP packet between two addresses of one family, its payload all `fill`.
pub(crate) fn packet(from: IpAddr, to: IpAddr, payload_bytes: usize, fill: u8) -> Vec<u8> {
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

/// Opens an adapter by its name or GUID, or for an empty one the driver.
pub(crate) fn open(machine: Machine, name: &str) -> Result<Handle, i32> {
    machine.open(&format!("\\Device\\Tunic\\{name}"), GENERIC_READ | GENERIC_WRITE)
}
