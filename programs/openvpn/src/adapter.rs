//! The data channel on a Tunic adapter.

use std::io;
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tunic::data_channel::{
    ControlDatagram, DeleteReason, DirectionKey, EventKind, InstallKey as AdapterKey, KeyMaterial,
    Listen, Mode, NewPeer as AdapterPeer, PeerSelector, PeerTransport, Prefix, SetPeer,
};
use tunic::status::STATUS_ACCESS_DENIED;
use tunic::{Error, UnixTransport};

use crate::data_channel::{
    DataChannel, DataEvent, DataEventKind, DataFormat, InstallKey, NewPeer, Peer, PeerChange,
    PeerStatistics, Slot,
};
use crate::options::Network;

/// Limit for a killed owner's file handle to close.
const OWNER_TIMEOUT: Duration = Duration::from_secs(2);

/// An adapter with OpenVPN's data channel, opened through the SDK.
pub struct Adapter {
    channel: tunic::DataChannel<UnixTransport>,
    /// Address of the only peer in point-to-point mode, where control datagrams carry no address.
    only: Mutex<Option<SocketAddr>>,
}

impl Adapter {
    /// Opens the adapter at the other end of a connection, takes ownership, and removes peers that
    /// an earlier owner left. The driver removes our peers when the connection ends, even if we are
    /// killed.
    pub fn over(stream: UnixStream) -> Result<Self, Error> {
        let channel = tunic::DataChannel::new(UnixTransport::over(stream)?);
        let deadline = Instant::now() + OWNER_TIMEOUT;
        loop {
            match channel.own() {
                Err(Error::Refused(STATUS_ACCESS_DENIED)) if Instant::now() < deadline => {
                    thread::park_timeout(Duration::from_millis(10));
                }
                owned => break owned?,
            }
        }
        channel.stop()?;
        Ok(Self { channel, only: Mutex::new(None) })
    }

