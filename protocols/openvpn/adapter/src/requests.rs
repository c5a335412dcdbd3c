//! Commands of both ABIs: access, execution and answer.

use nic_openvpn::configure;
use nt::irp::{Dispatched, Irp};
use nt::{Shared, Status};
use tunic_ioctl::data_channel::{Command, Listen, MAX_CONTROL_BYTES, Mode};
use tunic_ioctl::native::channel;
use tunic_ioctl::{Abi, ovpn_dco};

use crate::address::Naming;
use crate::channel::{Adapter, Sink, State};
use crate::peers::configured;
use crate::status::{ChannelRefusal, ChannelResult};
use crate::{answers, link, owner, peers};

/// Performs a command.
///
/// # IRQL
/// `PASSIVE_LEVEL`
pub(super) fn run(
    adapter: &Shared<Adapter>,
    abi: Abi,
    command: Command<'_>,
    mut irp: Irp,
) -> Dispatched {
    let answered = match command {
        Command::QueryVersion => answers::version(&mut irp),
        Command::QueryPeers(_) if abi == Abi::Native => {
            return answers::channel(adapter, irp);
        }
        Command::ReadEvent | Command::ReadControl => return wait(adapter, abi, command, irp),
        Command::QueryPeers(Some(peer)) => {
            admit(adapter, abi, &irp).and_then(|()| answers::peer(adapter, &mut irp, peer))
        }
        Command::QueryPeers(None) => match admit(adapter, abi, &irp) {
            Ok(()) => return answers::peers(adapter, irp),
            Err(refusal) => Err(refusal),
        },
        Command::Own => owner::own(adapter, irp.file()).map(|()| 0),
        Command::QueryStatistics => {
            admit(adapter, abi, &irp).and_then(|()| answers::statistics(adapter, &mut irp))
        }
        command => change(adapter, abi, command, &mut irp),
    };
    match answered {
        Ok(bytes) => irp.complete(Status::SUCCESS, bytes),
        Err(refusal) => irp.complete(refusal.status(abi), 0),
    }
}

/// Handles IRP_MJ_READ, by which ovpn-dco-win's clients receive control datagrams.
///
/// # IRQL
/// `PASSIVE_LEVEL`
pub(super) fn read(adapter: &Shared<Adapter>, irp: Irp) -> Dispatched {
    match admit(adapter, Abi::OvpnDco, &irp) {
        Ok(()) => adapter.extension.inbox.ring.read(irp),
        Err(refusal) => irp.complete(refusal.status(Abi::OvpnDco), 0),
    }
}

fn wait(adapter: &Shared<Adapter>, abi: Abi, command: Command<'_>, irp: Irp) -> Dispatched {
    let needed = match (command, abi) {
        (Command::ReadEvent, Abi::Native) => channel::Event::SIZE,
        (Command::ReadEvent, Abi::OvpnDco) => ovpn_dco::NotifyEvent::SIZE,
        // The maximum length, so that no datagram is lost.
        _ => channel::Datagram::SIZE + MAX_CONTROL_BYTES,
    };
    if let Err(refusal) = admit(adapter, abi, &irp) {
        return irp.complete(refusal.status(abi), 0);
    }
    if irp.output_bytes() < needed {
        return irp.complete(Status::BUFFER_TOO_SMALL, 0);
    }
    match command {
        Command::ReadEvent => adapter.extension.events.read(irp),
        _ => adapter.extension.inbox.ring.read(irp),
    }
}

fn admit(adapter: &Shared<Adapter>, abi: Abi, irp: &Irp) -> ChannelResult<()> {
    owner::admit(adapter, &mut adapter.state.lock(), abi, irp.file())
}

/// Performs a command that changes the adapter, completely or not at all. Returns the length of the
/// answer.
fn change(
    adapter: &Shared<Adapter>,
    abi: Abi,
    command: Command<'_>,
    irp: &mut Irp,
) -> ChannelResult<usize> {
    let mut sink = Sink::new(adapter);
    let mut state = adapter.state.lock();
    let done = owner::admit(adapter, &mut state, abi, irp.file())
        .and_then(|()| apply(adapter, &mut state, &mut sink, abi, command, irp));
    drop(state);
    sink.perform();
    adapter.handle.transmit.flush();
    adapter.control.wake();
    done
}

