//! A Tunic adapter as a server's data path: many peers on one socket.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tunic::UnixTransport;
use tunic::data_channel::{
    self as sdk, ControlDatagram, EventKind, KeyMaterial, Listen, Mode, PeerSelector,
    PeerTransport, Prefix, SetPeer,
};

use crate::Suite;
use crate::data_channel::{
    DataChannel, DataEvent, DataFormat, InstallKey, NewPeer, PeerChange, PeerStatistics, Slot,
};
use crate::keys::DirectionKey;

/// An adapter that `tunicd --protocol openvpn` serves, in multi-peer mode.
pub struct Adapter(tunic::DataChannel<UnixTransport>);

impl Adapter {
    /// Opens the adapter of this name, and leaves nothing of what another program may have left in it.
    ///
    /// # Errors
    ///
    /// When there is none, or it speaks another protocol.
    pub fn open(name: &str) -> io::Result<Self> {
        let channel = tunic::DataChannel::open(name).map_err(io::Error::other)?;
        channel.stop().map_err(io::Error::other)?;
        channel.set_mode(Mode::MultiPeer).map_err(io::Error::other)?;
        Ok(Self(channel))
    }
}

impl DataChannel for Adapter {
    fn bind(&self, local: SocketAddr) -> io::Result<SocketAddr> {
        self.0.listen(&Listen { local, v6_only: false }).map_err(io::Error::other)
    }

    fn new_peer(&self, peer: &NewPeer) -> io::Result<()> {
        let peer = sdk::NewPeer {
            receive_id: Some(peer.receive_id),
            transmit_id: Some(peer.send_id),
            transport: PeerTransport::Udp,
            local: None,
            remote: peer.remote,
            vpn4: peer.address_v4,
            vpn6: peer.address_v6,
        };
        self.0.new_peer(&peer).map_err(io::Error::other)
    }

    fn delete_peer(&self, receive_id: u32) -> io::Result<()> {
        self.0.delete_peer(PeerSelector::Id(receive_id)).map_err(io::Error::other)
    }

    fn set_peer(&self, receive_id: u32, change: &PeerChange) -> io::Result<()> {
        // An interval that does not fit is as good as none.
        let seconds = |time: Duration| u32::try_from(time.as_secs()).unwrap_or(0);
        let change = SetPeer {
            peer: PeerSelector::Id(receive_id),
            keepalive_s: change.keepalive_interval.map(seconds),
            timeout_s: change.keepalive_timeout.map(seconds),
            mss_bytes: change.mss_bytes,
        };
        self.0.set_peer(&change).map_err(io::Error::other)
    }

    fn install_key(&self, receive_id: u32, key: &InstallKey) -> io::Result<()> {
        let (send, receive) = (&key.keys.send, &key.keys.receive);
        let length = key.suite.key_bytes();
        let material = match key.format {
            DataFormat::Epoch => KeyMaterial::Epoch { encrypt: &send.key, decrypt: &receive.key },
            DataFormat::Classic => {
                KeyMaterial::Fixed { encrypt: cut(send, length), decrypt: cut(receive, length) }
            }
        };
        let key = sdk::InstallKey {
            peer: PeerSelector::Id(receive_id),
            slot: slot(key.slot),
            key_id: key.key_id,
            suite: match key.suite {
                Suite::Aes128Gcm => sdk::Suite::Aes128Gcm,
                Suite::Aes192Gcm => sdk::Suite::Aes192Gcm,
                Suite::Aes256Gcm => sdk::Suite::Aes256Gcm,
                Suite::ChaCha20Poly1305 => sdk::Suite::ChaCha20Poly1305,
            },
            material,
            transmit_id: None,
            packet_limit: None,
        };
        self.0.install_key(&key).map_err(io::Error::other)
    }

    fn swap_keys(&self, receive_id: u32) -> io::Result<()> {
        self.0.swap_keys(PeerSelector::Id(receive_id)).map_err(io::Error::other)
    }

    fn delete_key(&self, receive_id: u32, which: Slot) -> io::Result<()> {
        self.0.delete_key(PeerSelector::Id(receive_id), slot(which)).map_err(io::Error::other)
    }

    fn add_route(&self, receive_id: u32, address: IpAddr, length: u8) -> io::Result<()> {
        let prefix = Prefix { address, length };
        self.0.add_route(PeerSelector::Id(receive_id), prefix).map_err(io::Error::other)
    }

    fn remove_route(&self, _: u32, address: IpAddr, length: u8) -> io::Result<()> {
        self.0.remove_route(Prefix { address, length }).map_err(io::Error::other)
    }

    fn statistics(&self, receive_id: u32) -> io::Result<PeerStatistics> {
        let (_, peers) = self.0.status().map_err(io::Error::other)?;
        let peer = peers.into_iter().find(|peer| peer.receive_id == Some(receive_id));
        let traffic = peer.ok_or(io::ErrorKind::NotFound)?.traffic;
        Ok(PeerStatistics {
            rx_packets: traffic.rx_packets,
            rx_bytes: traffic.vpn_rx_bytes,
            tx_packets: traffic.tx_packets,
            tx_bytes: traffic.vpn_tx_bytes,
        })
    }

    fn start(&self) -> io::Result<()> {
        self.0.start().map_err(io::Error::other)
    }

    fn stop(&self) -> io::Result<()> {
        self.0.stop().map_err(io::Error::other)
    }

    fn send_control(&self, to: SocketAddr, data: &[u8]) -> io::Result<()> {
        let datagram = ControlDatagram { address: Some(to), data };
        self.0.send_control(&datagram).map_err(io::Error::other)
    }

    fn receive_control(&self) -> io::Result<(SocketAddr, Vec<u8>)> {
        loop {
            let received = self.0.receive_control(None).map_err(io::Error::other)?;
            let received = received.ok_or(io::ErrorKind::TimedOut)?;
            if let Some(from) = received.from {
                return Ok((from, received.data));
            }
        }
    }

    fn next_event(&self) -> io::Result<DataEvent> {
        loop {
            let event = self.0.next_event(None).map_err(io::Error::other)?;
            let event = event.ok_or(io::ErrorKind::TimedOut)?.event;
            let Some(receive_id) = event.peer else { continue };
            return Ok(match event.kind {
                EventKind::KeyWanted => DataEvent::KeyWanted { receive_id },
                EventKind::UsageLimitNear => DataEvent::LimitNear { receive_id },
                EventKind::TimedOut => DataEvent::TimedOut { receive_id },
                EventKind::Floated(remote) => DataEvent::Floated { receive_id, remote },
                EventKind::Deleted(_) => DataEvent::Deleted { receive_id },
            });
        }
    }
}

/// As much of a direction's key as the cipher takes.
fn cut(direction: &DirectionKey, length: usize) -> sdk::DirectionKey<'_> {
    let key = direction.key.get(..length).unwrap_or(&direction.key);
    sdk::DirectionKey { key, nonce_tail: &direction.nonce_tail }
}

fn slot(slot: Slot) -> sdk::Slot {
    match slot {
        Slot::Primary => sdk::Slot::Primary,
        Slot::Secondary => sdk::Slot::Secondary,
    }
}
