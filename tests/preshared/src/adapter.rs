//! The adapter half of the protocol.
//!
//! Keys are configured by the native ABI. The name of the adapter is the public key of its private
//! key, and so are the names of its peers. The secret of two adapters is the preshared key.

use alloc::vec::Vec;

use nic_crypto::x25519::{StaticSecret, public_key};
use nic_engine::nic::NewPeer;
use nic_engine::protocol::Event;
use nic_engine::routes::Prefix;
use nic_engine::{Endpoint, PeerName};
use nic_memory::Push;
use nic_miniport::adapter::{self, AdapterProtocol, Keywords, Nt, Sink, receive_control};
use nic_miniport::answer::complete_encoded;
use nic_miniport::status::Refusal;
use nic_miniport::time;
use nt::irp::{Dispatched, Irp};
use nt::pool::PoolBytes;
use nt::wsk::Datagram;
use nt::{Shared, Status};
use tunic_ioctl::{
    Abi, Command, ConfigurationEncoder, Configure, Encoded, InterfaceInfo, KeyChange, PeerAction,
    PeerChange, PeerInfo,
};

use crate::{Control, PeerControl, PeerData, Preshared};

type Adapter = adapter::Adapter<PresharedAdapter>;
type Config<'a> = adapter::Config<'a, PresharedAdapter>;
type Peer = NewPeer<Preshared, Nt<PresharedAdapter>>;

/// The entry of a driver's protocol list.
pub struct PresharedAdapter;

impl AdapterProtocol for PresharedAdapter {
    type Protocol = Preshared;

    const KEYWORD: &'static str = "preshared";
    /// Of the range for third parties.
    const NUMBER: u32 = 0x8000_0001;
    const CAPABILITY: u64 = 0;

    /// The requested port.
    type Settings = u16;
    type Extension = ();
    type Keywords = ();
    type Devices = ();

    fn load() -> nt::Result<()> {
        Ok(())
    }

    fn new_control(_keywords: &Keywords) -> Control {
        Control { name: [0; 32], messages: Vec::new() }
    }

    fn new_extension((): &()) -> nt::Result<()> {
        Ok(())
    }

    fn requested_port(port: &u16) -> u16 {
        *port
    }

    fn up(adapter: &Shared<Adapter>) -> Result<Status, Refusal> {
        Adapter::connect(adapter, |state| Adapter::bind(adapter, state.settings), |_| {})
    }

    fn down(adapter: &Shared<Adapter>) -> Result<Status, Refusal> {
        Adapter::disconnect(adapter, |_| {})
    }

    fn scale_timers(_adapter: &Shared<Adapter>, _permille: u32) -> Result<(), Refusal> {
        Err(Status::NOT_SUPPORTED.into())
    }

    fn request(adapter: &Shared<Adapter>, command: Command<'_>, mut irp: Irp) -> Dispatched {
        match command {
            Command::QueryConfiguration(abi) => {
                let result = query(adapter, abi, &mut irp);
                complete_encoded(irp, result)
            }
            Command::Configure(change) => {
                let status =
                    configure(adapter, &change).map_or_else(Refusal::status, |()| Status::SUCCESS);
                irp.complete(status, 0)
            }
            _ => irp.complete(Status::INVALID_DEVICE_REQUEST, 0),
        }
    }

    fn receive_control(adapter: &Shared<Adapter>, datagram: &Datagram<'_>) {
        receive_control(adapter, datagram);
    }

    fn report(_adapter: &Shared<Adapter>, _event: Event) {}
}

/// Changes the configuration. Everything that can fail comes first and changes nothing.
fn configure(adapter: &Shared<Adapter>, change: &Configure<'_>) -> Result<(), Refusal> {
    let mut state = adapter.state.lock();
    if state.is_removed {
        return Err(Status::DEVICE_REMOVED.into());
    }
    if state.is_up && change.listen_port.is_some() {
        return Err(Status::INVALID_DEVICE_STATE.into());
    }
    let mut sink = Sink::new(adapter);
    adapter.nic.configure(time::now(), &mut sink, |config| {
        let new_peers = prepare(config, change)?;
        apply(config, change, new_peers);
        Ok::<(), Refusal>(())
    })?;
    state.settings = change.listen_port.unwrap_or(state.settings);
    drop(state);
    // What the engine wants sent goes out under no lock.
    sink.perform();
    adapter.control.wake();
    Ok(())
}

