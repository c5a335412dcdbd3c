//! The driver on nt-host, with a TUN interface as the stack above its one adapter.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::sync::Arc;

use anyhow::{Context, anyhow};
use host_transport::HostFile;
use nt_host::edge::tun::Tun;
use nt_host::ndis::{
    Adapter, AdapterOptions, ConfigValue, MiniportDriver, interface_mtu, set_interface_mtu,
};
use nt_host::{
    CompletionPort, DriverSource, Handle, Machine, MachineOptions, Operation, PendingRequest,
    UnloadReport,
};
use nt_sys::io::{GENERIC_READ, GENERIC_WRITE};
use nt_sys::ntdef::{ACCESS_MASK, NTSTATUS};
use tunic::status::StatusName;
use tunic::{IoctlReply, Transport};

use crate::protocol::Protocol;
use crate::service::Driver;
use crate::{ioctl_socket, link, log, privilege};

/// Options of the machine and its adapter.
#[derive(Clone, Debug, Default)]
pub struct HostOptions {
    /// Options of the machine.
    pub machine: MachineOptions,
    /// The adapter's protocol.
    pub protocol: Protocol,
    /// Also create ovpn-dco-win's device names.
    pub ovpn_dco: bool,
    /// Divisor of WireGuard's timer intervals, for tests; `None` for the protocol's own intervals.
    pub timer_divisor: Option<u32>,
}

/// A machine with the driver, one adapter, and the interface above it.
pub struct Host {
    driver: nt_host::Driver,
    adapter: Adapter,
    device: Arc<Device>,
}

impl Host {
    /// Boots the machine, loads the driver, and creates the interface and its adapter.
    pub fn start(
        interface: &str,
        driver: &DriverSource,
        options: HostOptions,
    ) -> anyhow::Result<Self> {
        let tun = Tun::create(Some(interface)).map_err(|error| {
            privilege::explain(error, &format!("create the interface {interface}"))
        })?;
        let index = link::index(interface)?;
        let protocol = options.protocol.info();
        let mut configuration = vec![
            ("TunicName".to_owned(), ConfigValue::String(interface.to_owned())),
            ("TunicProtocol".to_owned(), ConfigValue::String(protocol.keyword.to_owned())),
        ];
        if options.ovpn_dco {
            configuration.push(("TunicOvpnDco".to_owned(), ConfigValue::Dword(1)));
        }
        if let Some(divisor) = options.timer_divisor {
            configuration.push(("TunicTestTimers".to_owned(), ConfigValue::Dword(divisor)));
        }
        let machine = Machine::boot(options.machine);
        let loaded = machine.load(driver).with_context(|| format!("{driver} does not load"))?;
        log::info(format_args!("running {driver}"));
        let driver = loaded;
        let miniport = MiniportDriver::of(driver.object())
            .ok_or_else(|| anyhow!("the driver registers no miniport"))?;
        let adapter = Adapter::add(
            miniport,
            AdapterOptions {
                name: interface.to_owned(),
                guid: guid(interface),
                if_index: index.cast_unsigned(),
                net_luid_index: index.cast_unsigned(),
                mtu: protocol.default_mtu_bytes,
                configuration,
                edge: Box::new(tun.clone()),
            },
        )
        .map_err(|status| {
            anyhow!("the driver does not start the adapter: {}", StatusName(status.cast_unsigned()))
        })?;
        let path = format!(r"\Device\Tunic\{interface}");
        let open = || {
            machine.open(&path, GENERIC_READ | GENERIC_WRITE).map_err(|status| {
                anyhow!(
                    "the driver does not open the adapter: {}",
                    StatusName(status.cast_unsigned())
                )
            })
        };
        let handle = (options.protocol == Protocol::Wireguard).then(open).transpose()?;
        let file = handle.map(HostFile);
        let luid = adapter.luid();
        let ovpn_dco = options.ovpn_dco;
        let device = Arc::new(Device {
            machine,
            protocol: options.protocol,
            ovpn_dco,
            path,
            file,
            tun,
            luid,
        });
        Ok(Self { driver, adapter, device })
    }

