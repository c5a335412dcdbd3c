//! Who owns an adapter: the file by which somebody speaks ovpn-dco-win's ABI to it. There is one at a time, and what it has set up
//! goes when it is closed.

use nt::irp::FileId;
use nt::{Result, Shared, Status};
use tunic_ioctl::data_channel::{Form, Mode};

use super::{Adapter, State, link};
use crate::adapter;
use crate::status::{ChannelRefusal, ChannelResult};

/// Whether an adapter may be opened by its name.
pub(super) fn may_open(adapter: &Shared<Adapter>) -> Result<()> {
    match adapter.state.lock().settings.owner {
        Some(_) => Err(Status::ACCESS_DENIED),
        None => Ok(()),
    }
}

/// Opens an adapter for a file that is its owner from the first.
pub(super) fn open(adapter: &Shared<Adapter>, file: FileId) -> Result<()> {
    let opened = admit(adapter, &mut adapter.state.lock(), Form::OvpnDco, file);
    opened.map_err(|refusal| refusal.status(Form::OvpnDco))
}

/// Whether a file may change an adapter. In ovpn-dco-win's form that makes it the owner, where there is none and nothing that
/// somebody else has set up.
///
/// # Locks
/// The adapter's state lock is held.
pub(super) fn admit(
    adapter: &Shared<Adapter>,
    state: &mut State,
    form: Form,
    file: FileId,
) -> ChannelResult<()> {
    if state.is_removed {
        return Err(Status::DEVICE_REMOVED.into());
    }
    match (form, state.settings.owner) {
        (Form::Native, None) => Ok(()),
        (_, Some(owner)) if owner == file => Ok(()),
        (_, Some(_)) => Err(ChannelRefusal::NotYours),
        (Form::OvpnDco, None) => {
            let is_used = state.is_up
                || state.is_connected
                || state.settings.mode != Mode::default()
                || adapter::peer_count(adapter) > 0;
            if is_used {
                return Err(ChannelRefusal::NotYours);
            }
            // Nothing that was told to others before is for the owner.
            adapter.extension.inbox.ring.clear();
            adapter.extension.notices.clear();
            state.settings.owner = Some(file);
            Ok(())
        }
    }
}

/// A file is closed: where it is the owner, all that it has set up goes.
pub(super) fn closed(adapter: &Shared<Adapter>, file: FileId) {
    let mut state = adapter.state.lock();
    if state.settings.owner == Some(file) {
        link::stop(adapter, &mut state);
        link::disconnect(adapter, &mut state);
        state.settings.owner = None;
    }
    drop(state);
    adapter.control.wake();
}
