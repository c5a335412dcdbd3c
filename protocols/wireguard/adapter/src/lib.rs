//! Adapters with the WireGuard protocol: configuration, link, log, and the ABI of WireGuardNT.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod configure;
mod device;
mod link;
mod log;
mod report;
mod requests;

use nic_engine::protocol::Event;
use nic_miniport::adapter::{self, AdapterProtocol, Keywords};
use nic_miniport::own_device::DeviceAbi;
use nic_miniport::ring::Ring;
use nic_miniport::status::Refusal;
use nic_wireguard::{Control, TimerConstants, WireGuard};
use nt::irp::{Dispatched, Irp, Origin};
use nt::wsk::Datagram;
use nt::{Result, Shared, Status};
use tunic_ioctl::{Command, DecodeError, protocol, wireguard_nt};

use self::log::Line;

// The functions that nt-sys imports.
#[cfg(test)]
use nt_host as _;

type Adapter = adapter::Adapter<WireGuardAdapter>;
type State = adapter::State<WireGuardAdapter>;
/// The engine under its control lock.
type Config<'a> = adapter::Config<'a, WireGuardAdapter>;

/// The WireGuard entry of a driver's protocol list.
pub struct WireGuardAdapter;

/// An adapter's configuration outside the engine.
#[derive(Clone, Copy, Debug, Default)]
pub struct Settings {
    /// The requested port; 0 for any.
    listen_port: u16,
}

/// An adapter's objects outside the engine.
pub struct Extension {
    log: Ring<Line>,
}

impl AdapterProtocol for WireGuardAdapter {
    type Protocol = WireGuard;

    const KEYWORD: &'static str = protocol::WIREGUARD.keyword;
    const NUMBER: u32 = protocol::WIREGUARD.number;
    const CAPABILITY: u64 = protocol::WIREGUARD.capability;
    const DEVICE: DeviceAbi = device::DEVICE;

    type Settings = Settings;
    type Extension = Extension;
    type Keywords = ();
    type Devices = ();

    fn load() -> Result<()> {
        Ok(())
    }

    fn new_control(keywords: &Keywords) -> Control {
        let constants = match keywords.test_timers {
            0 | 1 => TimerConstants::PAPER,
            divisor => TimerConstants::shortened(divisor),
        };
        Control::new(constants)
    }

    fn new_extension((): &()) -> Result<Extension> {
        Ok(Extension { log: Ring::new()? })
    }

    fn decode(code: u32, input: &[u8]) -> core::result::Result<Option<Command<'_>>, DecodeError> {
        wireguard_nt::decode(code, input)
    }

    fn requested_port(settings: &Settings) -> u16 {
        settings.listen_port
    }

    fn up(adapter: &Shared<Adapter>) -> core::result::Result<Status, Refusal> {
        link::up(adapter)
    }

    fn down(adapter: &Shared<Adapter>) -> core::result::Result<Status, Refusal> {
        link::down(adapter)
    }

    fn scale_timers(adapter: &Shared<Adapter>, permille: u32) -> core::result::Result<(), Refusal> {
        configure::scale_timers(adapter, permille)
    }

    fn request(adapter: &Shared<Adapter>, command: Command<'_>, irp: Irp) -> Dispatched {
        requests::run(adapter, command, irp)
    }

    fn receive_control(adapter: &Shared<Adapter>, datagram: &Datagram<'_>) {
        adapter::receive_control(adapter, datagram);
    }

    fn report(adapter: &Shared<Adapter>, event: Event) {
        report::report(adapter, event);
    }

    fn cancel_of(adapter: &Shared<Adapter>, origin: Origin) {
        adapter.extension.log.cancel_of(origin);
    }

    fn device_removed(adapter: &Shared<Adapter>) {
        adapter.extension.log.close();
    }
}
