//! A driver that consists of its configuration only.

mod file;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use tunic::status::{
    STATUS_ADDRESS_ALREADY_EXISTS, STATUS_BUFFER_OVERFLOW, STATUS_INVALID_DEVICE_REQUEST,
    STATUS_INVALID_PARAMETER,
};
use tunic::{IoctlReply, Key, Transport};
use tunic_ioctl::native::reply::{AdapterEncoder, AdapterInfo};
use tunic_ioctl::{
    Abi, AdapterId, AdapterState, Command, ConfigurationEncoder, Configure, Encoded, InterfaceInfo,
    KeyChange, PeerAction, PeerInfo, decode,
};

/// A port that is in use.
pub(crate) const TAKEN_PORT: u16 = 9;

#[derive(Default)]
pub(crate) struct MemoryDriver {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// It can't be opened.
    is_locked: bool,
    is_up: bool,
    listen_port: u16,
    private_key: Option<[u8; 32]>,
    peers: Vec<Peer>,
}

struct Peer {
    public_key: [u8; 32],
    preshared_key: Option<[u8; 32]>,
    endpoint: Option<SocketAddr>,
    persistent_keepalive_s: u16,
    allowed_ips: Vec<(IpAddr, u8)>,
}

impl MemoryDriver {
    /// Refuses whoever opens it.
    pub(crate) fn lock(&self) {
        self.state.lock().unwrap().is_locked = true;
    }
}

impl Transport for MemoryDriver {
    fn ioctl(&self, code: u32, input: &[u8], output: &mut [u8]) -> io::Result<IoctlReply> {
        let mut state = self.state.lock().unwrap();
        let in_direct = code == tunic_ioctl::wireguard_nt::IOCTL_SET;
        let request = if in_direct { &*output } else { input };
        let (status, information) = match decode(code, request).map(|request| request.command) {
            Ok(Command::Configure(configure)) if configure.listen_port == Some(TAKEN_PORT) => {
                (STATUS_ADDRESS_ALREADY_EXISTS, 0)
            }
            Ok(Command::Configure(configure)) => {
                state.configure(&configure);
                (0, if in_direct { configure.consumed_bytes() } else { 0 })
            }
            Ok(Command::QueryConfiguration(Abi::Native)) => complete(state.encode(output)),
            Ok(Command::QueryAdapter) => {
                let mut encoder = AdapterEncoder::new(output);
                encoder.adapter(&state.info());
                complete(encoder.finish())
            }
            Ok(Command::SetState(wanted)) => {
                state.is_up = wanted == AdapterState::Up;
                (0, 0)
            }
            Ok(_) => (STATUS_INVALID_DEVICE_REQUEST, 0),
            Err(_) => (STATUS_INVALID_PARAMETER, 0),
        };
        Ok(IoctlReply { status, information: information as u64 })
    }
}

/// Status and size of a native answer: it is cut behind its last whole record.
fn complete(encoded: Encoded) -> (u32, usize) {
    let status = if encoded.is_complete() { 0 } else { STATUS_BUFFER_OVERFLOW };
    (status, encoded.written_bytes)
}

impl State {
    fn configure(&mut self, configure: &Configure<'_>) {
        if let Some(port) = configure.listen_port {
            self.listen_port = port;
        }
        if configure.replace_peers {
            self.peers.clear();
        }
        if let Some(change) = configure.private_key {
            self.private_key = key(change);
        }
        for change in configure.peers() {
            let position = self.peers.iter().position(|peer| &peer.public_key == change.public_key);
            let index = match (position, change.action) {
                (Some(index), PeerAction::Remove) => {
                    self.peers.remove(index);
                    continue;
                }
                (Some(index), _) => index,
                (None, PeerAction::CreateOrUpdate) => {
                    self.peers.push(Peer {
                        public_key: *change.public_key,
                        preshared_key: None,
                        endpoint: None,
                        persistent_keepalive_s: 0,
                        allowed_ips: Vec::new(),
                    });
                    self.peers.len() - 1
                }
                (None, _) => continue,
            };
            for network in change.allowed_ips() {
                let network = (network.address, network.prefix_length);
                for (other, peer) in self.peers.iter_mut().enumerate() {
                    if other != index {
                        peer.allowed_ips.retain(|known| *known != network);
                    }
                }
            }
            let peer = &mut self.peers[index];
            if let Some(change) = change.preshared_key {
                peer.preshared_key = key(change);
            }
            peer.endpoint = change.endpoint.or(peer.endpoint);
            peer.persistent_keepalive_s =
                change.persistent_keepalive_s.unwrap_or(peer.persistent_keepalive_s);
            if change.replace_allowed_ips {
                peer.allowed_ips.clear();
            }
            for change in change.allowed_ips() {
                let network = (change.address, change.prefix_length);
                peer.allowed_ips.retain(|known| *known != network);
                if !change.remove {
                    peer.allowed_ips.push(network);
                }
            }
        }
    }

    fn info(&self) -> AdapterInfo<'static> {
        AdapterInfo {
            adapter: AdapterId::default(),
            luid: 0,
            mtu_bytes: 1420,
            protocol: tunic_ioctl::protocol::WIREGUARD.number,
            state: if self.is_up { AdapterState::Up } else { AdapterState::Down },
            is_connected: self.is_up,
            listen_port: self.listen_port,
            peers_count: u32::try_from(self.peers.len()).unwrap(),
            name: b"wg0",
        }
    }

    fn encode(&self, output: &mut [u8]) -> Encoded {
        let public_key = self.private_key.map(|key| *Key::from_bytes(key).public().as_bytes());
        let interface = InterfaceInfo {
            listen_port: Some(self.listen_port),
            private_key: self.private_key.as_ref(),
            public_key: public_key.as_ref(),
            ..InterfaceInfo::default()
        };
        let mut encoder = ConfigurationEncoder::new(Abi::Native, output, &interface);
        for peer in &self.peers {
            encoder.peer(&PeerInfo {
                public_key: &peer.public_key,
                preshared_key: peer.preshared_key.as_ref(),
                endpoint: peer.endpoint,
                persistent_keepalive_s: peer.persistent_keepalive_s,
                tx_bytes: 1,
                rx_bytes: 2,
                last_handshake_filetime: 116_444_736_010_000_007,
            });
            for (address, prefix_length) in &peer.allowed_ips {
                encoder.allowed_ip(*address, *prefix_length);
            }
        }
        encoder.finish()
    }
}

fn key(change: KeyChange<'_>) -> Option<[u8; 32]> {
    match change {
        KeyChange::Set(key) => Some(*key),
        KeyChange::Clear => None,
    }
}
