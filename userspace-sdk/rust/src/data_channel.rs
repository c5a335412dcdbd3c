//! Adapters whose handshake is in userspace.

use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

pub use tunic_ioctl::data_channel::{
    ChannelInfo, ControlDatagram, DeleteReason, DirectionKey, EventInfo, EventKind, InstallKey,
    KeyMaterial, Listen, MAX_CONTROL_BYTES, MAX_KEY_ID, Mode, NewPeer, ParseSuiteError, PeerInfo,
    PeerSelector, PeerTraffic, Prefix, SetPeer, Slot, SlotInfo, Suite, Transport as PeerTransport,
    UNDEFINED_PEER_ID,
};
use tunic_ioctl::native::channel::reply;
pub use tunic_ioctl::native::channel::reply::StampedEvent;
use tunic_ioctl::native::channel::{self, Datagram, Event};
use tunic_ioctl::status::{STATUS_CANCELLED, STATUS_NOT_SUPPORTED};
use tunic_ioctl::{AdapterId, native};
use zeroize::Zeroizing;

use crate::Error;
use crate::adapter::{query_records, require_success};
use crate::transport::{Completion, OverlappedTransport, PendingRequest, Request};

/// The adapter in requests: the one that the transport reaches.
const THIS: AdapterId = AdapterId([0; 16]);

/// Pushes keys into an adapter that carries a protocol's data channel, and exchanges its control
/// datagrams.
///
/// The driver owns the UDP socket. Datagrams that are not of the data channel are received by
/// [`receive_control`](Self::receive_control); messages of the handshake are sent by
/// [`send_control`](Self::send_control). The handshake's keys are installed in a slot of the peer.
/// Packets are sealed with the primary key and opened with either, so a new key is first installed
/// as the secondary one, and the slots are swapped when the peer has it, too.
///
/// It may be shared by any number of threads. A waiting call does not block the others.
///
/// ```no_run
/// use std::time::Duration;
/// use tunic::data_channel::{
///     ControlDatagram, DirectionKey, InstallKey, KeyMaterial, NewPeer, PeerSelector,
///     PeerTransport, SetPeer, Slot, Suite,
/// };
/// use tunic::DataChannel;
///
/// let channel = DataChannel::open("ovpn0")?;
/// channel.new_peer(&NewPeer {
///     receive_id: None,
///     transmit_id: None,
///     transport: PeerTransport::Udp,
///     local: None,
///     remote: "192.0.2.1:1194".parse()?,
///     vpn4: None,
///     vpn6: None,
/// })?;
/// let hello = b"the first message of the handshake";
/// channel.send_control(&ControlDatagram { address: None, data: hello })?;
/// while let Some(answer) = channel.receive_control(Some(Duration::from_secs(10)))? {
///     println!("{} bytes from {:?}", answer.data.len(), answer.from);
/// #   break;
/// }
/// # let (ours, theirs) = ([0; 32], [0; 32]);
/// channel.install_key(&InstallKey {
///     peer: PeerSelector::Only,
///     slot: Slot::Primary,
///     key_id: 0,
///     suite: Suite::Aes256Gcm,
///     material: KeyMaterial::Fixed {
///         encrypt: DirectionKey { key: &ours, nonce_tail: &[1; 8] },
///         decrypt: DirectionKey { key: &theirs, nonce_tail: &[2; 8] },
///     },
///     transmit_id: Some(7),
///     packet_limit: None,
/// })?;
/// channel.set_peer(&SetPeer {
///     peer: PeerSelector::Only,
///     keepalive_s: Some(10),
///     timeout_s: Some(60),
///     mss_bytes: None,
/// })?;
/// channel.start()?;
/// while let Some(event) = channel.next_event(None)? {
///     println!("{:?}", event.event);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct DataChannel<T> {
    transport: T,
    datagrams: Waiting,
    events: Waiting,
}

/// Requests whose wait has timed out. The next wait continues with them, so that no answer is lost.
type Waiting = Mutex<Vec<Box<dyn PendingRequest>>>;

/// A received control datagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivedDatagram {
    /// Its source; `None` if the driver does not report it.
    pub from: Option<SocketAddr>,
    /// Its bytes.
    pub data: Vec<u8>,
}

#[cfg(unix)]
impl DataChannel<crate::UnixTransport> {
    /// Opens the adapter of this name.
    pub fn open(name: &str) -> Result<Self, Error> {
        Ok(Self::new(crate::UnixTransport::open(name)?))
    }
}

