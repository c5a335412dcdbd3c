//! What the management interface may change. All under the control lock.

use core::time::Duration;

use nic_crypto::x25519::PublicKey;
use nic_engine::protocol::{ControlHost, PeerId};
use nic_engine::{Instant, NoMemory};
use subtle::ConstantTimeEq;

use crate::{Control, Identity, PeerControl, PeerData, TimerConstants, WireGuard, handshake};

type Host<'a> = dyn ControlHost<WireGuard> + 'a;

/// Why a peer can't be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NewPeerError {
    /// The caller's fault: it is our own key.
    OwnKey,
    /// Memory ran out.
    NoMemory,
}

/// Sets or (`None`) clears the adapter's private key. All sessions end, and what waits for a key
/// asks for a new handshake. Nothing happens where the key is the same as before.
///
/// Gives back the peer whose key is now our own, if any: the caller must remove it.
#[must_use = "a peer with our own key must be removed"]
pub fn set_private_key(
    control: &mut Control,
    host: &mut Host<'_>,
    private_key: Option<&[u8; 32]>,
) -> Option<PeerId> {
    let identity = private_key.map(Identity::new);
    let is_same = match (&control.identity, &identity) {
        (Some(old), Some(new)) => bool::from(old.private_key().ct_eq(new.private_key())),
        (None, None) => true,
        _ => false,
    };
    if is_same {
        return None;
    }
    control.set_identity(identity);

    let mut cursor = None;
    while let Some(peer) = host.next_peer(cursor) {
        cursor = Some(peer);
        handshake::erase(host, peer);
        if let Some(state) = host.peer_control(peer) {
            state.agree(control.identity.as_ref());
        }
        host.with_peer_data(peer, &mut |data| data.timers.restart());
        if control.identity.is_some() {
            host.send_queued(peer);
        }
    }
    let own_key = control.identity.as_ref()?.public_key();
    host.peer_by_name(own_key.as_bytes())
}

/// Makes a peer; all zeros stand for no pre-shared key.
pub fn new_peer(
    control: &Control,
    public_key: &[u8; 32],
    preshared_key: &[u8; 32],
) -> Result<(PeerControl, PeerData), NewPeerError> {
    let public_key = PublicKey(*public_key);
    if control.identity().is_some_and(|identity| *identity.public_key() == public_key) {
        return Err(NewPeerError::OwnKey);
    }
    let peer = PeerControl::new(control, public_key, preshared_key);
    let data = PeerData::new(control.constants).map_err(|NoMemory| NewPeerError::NoMemory)?;
    Ok((peer, data))
}

/// Sets a peer's pre-shared key, for handshakes from now on; all zeros stand for none.
pub fn set_preshared_key(host: &mut Host<'_>, peer: PeerId, preshared_key: &[u8; 32]) {
    if let Some(state) = host.peer_control(peer) {
        *state.preshared_key = *preshared_key;
    }
}

/// Sets the interval in seconds of a peer's persistent keepalives; 0 for none. Where there was none
/// and the adapter is up, one is sent at once.
pub fn set_persistent_keepalive(
    host: &mut Host<'_>,
    peer: PeerId,
    interval_s: u16,
    state: AdapterState,
    now: Instant,
) {
    let interval = (interval_s > 0).then(|| Duration::from_secs(u64::from(interval_s)));
    let mut was_off = false;
    host.with_peer_data(peer, &mut |data| {
        was_off = data.timers.persistent_keepalive().is_none();
        data.timers.set_persistent_keepalive(interval);
        if state == AdapterState::Up {
            data.timers.arm_persistent(now);
        }
    });
    if state == AdapterState::Up && was_off && interval.is_some() {
        host.send_keepalive(peer);
    }
}

/// Whether the adapter carries packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdapterState {
    /// It doesn't.
    Down,
    /// It does.
    Up,
}

/// The adapter has come up: sends what waits, and the persistent keepalives.
pub fn start(host: &mut Host<'_>) {
    let mut cursor = None;
    while let Some(peer) = host.next_peer(cursor) {
        cursor = Some(peer);
        host.send_queued(peer);
        let mut is_persistent = false;
        host.with_peer_data(peer, &mut |data| {
            is_persistent = data.timers.persistent_keepalive().is_some();
        });
        if is_persistent {
            host.send_keepalive(peer);
        }
    }
}

/// The adapter goes down: all sessions end, all timers stop.
pub fn stop(host: &mut Host<'_>) {
    let mut cursor = None;
    while let Some(peer) = host.next_peer(cursor) {
        cursor = Some(peer);
        handshake::erase(host, peer);
        host.with_peer_data(peer, &mut |data| data.timers.stop());
    }
}

/// Replaces the protocol's constants, for peers that there are and those to come: tests don't wait
/// for the paper's. Times that are running already run on.
pub fn set_timer_constants(control: &mut Control, host: &mut Host<'_>, constants: TimerConstants) {
    control.constants = constants;
    let mut cursor = None;
    while let Some(peer) = host.next_peer(cursor) {
        cursor = Some(peer);
        host.with_peer_data(peer, &mut |data| data.timers.constants = constants);
    }
}

/// When a handshake with the peer completed last, since 1970-01-01 UTC.
pub fn latest_handshake(host: &mut Host<'_>, peer: PeerId) -> Option<Duration> {
    host.peer_control(peer)?.latest_handshake()
}
