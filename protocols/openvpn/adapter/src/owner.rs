//! The owner of an adapter: a file that uses ovpn-dco-win's ABI, or that has requested ownership by
//! the native ABI. There is at most one. What it has set up is removed when it is closed.

use nic_miniport::adapter;
use nt::irp::FileId;
use nt::{Result, Shared, Status};
use tunic_ioctl::Abi;
use tunic_ioctl::data_channel::Mode;

use crate::channel::{Adapter, Owner, State};
use crate::link;
use crate::status::{ChannelRefusal, ChannelResult};

/// Whether an adapter may be opened by its name. ovpn-dco-win allows one file at a time.
pub(super) fn may_open(adapter: &Shared<Adapter>) -> Result<()> {
    match adapter.state.lock().settings.owner {
        Some(Owner { abi: Abi::OvpnDco, .. }) => Err(Status::ACCESS_DENIED),
        _ => Ok(()),
    }
}

/// Whether a file may bring an adapter up and down: only the owner may, if there is one.
pub(super) fn may_change(adapter: &Shared<Adapter>, file: FileId) -> Result<()> {
    match adapter.state.lock().settings.owner {
        Some(owner) if owner.file != file => Err(Status::ACCESS_DENIED),
        _ => Ok(()),
    }
}

/// Makes a file the owner by the native ABI. It also owns what is already set up.
pub(super) fn own(adapter: &Shared<Adapter>, file: FileId) -> ChannelResult<()> {
    let mut state = adapter.state.lock();
    admit(adapter, &mut state, Abi::Native, file)?;
    state.settings.owner.get_or_insert(Owner { file, abi: Abi::Native });
    Ok(())
}

/// Opens an adapter for a file, and makes the file its owner.
pub(super) fn open(adapter: &Shared<Adapter>, file: FileId) -> Result<()> {
    let opened = admit(adapter, &mut adapter.state.lock(), Abi::OvpnDco, file);
    opened.map_err(|refusal| refusal.status(Abi::OvpnDco))
}

/// Whether a file may change an adapter. In ovpn-dco-win's ABI, this makes the file the owner, if
/// there is none and nothing was set up by another file.
///
/// # Locks
/// The adapter's state lock is held.
pub(super) fn admit(
    adapter: &Shared<Adapter>,
    state: &mut State,
    abi: Abi,
    file: FileId,
) -> ChannelResult<()> {
    if state.is_removed {
        return Err(Status::DEVICE_REMOVED.into());
    }
    match (abi, state.settings.owner) {
        (Abi::Native | Abi::WireGuardNt, None) => Ok(()),
        (_, Some(owner)) if owner.file == file => Ok(()),
        (_, Some(_)) => Err(ChannelRefusal::NotOwner),
        (Abi::OvpnDco, None) => {
            let is_used = state.is_up
                || state.is_connected
                || state.settings.mode != Mode::default()
                || adapter::peer_count(adapter) > 0;
            if is_used {
                return Err(ChannelRefusal::NotOwner);
            }
            // The owner does not get earlier datagrams and events.
            adapter.extension.inbox.ring.clear();
            adapter.extension.events.clear();
            state.settings.owner = Some(Owner { file, abi });
            Ok(())
        }
    }
}

/// A file is closed. If it is the owner, everything that is set up is removed.
pub(super) fn closed(adapter: &Shared<Adapter>, file: FileId) {
    let mut state = adapter.state.lock();
    if state.settings.owner.is_some_and(|owner| owner.file == file) {
        link::stop(adapter, &mut state);
        link::disconnect(adapter, &mut state);
        state.settings.owner = None;
    }
    drop(state);
    adapter.control.wake();
}
