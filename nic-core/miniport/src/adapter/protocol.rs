//! The adapter half of a protocol: what the miniport calls besides the engine's traits.

use nic_engine::protocol::Event;
use nic_engine::{Endpoint, Instant, Protocol};
use nt::configuration::Configuration;
use nt::irp::{Dispatched, FileId, Irp, Origin};
use nt::miniport::DriverHandle;
use nt::wsk::Datagram;
use nt::{Result, Shared, Status};
use tunic_ioctl::{Command, DecodeError};

use super::{Adapter, Keywords};
use crate::control_device::RequestDispatcher;
use crate::own_device::DeviceAbi;
use crate::status::Refusal;

/// The adapter half of a protocol: configuration, IOCTLs, link state and events of an adapter that
/// speaks it. The data channel itself is [`AdapterProtocol::Protocol`].
///
/// # IRQL
/// `PASSIVE_LEVEL`, unless the method says otherwise.
///
/// # Locks
/// No lock is held, unless the method says otherwise. A method that takes locks follows the order
/// in the documentation of [`crate::adapter`]: [`Adapter::state`], then the engine's control lock.
/// Calls for one adapter can run in parallel on several threads; only [`Adapter::state`] and the
/// control lock serialize them.
///
/// # Batches
/// None of these methods is on the data path. Packets and data datagrams pass in batches through
/// [`nic_engine::protocol::DataPlane`], [`Sealer`] and [`Opener`]. Only
/// [`AdapterProtocol::receive_control`] is called per datagram, and only for control datagrams.
///
/// [`Sealer`]: nic_engine::protocol::Sealer
/// [`Opener`]: nic_engine::protocol::Opener
pub trait AdapterProtocol: Sized + Send + Sync + 'static {
    /// The data channel and its control plane.
    type Protocol: Protocol;

    /// The value of the registry keyword `TunicProtocol` that selects this protocol.
    const KEYWORD: &'static str;
    /// The protocol's number in the native ABI. A third party takes one of
    /// [`tunic_ioctl::protocol::VENDOR_NUMBERS`].
    const NUMBER: u32;
    /// The protocol's bit in the driver's capabilities; 0 for none. A third party takes one of
    /// [`tunic_ioctl::protocol::VENDOR_CAPABILITIES`].
    const CAPABILITY: u64;

    /// What an adapter answers on the device that NDIS makes for it.
    const DEVICE: DeviceAbi = DeviceAbi::NONE;

    /// Configuration that the adapter keeps outside the engine, in [`State::settings`]. The
    /// adapter's state lock protects it.
    ///
    /// [`State::settings`]: super::State::settings
    type Settings: Default + Send;

    /// Per-adapter objects outside the engine, such as rings and IRP queues, in
    /// [`Adapter::extension`]. Each has a lock of its own.
    type Extension: Send + Sync;

    /// The protocol's own registry keywords of an adapter.
    type Keywords: Default;

    /// Per-driver objects, shared by all adapters of the protocol: devices of its own. `()` for
    /// none.
    type Devices: Send + Sync;

    /// Creates the per-driver objects. Called once, from DriverEntry, before any adapter exists. An
    /// error fails the load of the driver.
    fn load() -> Result<Self::Devices>;

    /// Reads the protocol's own keywords, during MiniportInitializeEx. A missing or invalid value
    /// gets its default. The only error is `INSUFFICIENT_RESOURCES`, which fails the
    /// initialization. Not called if the adapter has no registry key: it then has the defaults.
    fn read_keywords(_configuration: &Configuration) -> Result<Self::Keywords> {
        Ok(Self::Keywords::default())
    }

    /// Creates the devices that an adapter's keywords ask for, during MiniportInitializeEx, before
    /// the adapter exists. `dispatcher` opens adapters and handles their requests as the driver's
    /// control device does. Several adapters may be initialized in parallel. An error fails the
    /// initialization. Returns whether the adapter uses devices, as
    /// [`AdapterProtocol::has_protocol_device`] will say.
    fn initializing(
        _devices: &Self::Devices,
        _driver: &DriverHandle,
        _dispatcher: &RequestDispatcher,
        _keywords: &Self::Keywords,
    ) -> Result<bool> {
        Ok(false)
    }

    /// An adapter that uses devices is gone. Device objects keep the driver from being unloaded, so
    /// they go with the last adapter that uses them.
    fn ended(_devices: &Self::Devices) {}

    /// Creates the protocol's control state of an adapter, during MiniportInitializeEx.
    fn new_control(keywords: &Keywords) -> <Self::Protocol as Protocol>::Control;

    /// Creates the adapter's extension, during MiniportInitializeEx. An error fails the
    /// initialization.
    fn new_extension(keywords: &Self::Keywords) -> Result<Self::Extension>;

    /// Decodes a request of the protocol's own ABI. Returns `None` if the control code is not one
    /// of that ABI; the next protocol of the driver's list is then asked. Requests of the native
    /// ABI are decoded before and never reach this method. `input` comes from an untrusted caller.
    fn decode(_code: u32, _input: &[u8]) -> core::result::Result<Option<Command<'_>>, DecodeError> {
        Ok(None)
    }

    /// The status of a request that [`AdapterProtocol::decode`] refused.
    fn decode_status(error: DecodeError) -> Status {
        Refusal::from(error).status()
    }

    /// Completes a request of the protocol's own ABI on a file that was opened on no adapter.
    fn request_without_adapter(_command: Command<'_>, irp: Irp) -> Dispatched {
        irp.complete(Status::NOT_FOUND, 0)
    }

    /// The UDP port that the configuration requests; 0 for any. It is reported while the adapter
    /// has no sockets.
    ///
    /// # Locks
    /// The adapter's state lock is held. Take none.
    fn requested_port(settings: &Self::Settings) -> u16;

    /// Whether a file may bring an adapter up and down.
    fn may_change(
        _adapter: &Shared<Adapter<Self>>,
        _file: FileId,
    ) -> core::result::Result<(), Refusal> {
        Ok(())
    }

    /// Brings an adapter up, for SET_STATE of the native ABI and the like. The status is the
    /// request's: `SUCCESS`, or `ALREADY_COMPLETE` if the adapter is up. [`Adapter::connect`] does
    /// it for a protocol whose sockets and link come up together.
    fn up(adapter: &Shared<Adapter<Self>>) -> core::result::Result<Status, Refusal>;

    /// Brings an adapter down. [`Adapter::disconnect`] is the counterpart of [`Adapter::connect`].
    fn down(adapter: &Shared<Adapter<Self>>) -> core::result::Result<Status, Refusal>;

    /// Scales the protocol's timers in thousandths. Refuses unless the registry allows it
    /// ([`Adapter::allows_test_timers`]).
    fn scale_timers(
        adapter: &Shared<Adapter<Self>>,
        permille: u32,
    ) -> core::result::Result<(), Refusal>;

    /// Performs and completes, or queues, a request that the miniport does not handle itself:
    /// configuration, queries of it, and the commands of the protocol's own ABI. A request that
    /// fails has changed nothing. The command is not always the protocol's: complete an unknown one
    /// with `INVALID_DEVICE_REQUEST`.
    fn request(adapter: &Shared<Adapter<Self>>, command: Command<'_>, irp: Irp) -> Dispatched;

    /// Receives a datagram that [`Protocol::classify`] calls a control message. Its memory is WSK's
    /// and valid during the call only. [`receive_control`](super::receive_control) validates the
    /// address and queues a copy for the control thread; a protocol with its handshake in userspace
    /// queues it for a read request.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`: do not wait, and do not take a sleep lock.
    fn receive_control(adapter: &Shared<Adapter<Self>>, datagram: &Datagram<'_>);

    /// Queues a control message for userspace, for `ControlHost::hand_up`. Returns false if there
    /// is no room for it.
    ///
    /// # Locks
    /// The engine's control lock is held. Take spin locks that are leaves, and no other lock.
    fn hand_up(_adapter: &Shared<Adapter<Self>>, _from: &Endpoint, _datagram: &[u8]) -> bool {
        false
    }

    /// Reports an event of the engine to userspace. Called on the control thread, or on the thread
    /// of the request that caused the event.
    fn report(adapter: &Shared<Adapter<Self>>, event: Event);

    /// Runs work that the protocol has deferred to the adapter's control thread. Called each time
    /// that thread wakes; [`ControlThread::wake`](super::ControlThread::wake) makes it do so.
    /// Returns when to call again at the latest.
    fn poll(_adapter: &Shared<Adapter<Self>>) -> Instant {
        Instant::NEVER
    }

    /// Whether the adapter can also be opened through the protocol's own devices.
    ///
    /// # Locks
    /// The lock of the driver's list of adapters may be held. Take none.
    fn has_protocol_device(_adapter: &Shared<Adapter<Self>>) -> bool {
        false
    }

    /// Whether the adapter may be opened by its name on the control device (IRP_MJ_CREATE).
    fn may_open(_adapter: &Shared<Adapter<Self>>) -> Result<()> {
        Ok(())
    }

    /// Makes a file that is being opened on the protocol's own device the owner of the adapter.
    /// Until that file is closed, no other file opens the adapter by its name or changes it.
    fn own(_adapter: &Shared<Adapter<Self>>, _file: FileId) -> Result<()> {
        Err(Status::NOT_SUPPORTED)
    }

    /// Completes or queues a read of the adapter's device (IRP_MJ_READ).
    fn read(_adapter: &Shared<Adapter<Self>>, irp: Irp) -> Dispatched {
        irp.complete(Status::INVALID_DEVICE_REQUEST, 0)
    }

    /// Completes or queues a write of the adapter's device (IRP_MJ_WRITE), or the native ABI's
    /// [`IOCTL_CHANNEL_SEND_CONTROL`]. The input stays in the IRP's system buffer.
    ///
    /// [`IOCTL_CHANNEL_SEND_CONTROL`]: tunic_ioctl::native::channel::IOCTL_CHANNEL_SEND_CONTROL
    fn write(_adapter: &Shared<Adapter<Self>>, irp: Irp) -> Dispatched {
        irp.complete(Status::INVALID_DEVICE_REQUEST, 0)
    }

    /// Cancels the requests of a file that the protocol has queued (IRP_MJ_CLEANUP), or of all
    /// files of a device. Called on every adapter of the driver, because a file of one adapter can
    /// send requests to another.
    ///
    /// # Locks
    /// The lock of the driver's list of adapters is held. Take spin locks that are leaves, and no
    /// other lock.
    fn cancel_of(_adapter: &Shared<Adapter<Self>>, _origin: Origin) {}

    /// A file that was opened on the adapter is closed (IRP_MJ_CLEANUP). Called after
    /// [`AdapterProtocol::cancel_of`].
    fn closed(_adapter: &Shared<Adapter<Self>>, _file: FileId) {}

    /// The device is being removed: cancels all queued requests, and every later one. Called on
    /// surprise removal and from MiniportHaltEx, so possibly twice.
    fn device_removed(_adapter: &Shared<Adapter<Self>>) {}
}
