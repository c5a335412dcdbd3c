//! An adapter that speaks OpenVPN, by the native ABI: commands as they are, and the keys of a
//! tunnel.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use nt_host::PendingRequest;
use tunic_ioctl::AdapterId;
use tunic_ioctl::data_channel::{
    ChannelInfo, ControlDatagram, DirectionKey, InstallKey, KeyMaterial, Listen, Mode, NewPeer,
    PeerInfo, PeerSelector, Prefix, SetPeer, Slot, Suite, Transport,
};
use tunic_ioctl::native::{channel, encode_select};

use super::{End, TIMEOUT};

/// The adapter of the file.
const THIS: AdapterId = AdapterId([0; 16]);

/// The commands of an end.
#[derive(Clone, Copy)]
pub struct Channel<'e>(pub &'e End);

/// What a command was refused with.
pub type Refused<T> = Result<T, u32>;

impl Channel<'_> {
    /// Sends a request, and waits for its answer.
    ///
    /// # Errors
    /// Its status.
    pub fn call(&self, code: u32, input: &[u8], output_bytes: usize) -> Refused<Vec<u8>> {
        let mut output = vec![0xaa; output_bytes];
        let (status, information) = self.0.file.ioctl(code, input, &mut output);
        output.truncate(information);
        if status == 0 { Ok(output) } else { Err(status.cast_unsigned()) }
    }

    fn set(&self, code: u32, input: &[u8]) -> Refused<()> {
        self.call(code, input, 0).map(|_| ())
    }

    /// Chooses the mode.
    ///
    /// # Errors
    /// The status of the request, as for all that follow.
    pub fn set_mode(&self, mode: Mode) -> Refused<()> {
        self.set(channel::IOCTL_CHANNEL_SET_MODE, &channel::encode_set_mode(THIS, mode))
    }

    /// Binds the socket of multi-peer mode; says where.
    ///
    /// # Errors
    /// The status of the request.
    ///
    /// # Panics
    /// When the answer is none.
    pub fn listen(&self, local: SocketAddr, v6_only: bool) -> Refused<SocketAddr> {
        let input = channel::encode_listen(THIS, &Listen { local, v6_only });
        let answer = self.call(channel::IOCTL_CHANNEL_LISTEN, &input, input.len())?;
        Ok(channel::reply::decode_listen(&answer).expect("an address"))
    }

    /// Makes a peer.
    ///
    /// # Errors
    /// The status of the request.
    pub fn new_peer(&self, peer: &NewPeer) -> Refused<()> {
        self.set(channel::IOCTL_CHANNEL_NEW_PEER, &channel::encode_new_peer(THIS, peer))
    }

    /// Removes a peer.
    ///
    /// # Errors
    /// The status of the request.
    pub fn delete_peer(&self, peer: PeerSelector) -> Refused<()> {
        self.set(channel::IOCTL_CHANNEL_DELETE_PEER, &channel::encode_select_peer(THIS, peer))
    }

    /// Changes a peer.
    ///
    /// # Errors
    /// The status of the request.
    pub fn set_peer(&self, change: &SetPeer) -> Refused<()> {
        self.set(channel::IOCTL_CHANNEL_SET_PEER, &channel::encode_set_peer(THIS, change))
    }

    /// Puts a key into a slot.
    ///
    /// # Errors
    /// The status of the request.
    pub fn install_key(&self, key: &InstallKey<'_>) -> Refused<()> {
        self.set(channel::IOCTL_CHANNEL_INSTALL_KEY, &channel::encode_key(THIS, key))
    }

    /// Exchanges the slots.
    ///
    /// # Errors
    /// The status of the request.
    pub fn swap_keys(&self, peer: PeerSelector) -> Refused<()> {
        self.set(channel::IOCTL_CHANNEL_SWAP_KEYS, &channel::encode_select_peer(THIS, peer))
    }

    /// Empties a slot.
    ///
    /// # Errors
    /// The status of the request.
    pub fn delete_key(&self, peer: PeerSelector, slot: Slot) -> Refused<()> {
        self.set(channel::IOCTL_CHANNEL_DELETE_KEY, &channel::encode_slot(THIS, peer, slot))
    }

    /// Adds a route.
    ///
    /// # Errors
    /// The status of the request.
    pub fn add_route(&self, peer: PeerSelector, prefix: Prefix) -> Refused<()> {
        self.set(channel::IOCTL_CHANNEL_ADD_ROUTE, &channel::encode_route(THIS, peer, prefix))
    }

    /// Removes a route.
    ///
    /// # Errors
    /// The status of the request.
    pub fn remove_route(&self, prefix: Prefix) -> Refused<()> {
        let input = channel::encode_route(THIS, PeerSelector::Only, prefix);
        self.set(channel::IOCTL_CHANNEL_REMOVE_ROUTE, &input)
    }

    /// Connects the link.
    ///
    /// # Errors
    /// The status of the request.
    pub fn start(&self) -> Refused<()> {
        self.set(channel::IOCTL_CHANNEL_START, &encode_select(THIS))
    }

    /// Ends everything.
    ///
    /// # Errors
    /// The status of the request.
    pub fn stop(&self) -> Refused<()> {
        self.set(channel::IOCTL_CHANNEL_STOP, &encode_select(THIS))
    }

    /// Has all go with the file.
    ///
    /// # Errors
    /// The status of the request.
    pub fn own(&self) -> Refused<()> {
        self.set(channel::IOCTL_CHANNEL_OWN, &encode_select(THIS))
    }

    /// What it does, and its peers.
    ///
    /// # Panics
    /// When it does not tell.
    #[must_use]
    pub fn query(&self) -> (ChannelInfo, Vec<PeerInfo>) {
        let input = encode_select(THIS);
        let answer = self.call(channel::IOCTL_CHANNEL_QUERY, &input, 1 << 20).expect("an answer");
        let (info, peers) = channel::reply::decode_query(&answer).expect("a whole answer");
        (info, peers.collect())
    }

    /// Where its socket is.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn local(&self) -> SocketAddr {
        self.query().0.local.expect("a socket is bound")
    }

    /// Sends a control datagram.
    ///
    /// # Errors
    /// The status of the request.
    ///
    /// # Panics
    /// When it is too long.
    pub fn send_control(&self, to: Option<SocketAddr>, data: &[u8]) -> Refused<()> {
        let mut record = vec![0; channel::Datagram::SIZE + data.len() + 8];
        let datagram = ControlDatagram { address: to, data };
        let length = channel::encode_datagram(THIS, &datagram, &mut record).expect("room for it");
        self.set(channel::IOCTL_CHANNEL_SEND_CONTROL, &record[..length])
    }

    /// Starts to wait for a control datagram.
    #[must_use]
    pub fn start_read(&self) -> PendingRequest {
        self.0.file.ioctl_async(channel::IOCTL_CHANNEL_READ_CONTROL, &encode_select(THIS), 4096)
    }

    /// Waits for a control datagram.
    ///
    /// # Panics
    /// When none comes.
    #[must_use]
    pub fn read_control(&self) -> (Option<SocketAddr>, Vec<u8>) {
        let completed = self.start_read().wait(Some(TIMEOUT)).expect("a datagram comes");
        assert_eq!(completed.status, 0);
        let record = &completed.output[..completed.information];
        let datagram = channel::reply::decode_datagram(record).expect("a whole record");
        (datagram.address, datagram.data.to_vec())
    }

    /// Waits for an event, not for ever.
    ///
    /// # Panics
    /// When what comes is none.
    #[must_use]
    pub fn event(&self, timeout: Duration) -> Option<channel::reply::StampedEvent> {
        let request = encode_select(THIS);
        let pending = self.0.file.ioctl_async(channel::IOCTL_CHANNEL_READ_EVENT, &request, 4096);
        let completed = pending.wait(Some(timeout)).or_else(|| {
            pending.cancel();
            pending.wait(Some(TIMEOUT)).filter(|completed| completed.status == 0)
        })?;
        assert_eq!(completed.status, 0);
        let record = &completed.output[..completed.information];
        Some(channel::reply::decode_event(record).expect("a record").expect("a known event"))
    }
}