impl<T: OverlappedTransport> DataChannel<T> {
    /// The adapter that this transport reaches.
    pub fn new(transport: T) -> Self {
        Self { transport, datagrams: Waiting::default(), events: Waiting::default() }
    }

    /// The transport to the driver.
    pub fn transport(&self) -> &T {
        &self.transport
    }

    /// Chooses between one peer and many. Only possible while there is no peer.
    pub fn set_mode(&self, mode: Mode) -> Result<(), Error> {
        self.change(channel::IOCTL_CHANNEL_SET_MODE, &channel::encode_set_mode(THIS, mode))
    }

    /// Opens the socket of multi-peer mode and returns its bound address.
    pub fn listen(&self, listen: &Listen) -> Result<SocketAddr, Error> {
        let request = channel::encode_listen(THIS, listen);
        let mut answer = request;
        let code = channel::IOCTL_CHANNEL_LISTEN;
        require_success(self.transport.ioctl(code, &request, &mut answer)?)?;
        Ok(reply::decode_listen(&answer)?)
    }

    /// Creates a peer. In point-to-point mode, this opens the socket.
    pub fn new_peer(&self, peer: &NewPeer) -> Result<(), Error> {
        if peer.transport != PeerTransport::Udp {
            return Err(Error::Refused(STATUS_NOT_SUPPORTED));
        }
        self.change(channel::IOCTL_CHANNEL_NEW_PEER, &channel::encode_new_peer(THIS, peer))
    }

    /// Removes a peer with its keys and routes.
    pub fn delete_peer(&self, peer: PeerSelector) -> Result<(), Error> {
        self.change(channel::IOCTL_CHANNEL_DELETE_PEER, &channel::encode_select_peer(THIS, peer))
    }

    /// Changes a peer's timers and its TCP MSS clamping.
    pub fn set_peer(&self, change: &SetPeer) -> Result<(), Error> {
        self.change(channel::IOCTL_CHANNEL_SET_PEER, &channel::encode_set_peer(THIS, change))
    }

    /// Installs a key in a slot and replaces the slot's key.
    pub fn install_key(&self, key: &InstallKey<'_>) -> Result<(), Error> {
        if let KeyMaterial::Fixed { encrypt, decrypt } = &key.material {
            let wanted = key.suite.key_bytes();
            if encrypt.key.len() != wanted || decrypt.key.len() != wanted {
                return Err(Error::BadKeyLength);
            }
        }
        let mut request = Zeroizing::new([0; channel::Key::SIZE]);
        channel::write_key(&mut request, THIS, key);
        self.change(channel::IOCTL_CHANNEL_INSTALL_KEY, &*request)
    }

    /// Exchanges a peer's slots.
    pub fn swap_keys(&self, peer: PeerSelector) -> Result<(), Error> {
        self.change(channel::IOCTL_CHANNEL_SWAP_KEYS, &channel::encode_select_peer(THIS, peer))
    }

    /// Empties a peer's slot.
    pub fn delete_key(&self, peer: PeerSelector, slot: Slot) -> Result<(), Error> {
        self.change(channel::IOCTL_CHANNEL_DELETE_KEY, &channel::encode_slot(THIS, peer, slot))
    }

    /// Routes a network to a peer of multi-peer mode, and lets that peer send from it.
    pub fn add_route(&self, peer: PeerSelector, prefix: Prefix) -> Result<(), Error> {
        let request = channel::encode_route(THIS, peer, prefix);
        self.change(channel::IOCTL_CHANNEL_ADD_ROUTE, &request)
    }

    /// Removes the route of this network, of any peer.
    pub fn remove_route(&self, prefix: Prefix) -> Result<(), Error> {
        let request = channel::encode_route(THIS, PeerSelector::Only, prefix);
        self.change(channel::IOCTL_CHANNEL_REMOVE_ROUTE, &request)
    }

    /// Connects the link.
    pub fn start(&self) -> Result<(), Error> {
        self.change(channel::IOCTL_CHANNEL_START, &native::encode_select(THIS))
    }

