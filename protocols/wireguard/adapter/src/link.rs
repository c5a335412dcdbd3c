//! Up and down.

use nic_miniport::adapter::{
    BITS_PER_SECOND, NewSockets, Sink, SocketPlace, SocketReceiver, Sockets,
};
use nic_miniport::status::Refusal;
use nic_miniport::time;
use nic_wireguard::configure;
use nt::{Shared, Status};

use crate::log::{self, Level};
use crate::{Adapter, WireGuardAdapter};

/// Brings an adapter up: sockets are bound, and the link is connected.
///
/// # IRQL
/// `PASSIVE_LEVEL`
pub(super) fn up(adapter: &Shared<Adapter>) -> Result<Status, Refusal> {
    adapter.follow_mtu();
    let mut state = adapter.state.lock();
    if state.is_removed {
        return Err(Status::DEVICE_REMOVED.into());
    }
    if state.is_up {
        return Ok(Status::ALREADY_COMPLETE);
    }
    let sockets = bind(adapter, state.settings.listen_port).inspect_err(|status| {
        log::write(
            adapter,
            Level::Error,
            format_args!("UDP port {} can't be had: {status}", state.settings.listen_port),
        );
    })?;
    adapter.sockets.replace(Some(sockets));
    state.is_up = true;
    state.is_connected = true;
    adapter.nic.set_up(!state.is_paused);
    let mut sink = Sink::new(adapter);
    adapter.nic.configure(time::now(), &mut sink, |configuration| {
        configuration.with_protocol(|_, host| configure::start(host));
    });
    adapter.handle.indicate_link(true, BITS_PER_SECOND);
    drop(state);
    sink.act();
    adapter.control.wake();
    Ok(Status::SUCCESS)
}

/// Opens and binds sockets that are yet to be installed.
///
/// # IRQL
/// `PASSIVE_LEVEL`
pub(super) fn bind(
    adapter: &Shared<Adapter>,
    port: u16,
) -> nt::Result<NewSockets<WireGuardAdapter>> {
    let client = adapter.wsk.client()?;
    let receiver = SocketReceiver::new(adapter);
    SocketPlace::prepare(Sockets::bind_both(&client, port, &receiver)?)
}

/// Brings an adapter down: sessions end, the link is disconnected, and the sockets are closed.
///
/// # IRQL
/// `PASSIVE_LEVEL`
pub(super) fn down(adapter: &Shared<Adapter>) -> Result<Status, Refusal> {
    let mut state = adapter.state.lock();
    if state.is_removed {
        return Err(Status::DEVICE_REMOVED.into());
    }
    if !state.is_up {
        return Ok(Status::ALREADY_COMPLETE);
    }
    state.is_up = false;
    state.is_connected = false;
    adapter.nic.set_up(false);
    let mut sink = Sink::new(adapter);
    adapter.nic.configure(time::now(), &mut sink, |configuration| {
        configuration.with_protocol(|_, host| configure::stop(host));
    });
    adapter.handle.indicate_link(false, BITS_PER_SECOND);
    // Opening gives WSK its memory back before anything goes to the stack above, so this doesn't
    // wait for that.
    adapter.sockets.replace(None);
    drop(state);
    sink.act();
    adapter.handle.transmit.flush();
    adapter.control.wake();
    Ok(Status::SUCCESS)
}