/// The secrets of a tunnel, and what they are for.
#[derive(Clone, Copy, Debug)]
pub struct TestKeys {
    /// All bytes of the secrets differ by this.
    pub seed: u8,
    /// The AEAD.
    pub suite: Suite,
    /// They are secrets of epoch 1.
    pub is_epoch: bool,
    /// The id on packets.
    pub key_id: u8,
}

impl TestKeys {
    /// Puts them into a slot. One end is told its id on the other's packets, and the other has
    /// none: that tells them apart.
    ///
    /// # Errors
    /// The status of the request.
    pub fn install(
        &self,
        end: &Channel<'_>,
        peer: PeerSelector,
        slot: Slot,
        transmit_id: Option<u32>,
    ) -> Refused<()> {
        let secrets = [0, 1].map(|way: u8| [self.seed ^ (way + 1); 32]);
        let tails = [0, 1].map(|way: u8| [self.seed ^ (way + 3); 8]);
        let length = self.suite.key_bytes();
        let direction =
            |way: usize| DirectionKey { key: &secrets[way][..length], nonce_tail: &tails[way] };
        let (seal, open) = if transmit_id.is_some() { (0, 1) } else { (1, 0) };
        let material = if self.is_epoch {
            KeyMaterial::Epoch { encrypt: &secrets[seal], decrypt: &secrets[open] }
        } else {
            KeyMaterial::Fixed { encrypt: direction(seal), decrypt: direction(open) }
        };
        end.install_key(&InstallKey {
            peer,
            slot,
            key_id: self.key_id,
            suite: self.suite,
            material,
            transmit_id,
            packet_limit: None,
        })
    }
}

/// A peer over UDP without addresses in the tunnel.
#[must_use]
pub fn peer_at(remote: SocketAddr) -> NewPeer {
    NewPeer {
        receive_id: None,
        transmit_id: None,
        transport: Transport::Udp,
        local: None,
        remote,
        vpn4: None,
        vpn6: None,
    }
}

/// A peer of multi-peer mode.
#[must_use]
pub fn multi_peer(id: u32, remote: SocketAddr, vpn4: Ipv4Addr, vpn6: Ipv6Addr) -> NewPeer {
    NewPeer {
        receive_id: Some(id),
        transmit_id: Some(id),
        vpn4: Some(vpn4),
        vpn6: Some(vpn6),
        ..peer_at(remote)
    }
}
