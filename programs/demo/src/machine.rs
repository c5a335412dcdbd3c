//! The demo's machine: the driver, two adapters, and an IP stack above each.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use anyhow::{Context, anyhow};
use host_transport::HostFile;
use nt_host::edge::memory::MemoryStack;
use nt_host::ndis::{self, AdapterOptions, ConfigValue, MiniportDriver};
use nt_host::{Driver, DriverSource, Machine, MachineOptions};
use nt_sys::io::{GENERIC_READ, GENERIC_WRITE};
use tunic::status::StatusName;
use tunic::{
    Adapter, AdapterState, AllowedIp, AllowedIpChange, ConfigurationChange, Key, PeerChange,
};

/// The MTU of both adapters.
const MTU: u32 = tunic::protocol::WIREGUARD.default_mtu_bytes;

/// The driver with its two adapters.
pub(super) struct Demo {
    driver: Driver,
    pub(super) left: Side,
    pub(super) right: Side,
}

/// One end of the tunnel.
pub(super) struct Side {
    pub(super) name: &'static str,
    pub(super) v4: IpAddr,
    pub(super) v6: IpAddr,
    pub(super) stack: MemoryStack,
    pub(super) control: Adapter<HostFile>,
    pub(super) key: Key,
    adapter: ndis::Adapter,
}

impl Demo {
    /// Boots, loads the driver, adds the adapters, gives them keys and brings them up. Neither has
    /// the other's endpoint yet.
    pub(super) fn start(check: bool, driver: &DriverSource) -> anyhow::Result<Self> {
        if check {
            ndis::set_verification(true);
        }
        let options =
            MachineOptions { guard_pages: check, lock_order: check, ..MachineOptions::default() };
        let machine = Machine::boot(options);
        let driver = machine.load(driver).with_context(|| format!("{driver} does not load"))?;
        let left = Side::start(machine, &driver, "left", 1)?;
        let right = Side::start(machine, &driver, "right", 2)?;
        let preshared_key = Key::generate_preshared()?;
        left.meet(&right, &preshared_key)?;
        right.meet(&left, &preshared_key)?;
        Ok(Self { driver, left, right })
    }

    /// Removes the adapters, unloads the driver, and returns its leaks.
    pub(super) fn stop(self) -> Vec<String> {
        self.left.stop();
        self.right.stop();
        self.driver.unload_reporting().leaks
    }
}

impl Side {
    fn start(
        machine: Machine,
        driver: &Driver,
        name: &'static str,
        number: u8,
    ) -> anyhow::Result<Self> {
        let miniport = MiniportDriver::of(driver.object())
            .ok_or_else(|| anyhow!("the driver registers no miniport"))?;
        let v4 = Ipv4Addr::new(10, 86, 0, number).into();
        let v6 = Ipv6Addr::new(0xfd86, 0, 0, 0, 0, 0, 0, number.into()).into();
        let stack = MemoryStack::new(&[(v4, 24), (v6, 64)], MTU);
        let options = AdapterOptions {
            name: name.to_owned(),
            guid: [number; 16],
            if_index: number.into(),
            net_luid_index: number.into(),
            mtu: MTU,
            configuration: vec![("TunicName".to_owned(), ConfigValue::String(name.to_owned()))],
            edge: Box::new(stack.clone()),
        };
        let adapter = ndis::Adapter::add(miniport, options).map_err(|status| {
            anyhow!("adapter {name} does not start: {}", StatusName(status.cast_unsigned()))
        })?;
        let handle = machine
            .open(&format!(r"\Device\Tunic\{name}"), GENERIC_READ | GENERIC_WRITE)
            .map_err(|status| {
                anyhow!("adapter {name} does not open: {}", StatusName(status.cast_unsigned()))
            })?;
        let control = Adapter::new(HostFile(handle));
        let key = Key::generate_private()?;
        control.set_configuration(&ConfigurationChange {
            private_key: Some(Some(key.clone())),
            listen_port: Some(0),
            ..ConfigurationChange::default()
        })?;
        control.set_state(AdapterState::Up).with_context(|| format!("adapter {name} up"))?;
        Ok(Self { name, v4, v6, stack, control, key, adapter })
    }

    /// Adds the other side as a peer, without its endpoint.
    fn meet(&self, other: &Self, preshared_key: &Key) -> anyhow::Result<()> {
        let mut peer = PeerChange::new(other.key.public());
        peer.preshared_key = Some(Some(preshared_key.clone()));
        for (address, prefix_length) in [(other.v4, 32), (other.v6, 128)] {
            peer.allowed_ips
                .extend(AllowedIp::new(address, prefix_length).map(AllowedIpChange::from));
        }
        self.change(peer)
    }

    /// The address of its UDP socket.
    pub(super) fn endpoint(&self) -> anyhow::Result<SocketAddr> {
        let port = self.control.configuration()?.listen_port.context("no port is bound")?;
        Ok((Ipv4Addr::LOCALHOST, port).into())
    }

    /// Changes one peer.
    pub(super) fn change(&self, peer: PeerChange) -> anyhow::Result<()> {
        let change = ConfigurationChange { peers: vec![peer], ..ConfigurationChange::default() };
        self.control.set_configuration(&change)?;
        Ok(())
    }

    /// Its only peer.
    pub(super) fn peer(&self) -> anyhow::Result<tunic::Peer> {
        self.control.configuration()?.peers.pop().context("the peer is gone")
    }

    /// Its counter of packets that were discarded for a reason.
    pub(super) fn discards(&self, reason: &str) -> anyhow::Result<u64> {
        let discards = self.control.statistics()?.discards;
        let count = discards.iter().find(|(name, _)| *name == reason).map(|(_, count)| *count);
        count.with_context(|| format!("no counter of {reason}"))
    }

    fn stop(self) {
        // The file must be closed before the adapter is removed.
        drop(self.control);
        self.adapter.remove(false);
    }
}
