//! Up and down, for a protocol whose sockets and link come and go together.

use nt::{Shared, Status};

use super::{
    ActiveSockets, Adapter, AdapterProtocol, BITS_PER_SECOND, Config, NewSockets, Receiver, Sink,
    Sockets, State,
};
use crate::status::Refusal;
use crate::time;

impl<P: AdapterProtocol> Adapter<P> {
    /// Opens and binds sockets for IPv4 and IPv6, on all addresses and one port (0: any port that
    /// is free in both families). Does not install them.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    pub fn bind(adapter: &Shared<Self>, port: u16) -> nt::Result<NewSockets<P>> {
        let client = adapter.wsk.client()?;
        ActiveSockets::prepare(Sockets::bind_both(&client, port, &Receiver::new(adapter))?)
    }

    /// Brings the adapter up: `bind` creates the sockets, `start` starts the protocol, and the link
    /// is indicated as connected. If `bind` fails, nothing has changed.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    ///
    /// # Locks
    /// Takes the adapter's state lock, which is held during `bind`, and the engine's control lock,
    /// which is held during `start`.
    pub fn connect(
        adapter: &Shared<Self>,
        bind: impl FnOnce(&State<P>) -> nt::Result<NewSockets<P>>,
        start: impl FnOnce(&mut Config<'_, P>),
    ) -> Result<Status, Refusal> {
        adapter.poll_mtu();
        let mut state = adapter.state.lock();
        if state.is_removed {
            return Err(Status::DEVICE_REMOVED.into());
        }
        if state.is_up {
            return Ok(Status::ALREADY_COMPLETE);
        }
        let sockets = bind(&state)?;
        adapter.sockets.replace(Some(sockets));
        state.is_up = true;
        state.is_connected = true;
        adapter.nic.set_up(!state.is_paused);
        let mut sink = Sink::new(adapter);
        adapter.nic.configure(time::now(), &mut sink, start);
        adapter.handle.indicate_link(true, BITS_PER_SECOND);
        drop(state);
        sink.perform();
        adapter.control.wake();
        Ok(Status::SUCCESS)
    }

    /// Brings the adapter down: `stop` stops the protocol, the link is indicated as disconnected,
    /// and the sockets are closed.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    ///
    /// # Locks
    /// As [`Adapter::connect`], with `stop` in the place of `start`.
    pub fn disconnect(
        adapter: &Shared<Self>,
        stop: impl FnOnce(&mut Config<'_, P>),
    ) -> Result<Status, Refusal> {
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
        adapter.nic.configure(time::now(), &mut sink, stop);
        adapter.handle.indicate_link(false, BITS_PER_SECOND);
        // The receive path returns WSK's memory before it indicates packets, so this does not wait
        // for the stack.
        adapter.sockets.replace(None);
        drop(state);
        sink.perform();
        adapter.handle.transmit.flush();
        adapter.control.wake();
        Ok(Status::SUCCESS)
    }
}