    fn only(&self) -> MutexGuard<'_, Option<SocketAddr>> {
        self.only.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl DataChannel for Adapter {
    fn connect(&self, local: Option<SocketAddr>, remote: SocketAddr) -> io::Result<()> {
        let peer = AdapterPeer {
            receive_id: None,
            transmit_id: None,
            transport: PeerTransport::Udp,
            local,
            remote,
            vpn4: None,
            vpn6: None,
        };
        self.channel.new_peer(&peer).map_err(io_error)?;
        *self.only() = Some(remote);
        Ok(())
    }

    fn listen(&self, local: SocketAddr) -> io::Result<SocketAddr> {
        self.channel.set_mode(Mode::MultiPeer).map_err(io_error)?;
        self.channel.listen(&Listen { local, v6_only: false }).map_err(io_error)
    }

    fn new_peer(&self, peer: &NewPeer) -> io::Result<()> {
        let peer = AdapterPeer {
            receive_id: Some(peer.receive_id),
            transmit_id: Some(peer.send_id),
            transport: PeerTransport::Udp,
            local: None,
            remote: peer.remote,
            vpn4: peer.address_v4,
            vpn6: peer.address_v6,
        };
        self.channel.new_peer(&peer).map_err(io_error)
    }

    fn delete_peer(&self, peer: Peer) -> io::Result<()> {
        self.channel.delete_peer(selector(peer)).map_err(io_error)
    }

    fn set_peer(&self, peer: Peer, change: &PeerChange) -> io::Result<()> {
        let seconds = |duration: Option<Duration>| {
            duration.map(|duration| u32::try_from(duration.as_secs()).unwrap_or(u32::MAX))
        };
        let change = SetPeer {
            peer: selector(peer),
            keepalive_s: seconds(change.keepalive_interval),
            timeout_s: seconds(change.keepalive_timeout),
            mss_bytes: change.mss_bytes,
        };
        self.channel.set_peer(&change).map_err(io_error)
    }

    fn install_key(&self, peer: Peer, key: &InstallKey, send_id: Option<u32>) -> io::Result<()> {
        let (encrypt, decrypt) = (&key.keys.send, &key.keys.receive);
        let length = key.suite.key_bytes();
        let material = match key.format {
            DataFormat::Classic => KeyMaterial::Fixed {
                encrypt: DirectionKey {
                    key: &encrypt.key[..length],
                    nonce_tail: &encrypt.nonce_tail,
                },
                decrypt: DirectionKey {
                    key: &decrypt.key[..length],
                    nonce_tail: &decrypt.nonce_tail,
                },
            },
            DataFormat::Epoch => {
                KeyMaterial::Epoch { encrypt: &encrypt.key, decrypt: &decrypt.key }
            }
        };
        let key = AdapterKey {
            peer: selector(peer),
            slot: key.slot,
            key_id: key.key_id,
            suite: key.suite,
            material,
            transmit_id: send_id,
            packet_limit: None,
        };
        self.channel.install_key(&key).map_err(io_error)
    }

    fn swap_keys(&self, peer: Peer) -> io::Result<()> {
        self.channel.swap_keys(selector(peer)).map_err(io_error)
    }

    fn delete_key(&self, peer: Peer, slot: Slot) -> io::Result<()> {
        self.channel.delete_key(selector(peer), slot).map_err(io_error)
    }

    fn add_route(&self, receive_id: u32, network: Network) -> io::Result<()> {
        self.channel.add_route(PeerSelector::Id(receive_id), prefix(network)?).map_err(io_error)
    }

    fn remove_route(&self, network: Network) -> io::Result<()> {
        self.channel.remove_route(prefix(network)?).map_err(io_error)
    }

    fn statistics(&self, peer: Peer) -> io::Result<PeerStatistics> {
        let id = match peer {
            Peer::Only => None,
            Peer::Id(id) => Some(id),
        };
        let (_, peers) = self.channel.status().map_err(io_error)?;
        let peer = peers.iter().find(|peer| peer.receive_id == id);
        let traffic = peer.ok_or(io::ErrorKind::NotFound)?.traffic;
        Ok(PeerStatistics {
            rx_packets: traffic.rx_packets,
            rx_bytes: traffic.vpn_rx_bytes,
            tx_packets: traffic.tx_packets,
            tx_bytes: traffic.vpn_tx_bytes,
        })
    }

    fn start(&self) -> io::Result<()> {
        self.channel.start().map_err(io_error)
    }

    fn stop(&self) -> io::Result<()> {
        *self.only() = None;
        self.channel.stop().map_err(io_error)
    }

    fn send_control(&self, to: SocketAddr, datagram: &[u8]) -> io::Result<()> {
        let address = Some(to).filter(|_| self.only().is_none());
        let datagram = ControlDatagram { address, data: datagram };
        self.channel.send_control(&datagram).map_err(io_error)
    }

    fn receive_control(&self) -> io::Result<(SocketAddr, Vec<u8>)> {
        // Without a timeout the call returns a datagram or an error.
        let datagram = self.channel.receive_control(None).map_err(io_error)?;
        let datagram = datagram.ok_or(io::ErrorKind::UnexpectedEof)?;
        let from = datagram.from.or(*self.only()).ok_or(io::ErrorKind::NotConnected)?;
        Ok((from, datagram.data))
    }

    fn next_event(&self) -> io::Result<DataEvent> {
        // A peer that was deleted by us is no news.
        let by_us = EventKind::Deleted(DeleteReason::Userspace);
        let event = loop {
            let event = self.channel.next_event(None).map_err(io_error)?;
            let event = event.ok_or(io::ErrorKind::UnexpectedEof)?.event;
            if event.kind != by_us {
                break event;
            }
        };
        Ok(DataEvent {
            peer: event.peer.map_or(Peer::Only, Peer::Id),
            kind: match event.kind {
                EventKind::KeyWanted => DataEventKind::KeyWanted,
                EventKind::UsageLimitNear => DataEventKind::LimitNear,
                EventKind::TimedOut => DataEventKind::TimedOut,
                EventKind::Floated(remote) => DataEventKind::Floated(remote),
                // In multi-peer mode the driver deletes a peer whose timeout expires.
                EventKind::Deleted(DeleteReason::Expired) => DataEventKind::TimedOut,
                EventKind::Deleted(_) => DataEventKind::Deleted,
            },
        })
    }
}

/// Maps a lost daemon to [`io::ErrorKind::ConnectionAborted`], which no retry can cure.
fn io_error(error: Error) -> io::Error {
    match error {
        Error::Transport(error) => io::Error::new(io::ErrorKind::ConnectionAborted, error),
        error => io::Error::other(error),
    }
}

const fn selector(peer: Peer) -> PeerSelector {
    match peer {
        Peer::Only => PeerSelector::Only,
        Peer::Id(id) => PeerSelector::Id(id),
    }
}

fn prefix(network: Network) -> io::Result<Prefix> {
    Prefix::new(network.address(), network.prefix_length())
        .ok_or_else(|| io::ErrorKind::InvalidInput.into())
}
