//! WireGuard: its configuration, its link, and what it tells.

mod configure;
mod link;
mod report;
mod requests;

use nic_engine::protocol::Event;
use nic_wireguard::{Control, TimerConstants, WireGuard};
use nt::irp::{Dispatched, Irp};
use nt::wsk::Datagram;
use nt::{Shared, Status};
use tunic_ioctl::Command;
use tunic_ioctl::native::{CAPABILITY_WIREGUARD, PROTOCOL_WIREGUARD};

use crate::adapter::{Adapter, AdapterProtocol, Keywords};
use crate::control_thread;
use crate::status::Refusal;

/// What the driver notes of an adapter's configuration.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Settings {
    /// The port that was asked for; 0 for any.
    listen_port: u16,
}

impl AdapterProtocol for WireGuard {
    const KEYWORD: &'static str = "wireguard";
    const NUMBER: u32 = PROTOCOL_WIREGUARD;
    const CAPABILITY: u64 = CAPABILITY_WIREGUARD;

    type Settings = Settings;
    type Extension = ();

    fn new_control(keywords: &Keywords) -> Control {
        let constants = match keywords.test_timers {
            0 | 1 => TimerConstants::PAPER,
            divisor => TimerConstants::shortened(divisor),
        };
        Control::new(constants)
    }

    fn new_extension() -> nt::Result<()> {
        Ok(())
    }

    fn asked_port(settings: &Settings) -> u16 {
        settings.listen_port
    }

    fn up(adapter: &Shared<Adapter<Self>>) -> Result<Status, Refusal> {
        link::up(adapter)
    }

    fn down(adapter: &Shared<Adapter<Self>>) -> Result<Status, Refusal> {
        link::down(adapter)
    }

    fn scale_timers(adapter: &Shared<Adapter<Self>>, permille: u32) -> Result<(), Refusal> {
        configure::scale_timers(adapter, permille)
    }

    fn request(adapter: &Shared<Adapter<Self>>, command: Command<'_>, irp: Irp) -> Dispatched {
        requests::run(adapter, command, irp)
    }

    fn receive_control(adapter: &Shared<Adapter<Self>>, datagram: &Datagram<'_>) {
        control_thread::receive(adapter, datagram);
    }

    fn report(adapter: &Shared<Adapter<Self>>, event: Event) {
        report::report(adapter, event);
    }
}
