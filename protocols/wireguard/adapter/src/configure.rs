//! Queries and changes the configuration of an adapter. A change applies completely or not at all.
//!
//! A change has two steps. The first allocates everything that can fail: sockets on a new port, new
//! peers, room for routes. The second applies the records in order and cannot fail.

use alloc::vec::Vec;

use nic_engine::nic::NewPeer;
use nic_engine::protocol::PeerId;
use nic_engine::routes::Prefix;
use nic_engine::{ControlHost, Endpoint};
use nic_memory::Push;
use nic_miniport::adapter::{Nt, Sink};
use nic_miniport::status::Refusal;
use nic_miniport::time;
use nic_wireguard::configure::{self as wireguard, NewPeerError};
use nic_wireguard::{Control as ProtocolControl, Identity, TimerConstants, WireGuard};
use nt::pool::PoolBytes;
use nt::{Shared, Status};
use tunic_ioctl::{
    Abi, ConfigurationEncoder, Configure, Encoded, InterfaceInfo, KeyChange, PeerAction,
    PeerChange, PeerInfo,
};
use zeroize::Zeroizing;

use crate::{Adapter, Config, State, WireGuardAdapter};

type Peer = NewPeer<WireGuard, Nt<WireGuardAdapter>>;

/// Changes the configuration.
///
/// # IRQL
/// `PASSIVE_LEVEL`
pub(super) fn apply(adapter: &Shared<Adapter>, change: &Configure<'_>) -> Result<(), Refusal> {
    let mut state = adapter.state.lock();
    if state.is_removed {
        return Err(Status::DEVICE_REMOVED.into());
    }
    let port = change.listen_port.filter(|port| !is_current_port(adapter, &state, *port));
    let sockets = match port {
        Some(port) if state.is_up => Some(Adapter::bind(adapter, port)?),
        _ => None,
    };
    let mut sink = Sink::new(adapter);
    adapter.nic.configure(time::now(), &mut sink, |config| {
        let prepared = Prepared::new(config, change)?;
        commit(config, change, prepared, &state, port.is_some());
        Ok::<(), Refusal>(())
    })?;
    if let Some(port) = port {
        state.settings.listen_port = port;
    }
    // The old sockets are closed last, when nothing can fail any more.
    if let Some(sockets) = sockets {
        adapter.sockets.replace(Some(sockets));
    }
    drop(state);
    sink.perform();
    adapter.handle.transmit.flush();
    adapter.control.wake();
    Ok(())
}

/// The current configuration, truncated to `room_bytes`.
///
/// # IRQL
/// `PASSIVE_LEVEL`
pub(super) fn query(
    adapter: &Shared<Adapter>,
    abi: Abi,
    room_bytes: usize,
) -> Result<(PoolBytes, Encoded), Refusal> {
    let requested_port = adapter.state.lock().settings.listen_port;
    let port = adapter.sockets.port().or((requested_port != 0).then_some(requested_port));
    let mut sink = Sink::new(adapter);
    adapter.nic.configure(time::now(), &mut sink, |config| {
        // Measured first, so that a large output buffer does not cause an equal allocation.
        let size = encode(adapter, config, abi, port, &mut []).required_bytes;
        let bytes = usize::try_from(size).unwrap_or(usize::MAX).min(room_bytes);
        let mut answer = PoolBytes::zeroed(bytes)?;
        let encoded = encode(adapter, config, abi, port, &mut answer);
        Ok((answer, encoded))
    })
}

/// Scales the protocol's timers, where the registry allows tests to.
pub(super) fn scale_timers(adapter: &Shared<Adapter>, permille: u32) -> Result<(), Refusal> {
    if !adapter.allows_test_timers {
        return Err(Status::ACCESS_DENIED.into());
    }
    let constants = match 1000_u32.checked_div(permille) {
        Some(divisor @ 2..) => TimerConstants::shortened(divisor),
        _ => TimerConstants::PAPER,
    };
    let mut sink = Sink::new(adapter);
    adapter.nic.configure(time::now(), &mut sink, |config| {
        config.with_protocol(|control, host| {
            wireguard::set_timer_constants(control, host, constants);
        });
    });
    sink.perform();
    adapter.control.wake();
    Ok(())
}

