//! The trait object of an adapter.

use core::net::{IpAddr, SocketAddr};

use nt::event::Event;
use nt::irp::{Dispatched, FileId, Irp, Origin};
use nt::nbl::TransmitQueue;
use nt::oid::OidRequest;
use nt::{Passive, Result, Shared, Status};
use tunic_ioctl::native::reply::AdapterEncoder;
use tunic_ioctl::{AdapterId, Command};

use super::{Adapter, AdapterProtocol, halt, oid, pause, requests, restart, transmit};
use crate::any_adapter::AnyAdapter;
use crate::own_device::DeviceAbi;

impl<P: AdapterProtocol> AnyAdapter for Shared<Adapter<P>> {
    fn id(&self) -> AdapterId {
        self.id
    }

    fn name(&self) -> &[u8] {
        self.name.as_bytes()
    }

    fn protocol(&self) -> u32 {
        P::NUMBER
    }

    fn interface_luid(&self) -> u64 {
        self.handle.interface_luid
    }

    fn outer_destination(&self, inner: IpAddr) -> Option<SocketAddr> {
        let peer = self.nic.routes().lookup(inner)?;
        self.nic.endpoint(peer).map(|endpoint| endpoint.remote)
    }

    fn has_protocol_device(&self) -> bool {
        P::has_protocol_device(self)
    }

    fn device_abi(&self) -> &'static DeviceAbi {
        &P::DEVICE
    }

    fn halt(&self) -> Shared<Event> {
        halt::halt(self)
    }

    fn removed(&self) {
        halt::removed(self);
    }

    fn restart(&self) {
        restart::restart(self);
    }

    fn pause(&self, passive: Passive) {
        pause::pause(self, passive);
    }

    fn oid_request(&self, request: OidRequest<'_>) -> Status {
        oid::oid_request(self, request)
    }

    fn send(&self, packets: TransmitQueue) {
        transmit::submit(self, packets);
    }

    fn may_open(&self) -> Result<()> {
        P::may_open(self)
    }

    fn own(&self, file: FileId) -> Result<()> {
        P::own(self, file)
    }

    fn request(&self, command: Command<'_>, irp: Irp) -> Dispatched {
        requests::run(self, command, irp)
    }

    fn read(&self, irp: Irp) -> Dispatched {
        P::read(self, irp)
    }

    fn write(&self, irp: Irp) -> Dispatched {
        P::write(self, irp)
    }

    fn cancel_of(&self, origin: Origin) {
        requests::cancel_of(self, origin);
    }

    fn closed(&self, file: FileId) {
        P::closed(self, file);
    }

    fn describe(&self, encoder: &mut AdapterEncoder<'_>) {
        requests::describe(self, encoder);
    }
}
