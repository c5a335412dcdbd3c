//! Events of peers, for pending requests.

use nic_miniport::ring::Record;
use nt::irp::Irp;
use nt::{Result, Status};
use tunic_ioctl::data_channel::{EventInfo, EventKind};
use tunic_ioctl::native::channel::reply::{self, StampedEvent};
use tunic_ioctl::ovpn_dco;

use crate::address::Naming;

/// An event that is queued for a request.
pub(crate) struct PendingEvent {
    pub(crate) event: StampedEvent,
    /// How ovpn-dco-win's ABI names addresses.
    pub(crate) naming: Naming,
}

impl Record for PendingEvent {
    /// Enough for all peers of a server to expire at once.
    const MAX_ENTRIES: usize = 8192;

    fn answer(&self, irp: &mut Irp) -> Result<usize> {
        if irp.control_code() == ovpn_dco::IOCTL_NOTIFY_EVENT {
            let EventInfo { peer, kind } = self.event.event;
            let kind = match kind {
                EventKind::Floated(address) => EventKind::Floated(self.naming.name(address)),
                other => other,
            };
            let event = ovpn_dco::encode_event(&EventInfo { peer, kind });
            let event = event.ok_or(Status::INVALID_DEVICE_STATE)?;
            irp.write_output(&event)?;
            return Ok(event.len());
        }
        let event = reply::event(&self.event);
        irp.write_output(&event)?;
        Ok(event.len())
    }
}