/// Whether the adapter has this port; while it is down, whether it is the configured one.
fn is_current_port(adapter: &Adapter, state: &State, port: u16) -> bool {
    // While the adapter is up, a request for any port selects a new one, as in WireGuardNT.
    if state.is_up {
        port != 0 && adapter.sockets.port() == Some(port)
    } else {
        state.settings.listen_port == port
    }
}

/// The results of the first step of a change.
struct Prepared {
    /// For each peer record in order: the new peer, if one may have to be added.
    new_peers: Vec<Option<Peer>>,
    /// The change replaces the private key.
    changes_key: bool,
}

impl Prepared {
    fn new(config: &mut Config<'_>, change: &Configure<'_>) -> Result<Self, Refusal> {
        let changes_key = changes_key(config, change);
        // A peer that is added together with a new key derives its secrets when the key is set.
        let keyless = ProtocolControl::new(*config.protocol().constants());
        let removes_some =
            change.replace_peers || change.peers().any(|peer| peer.action == PeerAction::Remove);
        let mut new_peers = Vec::new();
        let (mut peers, mut v4_prefixes, mut v6_prefixes) = (0_usize, 0_usize, 0_usize);
        for peer in change.peers() {
            for allowed_ip in peer.allowed_ips().filter(|allowed_ip| !allowed_ip.remove) {
                let count =
                    if allowed_ip.address.is_ipv4() { &mut v4_prefixes } else { &mut v6_prefixes };
                *count = count.saturating_add(1);
            }
            let may_be_new = peer.action == PeerAction::CreateOrUpdate
                && (removes_some || config.peer_by_name(peer.public_key).is_none());
            let new_peer = if may_be_new {
                peers = peers.saturating_add(1);
                make_peer(config, changes_key.then_some(&keyless), &peer)?
            } else {
                None
            };
            new_peers.try_push(new_peer)?;
        }
        config.reserve(peers, v4_prefixes, v6_prefixes)?;
        Ok(Self { new_peers, changes_key })
    }
}

fn changes_key(config: &mut Config<'_>, change: &Configure<'_>) -> bool {
    let current = config.protocol().identity().map(Identity::private_key);
    match (change.private_key, current) {
        (None, _) | (Some(KeyChange::Clear), None) => false,
        // In constant time, because the values are keys.
        (Some(KeyChange::Set(new)), Some(current)) => {
            new.iter().zip(current).fold(0_u8, |difference, (a, b)| difference | (a ^ b)) != 0
        }
        _ => true,
    }
}

/// Creates a peer; `None` for one with the adapter's own key, which is skipped.
#[inline(never)]
fn make_peer(
    config: &mut Config<'_>,
    keyless: Option<&ProtocolControl>,
    peer: &PeerChange<'_>,
) -> Result<Option<Peer>, Refusal> {
    let preshared_key = match peer.preshared_key {
        Some(KeyChange::Set(key)) => key,
        Some(KeyChange::Clear) | None => &[0; 32],
    };
    let control = keyless.unwrap_or_else(|| config.protocol());
    let (control, data) = match wireguard::new_peer(control, peer.public_key, preshared_key) {
        Ok(made) => made,
        Err(NewPeerError::OwnKey) => return Ok(None),
        Err(_) => return Err(Refusal::NoMemory),
    };
    Ok(Some(NewPeer::new(*peer.public_key, control, data)?))
}

/// The second step of a change.
fn commit(
    config: &mut Config<'_>,
    change: &Configure<'_>,
    mut prepared: Prepared,
    state: &State,
    changes_port: bool,
) {
    if changes_port {
        config.with_protocol(|_, host| forget_local_addresses(host));
    }
    if change.replace_peers {
        while let Some(peer) = config.next_peer(None) {
            config.remove_peer(peer);
        }
    }
    for (peer, new_peer) in change.peers().zip(prepared.new_peers.iter_mut()) {
        commit_peer(config, &peer, new_peer.take(), state);
    }
    if !prepared.changes_key {
        return;
    }
    let key = match change.private_key {
        Some(KeyChange::Set(key)) => Some(key),
        Some(KeyChange::Clear) | None => None,
    };
    let own = config.with_protocol(|control, host| wireguard::set_private_key(control, host, key));
    if let Some(own) = own {
        config.remove_peer(own);
    }
}

