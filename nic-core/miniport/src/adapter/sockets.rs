//! An adapter's UDP sockets: one for IPv4 and one for IPv6 on the same port, or one on an address.

use core::net::SocketAddr;

use nic_engine::Endpoint;
use nt::lock::SpinMutex;
use nt::rundown::Rundown;
use nt::wsk::{Family, OneSent, PacketInfo, ReceiveFrom, SendBatch, Sent, UdpSocket, WskClient};
use nt::{Result, Shared, Status};

/// How often a free port is looked for that is free for both.
const PORT_TRIES: u32 = 100;

/// Sockets; that of a protocol may be missing where the system doesn't have it, or it wasn't asked
/// for.
pub struct Sockets<R: ReceiveFrom> {
    v4: Option<UdpSocket<R>>,
    v6: Option<UdpSocket<R>>,
    bound: SocketAddr,
}

impl<R: ReceiveFrom + Clone> Sockets<R> {
    /// Opens and binds one on an address.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`, to drop them, too
    pub fn bind_one(client: &WskClient, address: SocketAddr, receiver: &R) -> Result<Self> {
        let (socket, bound) = bind(client, address, receiver)??;
        Ok(match Family::of(&address) {
            Family::V4 => Self { v4: Some(socket), v6: None, bound },
            Family::V6 => Self { v4: None, v6: Some(socket), bound },
        })
    }

    /// Opens and binds both, on all addresses; for port 0 to a port that is free for both.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`, to drop them, too
    pub fn bind_both(client: &WskClient, port: u16, receiver: &R) -> Result<Self> {
        let mut last = Status::ADDRESS_ALREADY_EXISTS;
        for _ in 0..PORT_TRIES {
            match Self::try_bind_both(client, port, receiver) {
                Err(status) if is_taken(status) && port == 0 => last = status,
                result => return result,
            }
        }
        Err(last)
    }

    fn try_bind_both(client: &WskClient, port: u16, receiver: &R) -> Result<Self> {
        let v4 = bind(client, Family::V4.any(port), receiver)?;
        let port_of_v4 = v4.as_ref().map_or(port, |(_, bound)| bound.port());
        let v6 = bind(client, Family::V6.any(port_of_v4), receiver)?;
        match (v4, v6) {
            (Err(status), Err(_)) => Err(status),
            (Ok((v4, _)), Ok((v6, bound))) => Ok(Self { v4: Some(v4), v6: Some(v6), bound }),
            (Ok((v4, bound)), Err(_)) => Ok(Self { v4: Some(v4), v6: None, bound }),
            (Err(_), Ok((v6, bound))) => Ok(Self { v4: None, v6: Some(v6), bound }),
        }
    }

    /// Where they are bound: of both, that for IPv6.
    pub fn bound(&self) -> SocketAddr {
        self.bound
    }

    fn socket(&self, endpoint: &Endpoint) -> Option<&UdpSocket<R>> {
        if endpoint.remote.is_ipv4() { self.v4.as_ref() } else { self.v6.as_ref() }
    }
}

type Bound<R> = (UdpSocket<R>, SocketAddr);

/// The outer error is a port that is taken, or missing memory; the inner one says that the protocol
/// is not there, or the address.
fn bind<R: ReceiveFrom + Clone>(
    client: &WskClient,
    address: SocketAddr,
    receiver: &R,
) -> Result<core::result::Result<Bound<R>, Status>> {
    let socket = match UdpSocket::open(client, Family::of(&address), receiver.clone()) {
        Ok(socket) => socket,
        Err(status) if status == Status::INSUFFICIENT_RESOURCES => return Err(status),
        Err(status) => return Ok(Err(status)),
    };
    match socket.bind(address) {
        Ok(bound) => Ok(Ok((socket, bound))),
        Err(status) if is_taken(status) || status == Status::INSUFFICIENT_RESOURCES => Err(status),
        Err(status) => Ok(Err(status)),
    }
}

fn is_taken(status: Status) -> bool {
    status == Status::ADDRESS_ALREADY_EXISTS || status == Status::SHARING_VIOLATION
}

/// Where an adapter's sockets are, for those who send.
pub struct ActiveSockets<R: ReceiveFrom> {
    current: SpinMutex<Option<Current<R>>>,
}

