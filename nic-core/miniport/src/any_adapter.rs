//! An adapter, whatever it speaks.

use core::net::{IpAddr, SocketAddr};

use nt::event::Event;
use nt::irp::{Dispatched, FileId, Irp, Origin};
use nt::nbl::TransmitQueue;
use nt::oid::OidRequest;
use nt::{Passive, Result, Shared, Status};
use tunic_ioctl::native::reply::AdapterEncoder;
use tunic_ioctl::{AdapterId, Command};

use crate::own_device::DeviceAbi;

/// What NDIS, the control devices and the registry ask of an adapter, whatever it speaks: one
/// virtual call for a chain of packets, an OID or an IRP, and none for a packet.
pub trait AnyAdapter: Send + Sync {
    /// Its GUID.
    fn id(&self) -> AdapterId;

    /// Its name, UTF-8; empty where it has none.
    fn name(&self) -> &[u8];

    /// The number of its protocol in the native ABI.
    fn protocol(&self) -> u32;

    /// The `NET_LUID` of its interface.
    fn interface_luid(&self) -> u64;

    /// Where a packet to an address goes: the address of the peer that it is for.
    fn outer_destination(&self, inner: IpAddr) -> Option<SocketAddr>;

    /// Whether it can also be opened through the devices of its protocol.
    fn has_protocol_device(&self) -> bool;

    /// What it answers on the device that NDIS made for it.
    fn device_abi(&self) -> &'static DeviceAbi;

    /// MiniportHaltEx: ends everything of it. The event is set when the last owner of it is gone.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    fn halt(&self) -> Shared<Event>;

    /// Its device is being removed: nothing can be changed any more, and requests that wait end.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    fn removed(&self);

    /// MiniportRestart.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    fn restart(&self);

    /// MiniportPause.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    fn pause(&self, passive: Passive);

    /// MiniportOidRequest.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    fn oid_request(&self, request: OidRequest<'_>) -> Status;

    /// MiniportSendNetBufferLists: takes a chain of packets.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    fn send(&self, packets: TransmitQueue);

    /// Whether it may be opened by its name.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`, as all that follow
    fn may_open(&self) -> Result<()>;

    /// Makes a file that is being opened its owner.
    fn own(&self, file: FileId) -> Result<()>;

    /// Does what a request asks for, and completes it.
    fn request(&self, command: Command<'_>, irp: Irp) -> Dispatched;

    /// Handles a read of its device.
    fn read(&self, irp: Irp) -> Dispatched;

    /// Handles a write of its device, or a request to send a control datagram.
    fn write(&self, irp: Irp) -> Dispatched;

    /// Cancels the requests of a file that is closed, which may be of another adapter, or all that
    /// came through a device.
    fn cancel_of(&self, origin: Origin);

    /// A file that was opened on it is closed.
    fn closed(&self, file: FileId);

    /// Writes its record.
    fn describe(&self, encoder: &mut AdapterEncoder<'_>);
}