    /// The adapter's device.
    pub fn device(&self) -> &Arc<Device> {
        &self.device
    }

    /// Removes the adapter and its interface, unloads the driver, and reports its leaks.
    pub fn stop(self) -> UnloadReport {
        drop(self.device);
        self.adapter.remove(false);
        self.driver.unload_reporting()
    }
}

/// The adapter's device.
pub struct Device {
    machine: Machine,
    protocol: Protocol,
    /// ovpn-dco-win's device names exist, too.
    ovpn_dco: bool,
    /// Its path in the object manager.
    path: String,
    /// The file for the daemon's own requests; `None` for a protocol whose device belongs to the
    /// client that opens it.
    file: Option<HostFile>,
    tun: Tun,
    luid: u64,
}

impl Transport for Device {
    fn ioctl(&self, code: u32, input: &[u8], output: &mut [u8]) -> io::Result<IoctlReply> {
        self.file.as_ref().ok_or(io::ErrorKind::Unsupported)?.ioctl(code, input, output)
    }
}

impl ioctl_socket::Device for Device {
    fn open(&self) -> Result<Box<dyn ioctl_socket::File>, NTSTATUS> {
        let handle = self.machine.open(&self.path, GENERIC_READ | GENERIC_WRITE)?;
        Ok(Box::new(OpenFile(handle)))
    }
}

/// A device of the driver with a Win32 name.
struct NamedDevice {
    machine: Machine,
    name: &'static str,
    access: ACCESS_MASK,
}

impl ioctl_socket::Device for NamedDevice {
    fn open(&self) -> Result<Box<dyn ioctl_socket::File>, NTSTATUS> {
        let handle = self.machine.open(&format!(r"\\.\{}", self.name), self.access)?;
        Ok(Box::new(OpenFile(handle)))
    }
}

struct OpenFile(Handle);

impl ioctl_socket::File for OpenFile {
    fn start(
        &self,
        operation: Operation<'_>,
        port: &Arc<CompletionPort>,
        key: u64,
    ) -> Box<dyn ioctl_socket::Started> {
        Box::new(StartedRequest(self.0.start_on(operation, port, key)))
    }
}

struct StartedRequest(PendingRequest);

impl ioctl_socket::Started for StartedRequest {
    fn cancel(&self) {
        self.0.cancel();
    }
}

impl Driver for Device {
    fn protocol(&self) -> Protocol {
        self.protocol
    }

    fn named_devices(&self) -> Vec<(&'static str, Arc<dyn ioctl_socket::Device>)> {
        if !self.ovpn_dco {
            return Vec::new();
        }
        let names = [("ovpn-dco", GENERIC_READ | GENERIC_WRITE), ("ovpn-dco-ver", GENERIC_READ)];
        let device = |(name, access)| NamedDevice { machine: self.machine, name, access };
        names.map(device).map(|device| (device.name, Arc::new(device) as _)).into()
    }

    fn link_changed(&self) {
        // The interface's MTU on Linux is its MTU on NT, too.
        if let Ok(mtu) = self.tun.mtu()
            && interface_mtu(self.luid) != Some(mtu)
        {
            set_interface_mtu(self.luid, mtu);
            log::info(format_args!("MTU {mtu}"));
        }
    }
}

/// A GUID that depends on the interface's name only.
fn guid(interface: &str) -> [u8; 16] {
    let half = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        (salt, interface).hash(&mut hasher);
        hasher.finish()
    };
    let mut guid = ((u128::from(half(0)) << 64) | u128::from(half(1))).to_le_bytes();
    // RFC 9562: version 8, the custom one, in Data3; variant 0b10.
    guid[7] = (guid[7] & 0x0F) | 0x80;
    guid[8] = (guid[8] & 0x3F) | 0x80;
    guid
}