fn apply(
    adapter: &Shared<Adapter>,
    state: &mut State,
    sink: &mut Sink<'_>,
    abi: Abi,
    command: Command<'_>,
    irp: &mut Irp,
) -> ChannelResult<usize> {
    match command {
        Command::SetMode(mode) => set_mode(adapter, state, sink, abi, mode)?,
        Command::Listen(listen) => return self::listen(adapter, state, abi, &listen, irp),
        Command::NewPeer(new) => peers::add(adapter, state, sink, &new)?,
        Command::DeletePeer(peer) => peers::remove(adapter, state, sink, peer)?,
        Command::SetPeer(change) => peers::change(adapter, state, sink, &change)?,
        Command::InstallKey(key) => peers::install_key(adapter, state, sink, &key)?,
        Command::SwapKeys(peer) => peers::swap_keys(adapter, state, sink, peer)?,
        Command::DeleteKey(peer, slot) => peers::delete_key(adapter, state, sink, peer, slot)?,
        Command::AddRoute(peer, prefix) => peers::add_route(adapter, state, sink, peer, prefix)?,
        Command::RemoveRoute(prefix) => peers::remove_route(adapter, state, sink, prefix)?,
        Command::Start => start(adapter, state, abi)?,
        Command::Stop => {
            link::stop(adapter, state);
            // ovpn-dco-win disconnects the link only when the file is closed.
            if abi == Abi::Native {
                link::disconnect(adapter, state);
            }
        }
        _ => return Err(Status::INVALID_DEVICE_REQUEST.into()),
    }
    Ok(0)
}

fn set_mode(
    adapter: &Shared<Adapter>,
    state: &mut State,
    sink: &mut Sink<'_>,
    abi: Abi,
    mode: Mode,
) -> ChannelResult<()> {
    if abi == Abi::OvpnDco && state.settings.mode == Mode::MultiPeer {
        return Err(Status::ALREADY_INITIALIZED.into());
    }
    let wanted = match mode {
        Mode::PointToPoint => nic_openvpn::Mode::PointToPoint,
        Mode::MultiPeer => nic_openvpn::Mode::MultiPeer,
    };
    // The sockets of one mode do not fit the other.
    if state.is_up && mode != state.settings.mode {
        return Err(ChannelRefusal::WrongMode);
    }
    configured(adapter, sink, |config| Ok(configure::set_mode(config, wanted)?))?;
    state.settings.mode = mode;
    if abi == Abi::OvpnDco && mode == Mode::MultiPeer {
        link::connect(adapter, state);
    }
    Ok(())
}

fn listen(
    adapter: &Shared<Adapter>,
    state: &mut State,
    abi: Abi,
    listen: &Listen,
    irp: &mut Irp,
) -> ChannelResult<usize> {
    let size = match abi {
        Abi::Native | Abi::WireGuardNt => channel::Listen::SIZE,
        Abi::OvpnDco => ovpn_dco::MpStartVpn::SIZE,
    };
    // Checked first, because the bind is not undone.
    if irp.output_bytes() < size {
        return Err(Status::BUFFER_TOO_SMALL.into());
    }
    let bound = Listen { local: link::listen(adapter, state, listen)?, ..*listen };
    match abi {
        Abi::Native | Abi::WireGuardNt => {
            irp.write_output(&channel::encode_listen(adapter.id, &bound))?;
        }
        Abi::OvpnDco => {
            let local = Naming::of(&listen.local).name(bound.local);
            irp.write_output(&ovpn_dco::encode_listen(&Listen { local, ..bound }))?;
        }
    }
    Ok(size)
}

fn start(adapter: &Shared<Adapter>, state: &mut State, abi: Abi) -> ChannelResult<()> {
    if abi == Abi::OvpnDco && state.settings.mode == Mode::MultiPeer {
        return Err(ChannelRefusal::WrongMode);
    }
    if !link::can_start(adapter, state) {
        return Err(ChannelRefusal::NoPeer(crate::status::PeerUse::Change));
    }
    link::connect(adapter, state);
    Ok(())
}