fn commit_peer(
    config: &mut Config<'_>,
    change: &PeerChange<'_>,
    new_peer: Option<Peer>,
    state: &State,
) {
    let known = config.peer_by_name(change.public_key);
    if change.action == PeerAction::Remove {
        if let Some(peer) = known {
            config.remove_peer(peer);
        }
        return;
    }
    let peer = match (known, new_peer) {
        (Some(peer), _) => peer,
        (None, Some(new_peer)) => match config.add_peer(new_peer) {
            Ok(peer) => peer,
            Err(_) => return,
        },
        // An update of an unknown peer, or the adapter's own key.
        (None, None) => return,
    };
    match change.preshared_key {
        Some(KeyChange::Set(key)) => set_preshared_key(config, peer, key),
        Some(KeyChange::Clear) => set_preshared_key(config, peer, &[0; 32]),
        None => {}
    }
    if let Some(remote) = change.endpoint {
        config.set_endpoint(peer, Endpoint::new(remote));
    }
    if change.replace_allowed_ips {
        config.clear_routes(peer);
    }
    for allowed_ip in change.allowed_ips() {
        let prefix = Prefix { address: allowed_ip.address, length: allowed_ip.prefix_length };
        if allowed_ip.remove {
            config.remove_route(peer, prefix);
        } else {
            // The room is reserved, and the decoder has checked the length.
            let _ = config.add_route(peer, prefix);
        }
    }
    let now = config.now();
    let adapter_state =
        if state.is_up { wireguard::AdapterState::Up } else { wireguard::AdapterState::Down };
    if let Some(interval_s) = change.persistent_keepalive_s {
        config.with_protocol(|_, host| {
            wireguard::set_persistent_keepalive(host, peer, interval_s, adapter_state, now.instant);
        });
    }
    if state.is_up {
        config.with_protocol(|_, host| host.send_queued(peer));
    }
}

fn set_preshared_key(config: &mut Config<'_>, peer: PeerId, key: &[u8; 32]) {
    config.with_protocol(|_, host| wireguard::set_preshared_key(host, peer, key));
}

fn forget_local_addresses(host: &mut dyn ControlHost<WireGuard>) {
    let mut last = None;
    while let Some(peer) = host.next_peer(last) {
        host.clear_local_address(peer);
        last = Some(peer);
    }
}

fn encode(
    adapter: &Adapter,
    config: &mut Config<'_>,
    abi: Abi,
    listen_port: Option<u16>,
    output: &mut [u8],
) -> Encoded {
    let identity = config.protocol().identity();
    let interface = InterfaceInfo {
        adapter: adapter.id,
        listen_port,
        private_key: identity.map(Identity::private_key),
        public_key: identity.map(|identity| identity.public_key().as_bytes()),
    };
    let mut encoder = ConfigurationEncoder::new(abi, output, &interface);
    let mut last = None;
    while let Some(peer) = config.next_peer(last) {
        last = Some(peer);
        encode_peer(config, peer, &mut encoder);
    }
    encoder.finish()
}

fn encode_peer(config: &mut Config<'_>, peer: PeerId, encoder: &mut ConfigurationEncoder<'_>) {
    let Some(public_key) = config.name(peer).copied() else { return };
    let (preshared_key, latest_handshake) = match config.peer_control(peer) {
        Some(control) => (Zeroizing::new(*control.preshared_key()), control.latest_handshake()),
        None => return,
    };
    let mut keepalive = None;
    config.with_peer_data(peer, |data| keepalive = data.persistent_keepalive());
    let counters = config.peer_counters(peer).unwrap_or_default();
    encoder.peer(&PeerInfo {
        public_key: &public_key,
        preshared_key: Some(&preshared_key),
        endpoint: config.endpoint(peer).map(|endpoint| endpoint.remote),
        persistent_keepalive_s: keepalive
            .map_or(0, |interval| u16::try_from(interval.as_secs()).unwrap_or(u16::MAX)),
        tx_bytes: counters.sent_bytes,
        rx_bytes: counters.received_bytes,
        last_handshake_filetime: latest_handshake.map_or(0, time::filetime),
    });
    config.for_each_route(peer, &mut |prefix| encoder.allowed_ip(prefix.address, prefix.length));
}
