//! An adapter's UDP sockets: one for IPv4 and one for IPv6, on the same port, while the adapter is up.

use nic_engine::Endpoint;
use nt::lock::SpinMutex;
use nt::rundown::Rundown;
use nt::wsk::{Datagrams, Family, PacketInfo, ReceiveFrom, SendBatch, Sent, UdpSocket, WskClient};
use nt::{Result, Shared, Status};

use crate::adapter::{Adapter, AdapterProtocol};
use crate::control_thread::Message;
use crate::receive;
use crate::transmit::InFlight;

/// How often a free port is looked for that is free for both.
const PORT_TRIES: u32 = 100;

/// Two sockets on one port; either may be missing where the system doesn't have its protocol.
pub(crate) struct Sockets<P: AdapterProtocol> {
    v4: Option<UdpSocket<Receiver<P>>>,
    v6: Option<UdpSocket<Receiver<P>>>,
    port: u16,
}

/// What a socket receives goes to its adapter.
struct Receiver<P: AdapterProtocol> {
    adapter: Shared<Adapter<P>>,
}

impl<P: AdapterProtocol> ReceiveFrom for Receiver<P> {
    fn receive(&self, datagrams: Datagrams) {
        receive::receive(&self.adapter, datagrams);
    }
}

impl<P: AdapterProtocol> Sockets<P> {
    /// Opens and binds both; for port 0 to a port that is free for both.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`, to drop them, too
    pub(crate) fn bind(
        adapter: &Shared<Adapter<P>>,
        client: &WskClient,
        port: u16,
    ) -> Result<Self> {
        let mut last = Status::ADDRESS_ALREADY_EXISTS;
        for _ in 0..PORT_TRIES {
            match Self::try_bind(adapter, client, port) {
                Err(status) if is_taken(status) && port == 0 => last = status,
                result => return result,
            }
        }
        Err(last)
    }

    fn try_bind(adapter: &Shared<Adapter<P>>, client: &WskClient, port: u16) -> Result<Self> {
        let v4 = bind_one(adapter, client, Family::V4, port)?;
        let port_of_v4 = v4.as_ref().ok().map(|(_, port)| *port);
        let v6 = bind_one(adapter, client, Family::V6, port_of_v4.unwrap_or(port))?;
        match (v4, v6) {
            (Err(status), Err(_)) => Err(status),
            (v4, v6) => {
                let (v4, v6) = (v4.ok(), v6.ok());
                let port = v4.as_ref().or(v6.as_ref()).map_or(port, |(_, port)| *port);
                let (v4, v6) = (v4.map(|(socket, _)| socket), v6.map(|(socket, _)| socket));
                Ok(Self { v4, v6, port })
            }
        }
    }

    /// The port of both.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    fn socket(&self, endpoint: &Endpoint) -> Option<&UdpSocket<Receiver<P>>> {
        if endpoint.remote.is_ipv4() { self.v4.as_ref() } else { self.v6.as_ref() }
    }
}

type Bound<P> = (UdpSocket<Receiver<P>>, u16);

/// The outer error is a port that is taken; the inner one says that the protocol is not there.
fn bind_one<P: AdapterProtocol>(
    adapter: &Shared<Adapter<P>>,
    client: &WskClient,
    family: Family,
    port: u16,
) -> Result<core::result::Result<Bound<P>, Status>> {
    let receiver = Receiver { adapter: adapter.clone() };
    let socket = match UdpSocket::open(client, family, receiver) {
        Ok(socket) => socket,
        Err(status) if status == Status::INSUFFICIENT_RESOURCES => return Err(status),
        Err(status) => return Ok(Err(status)),
    };
    match socket.bind(family.any(port)).map(|bound| bound.port()) {
        Ok(port) => Ok(Ok((socket, port))),
        Err(status) if is_taken(status) || status == Status::INSUFFICIENT_RESOURCES => Err(status),
        Err(status) => Ok(Err(status)),
    }
}

fn is_taken(status: Status) -> bool {
    status == Status::ADDRESS_ALREADY_EXISTS || status == Status::SHARING_VIOLATION
}

impl<P: AdapterProtocol> Clone for Current<P> {
    fn clone(&self) -> Self {
        Self { sockets: self.sockets.clone(), senders: self.senders.clone() }
    }
}

/// Where an adapter's sockets are, for those who send.
pub(crate) struct SocketPlace<P: AdapterProtocol> {
    current: SpinMutex<Option<Current<P>>>,
}

/// Sockets, and those who are using them: the sockets are closed by one that may wait, so never by a sender.
struct Current<P: AdapterProtocol> {
    sockets: Shared<Sockets<P>>,
    senders: Shared<Rundown>,
}

impl<P: AdapterProtocol> SocketPlace<P> {
    /// No sockets.
    pub(crate) fn new() -> Self {
        Self { current: SpinMutex::new(None) }
    }

    /// Prepares sockets to be installed.
    pub(crate) fn prepare(sockets: Sockets<P>) -> Result<NewSockets<P>> {
        let senders = Shared::new(Rundown::closed()?)?;
        senders.open();
        Ok(NewSockets(Current { sockets: Shared::new(sockets)?, senders }))
    }

    /// Puts new sockets in place of the old ones, which are closed: that waits until nothing that they received is in use and all that
    /// they send is sent.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    ///
    /// # Locks
    /// None that receiving or sending takes.
    pub(crate) fn replace(&self, new: Option<NewSockets<P>>) {
        let old = core::mem::replace(&mut *self.current.lock(), new.map(|new| new.0));
        if let Some(Current { sockets, senders }) = old {
            senders.close();
            senders.wait();
            // The last owner now, so that they are closed here.
            drop(sockets);
        }
    }

    /// The port, where there are sockets.
    pub(crate) fn port(&self) -> Option<u16> {
        self.current.lock().as_ref().map(|current| current.sockets.port())
    }

    /// Sends a batch, which comes back in every case. No lock may be held.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    pub(crate) fn send(&self, batch: SendBatch<InFlight<P>>, to: &Endpoint) {
        let Some(Current { sockets, senders }) = self.enter() else {
            return InFlight::<P>::sent(batch, Status::DEVICE_NOT_READY);
        };
        match sockets.socket(to) {
            Some(socket) => socket.send_batch(batch, to.remote, local(to)),
            None => InFlight::<P>::sent(batch, Status::NETWORK_UNREACHABLE),
        }
        drop(sockets);
        senders.leave(1);
    }

    /// Sends a control message. No lock may be held.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    pub(crate) fn send_message(&self, message: &Message) -> Result<()> {
        let to = &message.endpoint;
        let Some(Current { sockets, senders }) = self.enter() else {
            return Err(Status::DEVICE_NOT_READY);
        };
        let sent = sockets
            .socket(to)
            .ok_or(Status::NETWORK_UNREACHABLE)
            .and_then(|socket| socket.send_to(message.as_slice(), to.remote, local(to)));
        drop(sockets);
        senders.leave(1);
        sent
    }

    fn enter(&self) -> Option<Current<P>> {
        let current = self.current.lock();
        let current = current.as_ref()?;
        // Under the lock: `replace` closes only what it has taken away.
        current.senders.enter(1).then(|| current.clone())
    }
}

/// Sockets that are bound and receive, to be installed by [`SocketPlace::replace`]. Dropped instead, they are closed.
pub(crate) struct NewSockets<P: AdapterProtocol>(Current<P>);

fn local(endpoint: &Endpoint) -> Option<PacketInfo> {
    endpoint
        .local
        .map(|local| PacketInfo { address: local.address, interface_index: local.interface_index })
}
