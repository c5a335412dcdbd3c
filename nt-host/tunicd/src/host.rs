//! The driver on nt-host, with a TUN interface as the stack above its one adapter.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, anyhow};
use nt_host::edge::tun::Tun;
use nt_host::ndis::{
    Adapter, AdapterOptions, ConfigValue, MiniportDriver, interface_mtu, set_interface_mtu,
};
use nt_host::{Handle, Machine, MachineOptions, UnloadReport};
use nt_sys::io::{DRIVER_INITIALIZE, GENERIC_READ, GENERIC_WRITE};
use tunic::{IoctlReply, Transport};
use tunic_ioctl::{native, wireguard_nt};

use crate::service::Driver;
use crate::{link, log};

/// The MTU of a new interface: Ethernet's 1500 less what WireGuard over UDP over IPv6 takes.
const MTU: u32 = 1420;

/// How often a waiting IOCTL looks whether it is to end.
const CANCEL_INTERVAL: Duration = Duration::from_millis(100);

/// How the machine and its adapter are.
#[derive(Clone, Debug, Default)]
pub struct HostOptions {
    /// The machine.
    pub machine: MachineOptions,
    /// What WireGuard's times are divided by, for tests; none for those that the protocol has.
    pub timer_divisor: Option<u32>,
}

/// A machine with the driver, one adapter, and the interface above it.
pub struct Host {
    driver: nt_host::Driver,
    adapter: Adapter,
    device: Arc<Device>,
}

impl Host {
    /// Boots the machine, loads the driver with this entry point, and makes the interface and its adapter.
    pub fn start(
        interface: &str,
        entry: DRIVER_INITIALIZE,
        options: HostOptions,
    ) -> anyhow::Result<Self> {
        let tun = Tun::create(Some(interface)).with_context(|| interface.to_owned())?;
        let index = link::index(interface)?;
        let mut configuration =
            vec![("TunicName".to_owned(), ConfigValue::String(interface.to_owned()))];
        if let Some(divisor) = options.timer_divisor {
            configuration.push(("TunicTestTimers".to_owned(), ConfigValue::Dword(divisor)));
        }
        let machine = Machine::boot(options.machine);
        let driver = machine
            .load_linked("tunic", entry)
            .map_err(|status| anyhow!("the driver does not load: {status:#010x}"))?;
        let miniport = MiniportDriver::of(driver.object())
            .ok_or_else(|| anyhow!("the driver registers no miniport"))?;
        let adapter = Adapter::add(
            miniport,
            AdapterOptions {
                name: interface.to_owned(),
                guid: guid(interface),
                if_index: index.cast_unsigned(),
                net_luid_index: index.cast_unsigned(),
                mtu: MTU,
                configuration,
                edge: Box::new(tun.clone()),
            },
        )
        .map_err(|status| anyhow!("the adapter does not start: {status:#010x}"))?;
        let handle = machine
            .open(&format!(r"\Device\Tunic\{interface}"), GENERIC_READ | GENERIC_WRITE)
            .map_err(|status| anyhow!("the adapter does not open: {status:#010x}"))?;
        let luid = adapter.luid();
        let device = Arc::new(Device { handle, tun, luid, is_closing: AtomicBool::new(false) });
        Ok(Self { driver, adapter, device })
    }

    /// The way to the driver.
    pub fn device(&self) -> &Arc<Device> {
        &self.device
    }

    /// Removes the adapter and its interface, unloads the driver, and tells what it left behind.
    pub fn stop(self) -> UnloadReport {
        drop(self.device);
        self.adapter.remove(false);
        self.driver.unload_reporting()
    }
}

/// An open adapter.
pub struct Device {
    handle: Handle,
    tun: Tun,
    luid: u64,
    is_closing: AtomicBool,
}

impl Transport for Device {
    fn ioctl(&self, code: u32, input: &[u8], output: &mut [u8]) -> io::Result<IoctlReply> {
        let waits = matches!(code, native::IOCTL_READ_EVENT | wireguard_nt::IOCTL_READ_LOG_LINE);
        let (status, information) = if waits {
            self.wait(code, input, output)
        } else {
            self.handle.ioctl(code, input, output)
        };
        Ok(IoctlReply { status: status.cast_unsigned(), information: information as u64 })
    }
}

impl Device {
    /// Sends an IOCTL that may be pending for long.
    fn wait(&self, code: u32, input: &[u8], output: &mut [u8]) -> (i32, usize) {
        let pending = self.handle.ioctl_async(code, input, output.len());
        loop {
            if let Some(completed) = pending.wait(Some(CANCEL_INTERVAL)) {
                for (to, from) in output.iter_mut().zip(completed.output) {
                    *to = from;
                }
                return (completed.status, completed.information);
            }
            if self.is_closing.load(Ordering::Relaxed) {
                pending.cancel();
            }
        }
    }
}

impl Driver for Device {
    fn link_changed(&self) {
        // What Linux's side of the interface was set to counts on NT's side, too.
        if let Ok(mtu) = self.tun.mtu()
            && interface_mtu(self.luid) != Some(mtu)
        {
            set_interface_mtu(self.luid, mtu);
            log::info(format_args!("MTU {mtu}"));
        }
    }

    fn cancel_pending(&self) {
        self.is_closing.store(true, Ordering::Relaxed);
    }
}

/// A GUID that is the same for an interface of the same name every time.
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