/// Sockets, and those who are using them: the sockets are closed by one that may wait, so never by
/// a sender.
struct Current<R: ReceiveFrom> {
    sockets: Shared<Sockets<R>>,
    senders: Shared<Rundown>,
}

impl<R: ReceiveFrom> Clone for Current<R> {
    fn clone(&self) -> Self {
        Self { sockets: self.sockets.clone(), senders: self.senders.clone() }
    }
}

impl<R: ReceiveFrom + Clone> ActiveSockets<R> {
    /// No sockets.
    pub fn new() -> Self {
        Self { current: SpinMutex::new(None) }
    }

    /// Prepares sockets to be installed.
    pub fn prepare(sockets: Sockets<R>) -> Result<NewSockets<R>> {
        let senders = Shared::new(Rundown::closed()?)?;
        senders.open();
        Ok(NewSockets(Current { sockets: Shared::new(sockets)?, senders }))
    }

    /// Puts new sockets in place of the old ones, which are closed: that waits until nothing that
    /// they received is in use and all that they send is sent.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    ///
    /// # Locks
    /// None that receiving or sending takes.
    pub fn replace(&self, new: Option<NewSockets<R>>) {
        let old = core::mem::replace(&mut *self.current.lock(), new.map(|new| new.0));
        if let Some(Current { sockets, senders }) = old {
            senders.close();
            senders.wait();
            // The last owner now, so that they are closed here.
            drop(sockets);
        }
    }

    /// Where they are bound, where there are sockets.
    pub fn bound(&self) -> Option<SocketAddr> {
        self.current.lock().as_ref().map(|current| current.sockets.bound())
    }

    /// The port, where there are sockets.
    pub fn port(&self) -> Option<u16> {
        self.bound().map(|bound| bound.port())
    }

    /// Sends a batch, which comes back in every case. No lock may be held.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    pub(super) fn send<C: Sent>(&self, batch: SendBatch<C>, to: &Endpoint) {
        let Some(Current { sockets, senders }) = self.enter() else {
            return C::sent(batch, Status::DEVICE_NOT_READY);
        };
        match sockets.socket(to) {
            Some(socket) => socket.send_batch(batch, to.remote, local(to)),
            None => C::sent(batch, Status::NETWORK_UNREACHABLE),
        }
        drop(sockets);
        senders.leave(1);
    }

    /// Sends a control message. No lock may be held.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    pub(super) fn send_message(&self, datagram: &[u8], to: &Endpoint) -> Result<()> {
        let sent = self.send_one(datagram, to, ());
        sent.map_err(|(status, ())| status)
    }

    /// Sends one datagram, which is copied; `context` is told how that has ended, or comes back
    /// with the reason why it can't be tried. No lock may be held.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    pub fn send_one<T: OneSent>(
        &self,
        datagram: &[u8],
        to: &Endpoint,
        context: T,
    ) -> core::result::Result<(), (Status, T)> {
        let Some(Current { sockets, senders }) = self.enter() else {
            return Err((Status::DEVICE_NOT_READY, context));
        };
        let sent = match sockets.socket(to) {
            Some(socket) => socket.send_one(datagram, to.remote, local(to), context),
            None => Err((Status::NETWORK_UNREACHABLE, context)),
        };
        drop(sockets);
        senders.leave(1);
        sent
    }

    fn enter(&self) -> Option<Current<R>> {
        let current = self.current.lock();
        let current = current.as_ref()?;
        // Under the lock: `replace` closes only what it has taken away.
        current.senders.enter(1).then(|| current.clone())
    }
}

/// Sockets that are bound and receive, to be installed by [`ActiveSockets::replace`]. Dropped
/// instead, they are closed.
pub struct NewSockets<R: ReceiveFrom>(Current<R>);

impl<R: ReceiveFrom + Clone> NewSockets<R> {
    /// Where they are bound.
    pub fn bound(&self) -> SocketAddr {
        self.0.sockets.bound()
    }
}

fn local(endpoint: &Endpoint) -> Option<PacketInfo> {
    endpoint
        .local
        .map(|local| PacketInfo { address: local.address, interface_index: local.interface_index })
}
