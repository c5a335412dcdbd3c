//! Events of peers, for pending requests.

use nic_miniport::ring::Record;
use nt::irp::Irp;
use nt::{Result, Status};
use tunic_ioctl::native::channel::reply::{self, StampedEvent};
use tunic_ioctl::ovpn_dco;

/// An event that is queued for a request.
pub(crate) struct PendingEvent(pub(crate) StampedEvent);

impl Record for PendingEvent {
    /// Enough for all peers of a server to expire at once.
    const MAX_ENTRIES: usize = 8192;

    fn answer(&self, irp: &mut Irp) -> Result<usize> {
        if irp.control_code() == ovpn_dco::IOCTL_NOTIFY_EVENT {
            let event =
                ovpn_dco::encode_event(&self.0.event).ok_or(Status::INVALID_DEVICE_STATE)?;
            irp.write_output(&event)?;
            return Ok(event.len());
        }
        let event = reply::event(&self.0);
        irp.write_output(&event)?;
        Ok(event.len())
    }
}
