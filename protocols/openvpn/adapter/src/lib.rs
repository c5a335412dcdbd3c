//! OpenVPN's data channel: userspace does the handshake, pushes keys, and reads and writes all
//! datagrams but the data channel's.
//!
//! It is controlled by the native ABI or by that of ovpn-dco-win; both come here as the same
//! commands. Who uses the latter owns the adapter, and who uses the former may: all ends when that
//! file is closed.

mod answers;
mod inbox;
mod link;
mod notices;
mod outbox;
mod owner;
mod peers;
mod requests;

use core::sync::atomic::AtomicBool;

use nic_engine::nic::Configurator;
use nic_engine::protocol::Event;
use nic_engine::{Endpoint, Instant};
use nic_openvpn::{Control, OpenVpn};
use nt::irp::{Dispatched, FileId, Irp};
use nt::wsk::Datagram;
use nt::{PoolBox, Result, Shared, Status};
use tunic_ioctl::Command;
use tunic_ioctl::data_channel::Mode;
use tunic_ioctl::native::{CAPABILITY_OPENVPN, PROTOCOL_OPENVPN};

use self::answers::Baseline;
use self::inbox::Inbox;
use self::outbox::Outbox;
use self::owner::Owner;
use crate::adapter::{self, AdapterProtocol, Keywords};
use crate::ring::Ring;
use crate::status::Refusal;
use crate::system::Nt;

type Adapter = adapter::Adapter<OpenVpn>;
type State = adapter::State<OpenVpn>;
/// The engine under its control lock.
type Config<'a> = Configurator<'a, OpenVpn, Nt<OpenVpn>>;

/// What the driver notes of an adapter's configuration.
#[derive(Default)]
pub(crate) struct Settings {
    mode: Mode,
    /// Who owns the adapter.
    owner: Option<Owner>,
    /// Counters start here, as ovpn-dco-win tells them.
    baseline: Baseline,
}

/// What an adapter has beside the engine.
pub(crate) struct Extension {
    inbox: Inbox,
    outbox: Outbox,
    notices: Ring<notices::Notice>,
    /// The only peer was silent for too long, and the adapter's owner is still to be told so by a
    /// read.
    is_disconnected: AtomicBool,
}

impl AdapterProtocol for OpenVpn {
    const KEYWORD: &'static str = "openvpn";
    const NUMBER: u32 = PROTOCOL_OPENVPN;
    const CAPABILITY: u64 = CAPABILITY_OPENVPN;

    type Settings = Settings;
    type Extension = PoolBox<Extension>;

    fn new_control(_: &Keywords) -> Control {
        Control::default()
    }

    fn new_extension() -> Result<PoolBox<Extension>> {
        PoolBox::new(Extension {
            inbox: Inbox::new()?,
            outbox: Outbox::new()?,
            notices: Ring::new()?,
            is_disconnected: AtomicBool::new(false),
        })
    }

    fn asked_port(_: &Settings) -> u16 {
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
            Command::DataChannel(form, command) => requests::run(adapter, form, command, irp),
            _ => irp.complete(Status::INVALID_DEVICE_REQUEST, 0),
        }
    }

    fn receive_control(adapter: &Shared<Adapter>, datagram: &Datagram<'_>) {
        inbox::receive(adapter, datagram);
    }

    fn hand_up(adapter: &Shared<Adapter>, from: &Endpoint, datagram: &[u8]) -> bool {
        inbox::hand_up(adapter, from.remote, datagram)
    }

    fn report(adapter: &Shared<Adapter>, event: Event) {
        notices::report(adapter, event);
    }

    fn attend(adapter: &Shared<Adapter>) -> Instant {
        outbox::send_waiting(adapter);
        inbox::tell_disconnected(adapter)
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
        outbox::write(adapter, irp)
    }

    fn cancel_of(adapter: &Shared<Adapter>, file: FileId) {
        adapter.extension.inbox.ring.cancel_of(file);
        adapter.extension.outbox.cancel_of(file);
        adapter.extension.notices.cancel_of(file);
    }

    fn closed(adapter: &Shared<Adapter>, file: FileId) {
        owner::closed(adapter, file);
    }

    fn device_removed(adapter: &Shared<Adapter>) {
        adapter.extension.inbox.ring.close();
        adapter.extension.outbox.close();
        adapter.extension.notices.close();
    }
}