    /// Removes everything: peers, keys, routes, the socket, the mode. Pending waits end, and the
    /// link is disconnected. Later waits are not affected.
    pub fn stop(&self) -> Result<(), Error> {
        self.change(channel::IOCTL_CHANNEL_STOP, &native::encode_select(THIS))?;
        // Their answers belong to the removed setup.
        for waiting in [&self.datagrams, &self.events] {
            waiting.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
        Ok(())
    }

    /// Binds the setup to this connection: it is removed when the connection ends, also when the
    /// process dies. Until then, no other connection may change it or receive its datagrams and
    /// events; [`status`](Self::status) remains available to all. An existing setup is taken over.
    ///
    /// # Errors
    /// [`Error::Refused`] with STATUS_ACCESS_DENIED if another connection owns it.
    pub fn own(&self) -> Result<(), Error> {
        self.change(channel::IOCTL_CHANNEL_OWN, &native::encode_select(THIS))
    }

    /// The state of the adapter, and its peers with their counters.
    pub fn status(&self) -> Result<(ChannelInfo, Vec<PeerInfo>), Error> {
        let request = native::encode_select(THIS);
        let answer = query_records(&self.transport, channel::IOCTL_CHANNEL_QUERY, &request)?;
        let (info, peers) = reply::decode_query(&answer)?;
        Ok((info, peers.collect()))
    }

    /// Sends a control datagram: in point-to-point mode to the peer, otherwise to its address.
    pub fn send_control(&self, datagram: &ControlDatagram<'_>) -> Result<(), Error> {
        let mut request = [0; Datagram::SIZE + MAX_CONTROL_BYTES];
        let length =
            channel::encode_datagram(THIS, datagram, &mut request).ok_or(Error::TooLarge)?;
        self.change(channel::IOCTL_CHANNEL_SEND_CONTROL, &request[..length])
    }

    /// Waits for the next control datagram, without a timeout forever. `None` after the timeout; no
    /// datagram is lost.
    pub fn receive_control(
        &self,
        timeout: Option<Duration>,
    ) -> Result<Option<ReceivedDatagram>, Error> {
        let code = channel::IOCTL_CHANNEL_READ_CONTROL;
        let room = Datagram::SIZE + MAX_CONTROL_BYTES;
        let Some(bytes) = self.wait(&self.datagrams, code, room, timeout)? else {
            return Ok(None);
        };
        let ControlDatagram { address, data } = reply::decode_datagram(&bytes)?;
        Ok(Some(ReceivedDatagram { from: address, data: data.to_vec() }))
    }

    /// Waits for the next event, without a timeout forever. `None` after the timeout. A gap in the
    /// numbers means that events were lost or are unknown to this version.
    pub fn next_event(&self, timeout: Option<Duration>) -> Result<Option<StampedEvent>, Error> {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        loop {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let code = channel::IOCTL_CHANNEL_READ_EVENT;
            let Some(bytes) = self.wait(&self.events, code, Event::SIZE, left)? else {
                return Ok(None);
            };
            if let Some(event) = reply::decode_event(&bytes)? {
                return Ok(Some(event));
            }
        }
    }

    /// Waits for the answer to a request that stays pending in the driver.
    fn wait(
        &self,
        waiting: &Waiting,
        code: u32,
        room: usize,
        timeout: Option<Duration>,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
        let take = || waiting.lock().unwrap_or_else(PoisonError::into_inner).pop();
        while let Some(mut pending) = take() {
            let answer = match pending.wait(Some(Duration::ZERO))? {
                // An earlier stop has cancelled it: the present wait is a new one.
                Some(completion) if completion.reply.status == STATUS_CANCELLED => continue,
                None => pending.wait(timeout)?,
                answer => answer,
            };
            return finish(waiting, pending, answer);
        }
        let input = native::encode_select(THIS);
        let request = Request::Ioctl { code, input: &input, output: &vec![0; room] };
        let mut pending = self.transport.start(&request)?;
        let answer = pending.wait(timeout)?;
        finish(waiting, pending, answer)
    }

    fn change(&self, code: u32, request: &[u8]) -> Result<(), Error> {
        require_success(self.transport.ioctl(code, request, &mut [])?)
    }
}

/// Ends a wait with the answer, or keeps the request for the next wait.
fn finish(
    waiting: &Waiting,
    pending: Box<dyn PendingRequest>,
    answer: Option<Completion>,
) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
    let Some(completion) = answer else {
        waiting.lock().unwrap_or_else(PoisonError::into_inner).push(pending);
        return Ok(None);
    };
    require_success(completion.reply)?;
    Ok(Some(completion.data))
}