/// Allocates the new peers and the room for routes.
fn prepare(config: &mut Config<'_>, change: &Configure<'_>) -> Result<Vec<Peer>, Refusal> {
    let mut new_peers = Vec::new();
    let (mut v4_prefixes, mut v6_prefixes) = (0, 0);
    for peer in change.peers() {
        let secret = match peer.preshared_key {
            Some(KeyChange::Set(key)) => *key,
            Some(KeyChange::Clear) | None => [0; 32],
        };
        let control = PeerControl::new(secret);
        new_peers.try_push(NewPeer::new(*peer.public_key, control, PeerData::default())?)?;
        v4_prefixes += peer.allowed_ips().filter(|prefix| prefix.address.is_ipv4()).count();
        v6_prefixes += peer.allowed_ips().filter(|prefix| prefix.address.is_ipv6()).count();
    }
    config.reserve(new_peers.len(), v4_prefixes, v6_prefixes)?;
    Ok(new_peers)
}

fn apply(config: &mut Config<'_>, change: &Configure<'_>, new_peers: Vec<Peer>) {
    if let Some(KeyChange::Set(key)) = change.private_key {
        let name = *public_key(&StaticSecret::from_bytes(*key)).as_bytes();
        config.with_protocol(|control, _| control.name = name);
    }
    if change.replace_peers {
        while let Some(peer) = config.next_peer(None) {
            config.remove_peer(peer);
        }
    }
    for (change, new_peer) in change.peers().zip(new_peers) {
        apply_peer(config, &change, new_peer);
    }
}

/// Adds, replaces or removes a peer. A known peer is replaced, because its keys belong to the old
/// secret.
fn apply_peer(config: &mut Config<'_>, change: &PeerChange<'_>, new_peer: Peer) {
    if let Some(known) = config.peer_by_name(change.public_key) {
        config.remove_peer(known);
    }
    if change.action == PeerAction::Remove {
        return;
    }
    let Ok(peer) = config.add_peer(new_peer) else { return };
    if let Some(remote) = change.endpoint {
        config.set_endpoint(peer, Endpoint::new(remote));
    }
    for allowed_ip in change.allowed_ips() {
        let prefix = Prefix { address: allowed_ip.address, length: allowed_ip.prefix_length };
        // The room is reserved, and the decoder has checked the length.
        let _ = config.add_route(peer, prefix);
    }
}

/// Answers the configuration, truncated to the output buffer.
fn query(adapter: &Shared<Adapter>, abi: Abi, irp: &mut Irp) -> Result<Encoded, Refusal> {
    let port = adapter.sockets.port();
    let mut answer = PoolBytes::zeroed(irp.output_bytes())?;
    let encoded = adapter.nic.configure(time::now(), &mut Sink::new(adapter), |config| {
        let name = config.protocol().name;
        let interface = InterfaceInfo {
            adapter: adapter.id,
            listen_port: port,
            private_key: None,
            public_key: Some(&name),
        };
        let mut encoder = ConfigurationEncoder::new(abi, &mut answer, &interface);
        let mut last = None;
        while let Some(peer) = config.next_peer(last) {
            last = Some(peer);
            let Some(name) = config.name(peer).copied() else { continue };
            encoder.peer(&describe(config, peer, &name));
        }
        encoder.finish()
    });
    irp.write_output(answer.get(..encoded.written_bytes).unwrap_or_default())?;
    Ok(encoded)
}

fn describe<'a>(
    config: &mut Config<'_>,
    peer: nic_engine::protocol::PeerId,
    name: &'a PeerName,
) -> PeerInfo<'a> {
    let counters = config.peer_counters(peer).unwrap_or_default();
    PeerInfo {
        public_key: name,
        preshared_key: None,
        endpoint: config.endpoint(peer).map(|endpoint| endpoint.remote),
        persistent_keepalive_s: 0,
        tx_bytes: counters.sent_bytes,
        rx_bytes: counters.received_bytes,
        last_handshake_filetime: 0,
    }
}
