//! Adapters with OpenVPN's data channel. Userspace does the handshake, installs keys, and reads and
//! writes the control datagrams.
//!
//! The native ABI and ovpn-dco-win's ABI are decoded into the same commands. A file that uses
//! ovpn-dco-win's ABI owns the adapter; a file that uses the native ABI can request ownership. When
//! the owner is closed, everything that it has set up is removed.
#![no_std]
#![forbid(unsafe_code)]

mod address;
mod answers;
mod channel;
mod event;
mod inbox;
mod link;
mod outbox;
mod ovpn_dco;
mod owner;
mod peers;
mod receive;
mod report;
mod requests;
mod send;
mod status;

use core::sync::atomic::AtomicBool;

use nic_engine::protocol::Event;
use nic_engine::{Endpoint, Instant};
use nic_miniport::adapter::{AdapterProtocol, Keywords};
use nic_miniport::control_device::RequestDispatcher;
use nic_miniport::device_group::DeviceGroup;
use nic_miniport::own_device::DeviceAbi;
use nic_miniport::ring::Ring;
use nic_miniport::status::Refusal;
use nic_miniport::utf16;
use nic_openvpn::{Control, OpenVpn};
use nt::configuration::Configuration;
use nt::irp::{Dispatched, FileId, Irp, Origin};
use nt::miniport::DriverHandle;
use nt::wsk::Datagram;
use nt::{PoolBox, Result, Shared, Status};
use tunic_ioctl::data_channel;
use tunic_ioctl::{Abi, Command, DecodeError, protocol};

use self::channel::Adapter;
pub use self::channel::{Extension, OpenVpnAdapter, Settings};
use self::inbox::Inbox;
use self::outbox::Outbox;
pub use self::ovpn_dco::OvpnDcoDevices;

/// The protocol's own keywords of an adapter.
///
/// | keyword | type | meaning |
/// |---|---|---|
/// | `TunicOvpnDco` | number | 1: ovpn-dco-win's names open the adapter, too; default 0 |
#[derive(Default)]
pub struct OwnKeywords {
    has_ovpn_dco_name: bool,
}

impl AdapterProtocol for OpenVpnAdapter {
    type Protocol = OpenVpn;

    const KEYWORD: &'static str = protocol::OPENVPN.keyword;
    const NUMBER: u32 = protocol::OPENVPN.number;
    const CAPABILITY: u64 = protocol::OPENVPN.capability;
    const DEVICE: DeviceAbi = ovpn_dco::DEVICE;

    type Settings = Settings;
    type Extension = PoolBox<Extension>;
    type Keywords = OwnKeywords;
    type Devices = DeviceGroup<OvpnDcoDevices>;

    fn load() -> Result<Self::Devices> {
        Ok(DeviceGroup::new())
    }

    fn read_keywords(configuration: &Configuration) -> Result<OwnKeywords> {
        let value = configuration.integer(&utf16!("TunicOvpnDco"))?;
        Ok(OwnKeywords { has_ovpn_dco_name: value.is_some_and(|value| value != 0) })
    }

    fn initializing(
        devices: &Self::Devices,
        driver: &DriverHandle,
        dispatcher: &RequestDispatcher,
        keywords: &OwnKeywords,
    ) -> Result<bool> {
        if keywords.has_ovpn_dco_name {
            devices.add_adapter(|| OvpnDcoDevices::new(driver, dispatcher))?;
        }
        Ok(keywords.has_ovpn_dco_name)
    }

    fn ended(devices: &Self::Devices) {
        devices.remove_adapter();
    }

    fn new_control(_: &Keywords) -> Control {
        Control::default()
    }

    fn new_extension(keywords: &OwnKeywords) -> Result<PoolBox<Extension>> {
        PoolBox::new(Extension {
            inbox: Inbox::new()?,
            outbox: Outbox::new()?,
            events: Ring::new()?,
            is_disconnected: AtomicBool::new(false),
            has_ovpn_dco_name: keywords.has_ovpn_dco_name,
        })
    }

    fn decode(code: u32, input: &[u8]) -> core::result::Result<Option<Command<'_>>, DecodeError> {
        let command = tunic_ioctl::ovpn_dco::decode(code, input)?;
        Ok(command.map(|command| Command::DataChannel(Abi::OvpnDco, command)))
    }

    fn decode_status(error: DecodeError) -> Status {
        status::ovpn_dco_status(error.kind)
    }

    fn request_without_adapter(command: Command<'_>, irp: Irp) -> Dispatched {
        match command {
            // ovpn-dco-win also answers this without an adapter, on a device of its own.
            Command::DataChannel(_, data_channel::Command::QueryVersion) => {
                ovpn_dco::answer_version(irp)
            }
            _ => irp.complete(Status::NOT_FOUND, 0),
        }
    }

    fn has_protocol_device(adapter: &Shared<Adapter>) -> bool {
        adapter.extension.has_ovpn_dco_name
    }

    fn requested_port(_: &Settings) -> u16 {
        0
    }

    fn may_change(adapter: &Shared<Adapter>, file: FileId) -> core::result::Result<(), Refusal> {
        owner::may_change(adapter, file).map_err(Refusal::from)
    }

    fn up(adapter: &Shared<Adapter>) -> core::result::Result<Status, Refusal> {
        link::up(adapter)
    }

    fn down(adapter: &Shared<Adapter>) -> core::result::Result<Status, Refusal> {
        link::down(adapter)
    }

    fn scale_timers(_: &Shared<Adapter>, _: u32) -> core::result::Result<(), Refusal> {
        Err(Status::NOT_SUPPORTED.into())
    }

    fn request(adapter: &Shared<Adapter>, command: Command<'_>, irp: Irp) -> Dispatched {
        match command {
            Command::DataChannel(abi, command) => requests::run(adapter, abi, command, irp),
            _ => irp.complete(Status::INVALID_DEVICE_REQUEST, 0),
        }
    }

    fn receive_control(adapter: &Shared<Adapter>, datagram: &Datagram<'_>) {
        receive::receive(adapter, datagram);
    }

    fn hand_up(adapter: &Shared<Adapter>, from: &Endpoint, datagram: &[u8]) -> bool {
        receive::hand_up(adapter, from.remote, datagram)
    }

    fn report(adapter: &Shared<Adapter>, event: Event) {
        report::report(adapter, event);
    }

    fn poll(adapter: &Shared<Adapter>) -> Instant {
        send::send_waiting(adapter);
        receive::notify_disconnected(adapter)
    }

    fn may_open(adapter: &Shared<Adapter>) -> Result<()> {
        owner::may_open(adapter)
    }

    fn own(adapter: &Shared<Adapter>, file: FileId) -> Result<()> {
        owner::open(adapter, file)
    }

    fn read(adapter: &Shared<Adapter>, irp: Irp) -> Dispatched {
        requests::read(adapter, irp)
    }

    fn write(adapter: &Shared<Adapter>, irp: Irp) -> Dispatched {
        send::write(adapter, irp)
    }

    fn cancel_of(adapter: &Shared<Adapter>, origin: Origin) {
        adapter.extension.inbox.ring.cancel_of(origin);
        adapter.extension.outbox.cancel_of(origin);
        adapter.extension.events.cancel_of(origin);
    }

    fn closed(adapter: &Shared<Adapter>, file: FileId) {
        owner::closed(adapter, file);
    }

    fn device_removed(adapter: &Shared<Adapter>) {
        adapter.extension.inbox.ring.close();
        adapter.extension.outbox.close();
        adapter.extension.events.close();
    }
}
