//! Up and down.

use nic_wireguard::{WireGuard, configure};
use nt::{Shared, Status};

use crate::adapter::{self, Adapter, BITS_PER_SECOND, follow_mtu};
use crate::control_thread::Sink;
use crate::log::Level;
use crate::sockets::{NewSockets, SocketPlace, Sockets};
use crate::status::Refusal;
use crate::time;

/// Brings an adapter up: sockets are bound, and the link is connected.
///
/// # IRQL
/// `PASSIVE_LEVEL`
pub(super) fn up(adapter: &Shared<Adapter<WireGuard>>) -> Result<Status, Refusal> {
    follow_mtu(adapter);
    let mut state = adapter.state.lock();
    if state.is_removed {
        return Err(Status::DEVICE_REMOVED.into());
    }
    if state.is_up {
        return Ok(Status::ALREADY_COMPLETE);
    }
    let sockets = bind(adapter, state.settings.listen_port).inspect_err(|status| {
        adapter::log(
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
    adapter: &Shared<Adapter<WireGuard>>,
    port: u16,
) -> nt::Result<NewSockets<WireGuard>> {
    let client = adapter.core.wsk()?;
    SocketPlace::prepare(Sockets::bind_both(adapter, &client, port)?)
}

/// Brings an adapter down: sessions end, the link is disconnected, and the sockets are closed.
///
/// # IRQL
/// `PASSIVE_LEVEL`
pub(super) fn down(adapter: &Shared<Adapter<WireGuard>>) -> Result<Status, Refusal> {
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
