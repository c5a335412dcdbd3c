//! What the driver must know of a protocol, beside its data channel.

use nic_engine::protocol::Event;
use nic_engine::{Endpoint, Instant, Protocol};
use nt::irp::{Dispatched, FileId, Irp};
use nt::wsk::Datagram;
use nt::{Shared, Status};
use tunic_ioctl::Command;

use super::{Adapter, Keywords};
use crate::protocols::Listed;
use crate::status::Refusal;

/// A protocol that adapters speak. Functions are called at PASSIVE_LEVEL, but where they say
/// otherwise.
pub(crate) trait AdapterProtocol: Protocol + Listed {
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

    /// Makes the protocol's state of an adapter.
    fn new_control(keywords: &Keywords) -> Self::Control;

    /// Makes what an adapter has beside.
    fn new_extension() -> nt::Result<Self::Extension>;

    /// The UDP port that was asked for; 0 for any.
    fn asked_port(settings: &Self::Settings) -> u16;

    /// Whether a file may bring an adapter up and down.
    fn may_change(_adapter: &Shared<Adapter<Self>>, _file: FileId) -> Result<(), Refusal> {
        Ok(())
    }

    /// Brings an adapter up.
    fn up(adapter: &Shared<Adapter<Self>>) -> Result<Status, Refusal>;

    /// Brings an adapter down.
    fn down(adapter: &Shared<Adapter<Self>>) -> Result<Status, Refusal>;

    /// Scales the timers by thousandths, where the registry allows tests to.
    fn scale_timers(adapter: &Shared<Adapter<Self>>, permille: u32) -> Result<(), Refusal>;

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
    fn attend(_adapter: &Shared<Adapter<Self>>) -> Instant {
        Instant::NEVER
    }

    /// Whether the adapter may be opened by its name.
    fn may_open(_adapter: &Shared<Adapter<Self>>) -> nt::Result<()> {
        Ok(())
    }

    /// Makes a file that is being opened the adapter's owner: nobody else can open it by its name
    /// or change it until that is closed.
    fn own(_adapter: &Shared<Adapter<Self>>, _file: FileId) -> nt::Result<()> {
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
