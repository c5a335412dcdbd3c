//! An adapter's UDP sockets: IPv4 and IPv6 on the same port, or one on a single address.

use core::net::SocketAddr;

use nic_engine::Endpoint;
use nt::lock::SpinMutex;
use nt::rundown::Rundown;
use nt::wsk::{Family, OneSent, PacketInfo, ReceiveFrom, SendBatch, Sent, UdpSocket, WskClient};
use nt::{Result, Shared, Status};

/// The maximum number of attempts to find a port that is free in both address families.
const PORT_TRIES: u32 = 100;

/// Bound sockets. The socket of an address family is `None` if the system does not support the
/// family, or if it was not requested.
pub struct Sockets<R: ReceiveFrom> {
    v4: Option<UdpSocket<R>>,
    v6: Option<UdpSocket<R>>,
    bound: SocketAddr,
}

impl<R: ReceiveFrom + Clone> Sockets<R> {
    /// Opens and binds one socket on an address.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`, also for the drop of the sockets
    pub fn bind_one(client: &WskClient, address: SocketAddr, receiver: &R) -> Result<Self> {
        let (socket, bound) = bind(client, address, receiver)??;
        Ok(match Family::of(&address) {
            Family::V4 => Self { v4: Some(socket), v6: None, bound },
            Family::V6 => Self { v4: None, v6: Some(socket), bound },
        })
    }

    /// Opens and binds both, on all addresses. Port 0 selects a port that is free in both families.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`, also for the drop of the sockets
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

    /// The bound address; of both sockets, that of IPv6.
    pub fn bound(&self) -> SocketAddr {
        self.bound
    }

    fn socket(&self, endpoint: &Endpoint) -> Option<&UdpSocket<R>> {
        if endpoint.remote.is_ipv4() { self.v4.as_ref() } else { self.v6.as_ref() }
    }
}

type Bound<R> = (UdpSocket<R>, SocketAddr);

/// The outer error means that the port is in use or memory ran out; the inner one that the address
/// family or the address is not available.
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

/// The slot for an adapter's current sockets, from which senders take them.
pub struct ActiveSockets<R: ReceiveFrom> {
    current: SpinMutex<Option<Current<R>>>,
}

/// Sockets and the rundown of their senders. Closing waits for the senders, so that no sender, at
/// DISPATCH_LEVEL, drops the last reference.
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
    /// An empty slot.
    pub fn new() -> Self {
        Self { current: SpinMutex::new(None) }
    }

    /// Prepares sockets for [`ActiveSockets::replace`].
    pub fn prepare(sockets: Sockets<R>) -> Result<NewSockets<R>> {
        let senders = Shared::new(Rundown::closed()?)?;
        senders.open();
        Ok(NewSockets(Current { sockets: Shared::new(sockets)?, senders }))
    }

    /// Installs new sockets and closes the old ones. Waits until the old sockets' sends have
    /// completed and their received datagrams are returned.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    ///
    /// # Locks
    /// No lock may be held that the receive or transmit path takes.
    pub fn replace(&self, new: Option<NewSockets<R>>) {
        let old = core::mem::replace(&mut *self.current.lock(), new.map(|new| new.0));
        if let Some(Current { sockets, senders }) = old {
            senders.close();
            senders.wait();
            // The last reference: this closes them.
            drop(sockets);
        }
    }

    /// The bound address; `None` without sockets.
    pub fn bound(&self) -> Option<SocketAddr> {
        self.current.lock().as_ref().map(|current| current.sockets.bound())
    }

    /// The bound port; `None` without sockets.
    pub fn port(&self) -> Option<u16> {
        self.bound().map(|bound| bound.port())
    }

    /// Sends a batch. [`Sent::sent`] gets it back in every case. No lock may be held.
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

    /// Sends a copy of one datagram. `context` is notified of the completion; it is returned with
    /// the error if the send could not be started. No lock may be held.
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
        // Under the lock: `replace` runs down only sockets that it has removed from the slot.
        current.senders.enter(1).then(|| current.clone())
    }
}

/// Bound, receiving sockets for [`ActiveSockets::replace`]. Drop closes them.
pub struct NewSockets<R: ReceiveFrom>(Current<R>);

impl<R: ReceiveFrom + Clone> NewSockets<R> {
    /// The bound address.
    pub fn bound(&self) -> SocketAddr {
        self.0.sockets.bound()
    }
}

fn local(endpoint: &Endpoint) -> Option<PacketInfo> {
    endpoint
        .local
        .map(|local| PacketInfo { address: local.address, interface_index: local.interface_index })
}
