//! What the miniport must know of a protocol, beside its data channel.

use nic_engine::protocol::Event;
use nic_engine::{Endpoint, Instant, Protocol};
use nt::configuration::Configuration;
use nt::irp::{Dispatched, FileId, Irp};
use nt::miniport::DriverHandle;
use nt::wsk::Datagram;
use nt::{Result, Shared, Status};
use tunic_ioctl::{Command, DecodeError};

use super::{Adapter, Keywords};
use crate::control_device::RequestDispatcher;
use crate::status::Refusal;

/// A protocol that adapters speak. Functions are called at PASSIVE_LEVEL and under no lock, but
/// where they say otherwise.
pub trait AdapterProtocol: Sized + Send + Sync + 'static {
    /// Its data channel.
    type Protocol: Protocol;

    /// What the registry calls it (`TunicProtocol`).
    const KEYWORD: &'static str;
    /// Its number in the native ABI.
    const NUMBER: u32;
    /// Its bit among the native ABI's capabilities.
    const CAPABILITY: u64;

    /// What the driver itself notes of its configuration; under the adapter's state lock.
    type Settings: Default + Send;

    /// What an adapter has for it beside the engine.
    type Extension: Send + Sync;

    /// What the registry says of an adapter to the protocol alone.
    type Keywords: Default;

    /// What the driver has for the protocol, once for all of its adapters: devices of its own.
    type Devices: Send + Sync;

    /// Makes what the driver has for the protocol, when it is loaded.
    fn load() -> Result<Self::Devices>;

    /// Undoes it, when the driver is unloaded. No adapter is left.
    fn unload(_devices: &Self::Devices) {}

    /// Reads the protocol's own keywords. What is missing or makes no sense has its default; an
    /// error is memory that has run out.
    fn read_keywords(_configuration: &Configuration) -> Result<Self::Keywords> {
        Ok(Self::Keywords::default())
    }

    /// An adapter is about to be made: makes the devices that its keywords ask for. `control` opens
    /// adapters and handles their requests as the driver's own control device does.
    fn initializing(
        _devices: &Self::Devices,
        _driver: &DriverHandle,
        _dispatcher: &RequestDispatcher,
        _keywords: &Self::Keywords,
    ) -> Result<()> {
        Ok(())
    }

    /// Makes the protocol's state of an adapter.
    fn new_control(keywords: &Keywords) -> <Self::Protocol as Protocol>::Control;

    /// Makes what an adapter has beside.
    fn new_extension(keywords: &Self::Keywords) -> Result<Self::Extension>;

    /// Decodes a request of an ABI of the protocol's own; `None` where the control code is none of
    /// its codes. Requests of the native ABI don't come here.
    fn decode(_code: u32, _input: &[u8]) -> core::result::Result<Option<Command<'_>>, DecodeError> {
        Ok(None)
    }

    /// What the caller of a request gets that [`AdapterProtocol::decode`] refuses.
    fn decode_status(error: DecodeError) -> Status {
        Refusal::from(error).status()
    }

    /// Answers a request of the protocol's own ABI by a file that is no adapter's.
    fn request_without_adapter(_command: Command<'_>, irp: Irp) -> Dispatched {
        irp.complete(Status::NOT_FOUND, 0)
    }

    /// The UDP port that was asked for; 0 for any.
    fn requested_port(settings: &Self::Settings) -> u16;

    /// Whether a file may bring an adapter up and down.
    fn may_change(
        _adapter: &Shared<Adapter<Self>>,
        _file: FileId,
    ) -> core::result::Result<(), Refusal> {
        Ok(())
    }

    /// Brings an adapter up.
    fn up(adapter: &Shared<Adapter<Self>>) -> core::result::Result<Status, Refusal>;

    /// Brings an adapter down.
    fn down(adapter: &Shared<Adapter<Self>>) -> core::result::Result<Status, Refusal>;

    /// Scales the timers by thousandths, where the registry allows tests to.
    fn scale_timers(
        adapter: &Shared<Adapter<Self>>,
        permille: u32,
    ) -> core::result::Result<(), Refusal>;

    /// Does what the driver doesn't do for adapters of every protocol.
    fn request(adapter: &Shared<Adapter<Self>>, command: Command<'_>, irp: Irp) -> Dispatched;

    /// Takes a datagram that is none of the data channel.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    fn receive_control(adapter: &Shared<Adapter<Self>>, datagram: &Datagram<'_>);

    /// Takes a control datagram that the protocol hands up to userspace. False where there is no
    /// room for it.
    fn hand_up(_adapter: &Shared<Adapter<Self>>, _from: &Endpoint, _datagram: &[u8]) -> bool {
        false
    }

    /// Tells what happened to a peer.
    ///
    /// # Locks
    /// Takes the adapter's and the engine's.
    fn report(adapter: &Shared<Adapter<Self>>, event: Event);

    /// Does what the protocol has left to the adapter's control thread. Says when to call again, at
    /// the latest.
    fn poll(_adapter: &Shared<Adapter<Self>>) -> Instant {
        Instant::NEVER
    }

    /// Whether the adapter can also be opened through the protocol's own devices.
    fn has_protocol_device(_adapter: &Shared<Adapter<Self>>) -> bool {
        false
    }

    /// Whether the adapter may be opened by its name.
    fn may_open(_adapter: &Shared<Adapter<Self>>) -> Result<()> {
        Ok(())
    }

    /// Makes a file that is being opened the adapter's owner: nobody else can open it by its name
    /// or change it until that is closed.
    fn own(_adapter: &Shared<Adapter<Self>>, _file: FileId) -> Result<()> {
        Err(Status::NOT_SUPPORTED)
    }

    /// Handles a read of the adapter's device.
    fn read(_adapter: &Shared<Adapter<Self>>, irp: Irp) -> Dispatched {
        irp.complete(Status::INVALID_DEVICE_REQUEST, 0)
    }

    /// Handles a write of the adapter's device, or the native ABI's
    /// [`native::channel::IOCTL_CHANNEL_SEND_CONTROL`]. The input is where the I/O manager put it.
    ///
    /// [`native::channel::IOCTL_CHANNEL_SEND_CONTROL`]: tunic_ioctl::native::channel::IOCTL_CHANNEL_SEND_CONTROL
    fn write(_adapter: &Shared<Adapter<Self>>, irp: Irp) -> Dispatched {
        irp.complete(Status::INVALID_DEVICE_REQUEST, 0)
    }

    /// A file was closed: what of its requests waits with the protocol is cancelled.
    fn cancel_of(_adapter: &Shared<Adapter<Self>>, _file: FileId) {}

    /// A file was closed by which the adapter was opened.
    fn closed(_adapter: &Shared<Adapter<Self>>, _file: FileId) {}

    /// The device is going: all requests that wait with the protocol are cancelled, from now on,
    /// too.
    fn device_removed(_adapter: &Shared<Adapter<Self>>) {}
}
