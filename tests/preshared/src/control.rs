//! The control plane: a handshake of a request and a reply.

use alloc::vec::Vec;

use nic_crypto::{AeadKey, Suite, blake2s};
use nic_engine::{
    ControlHost, Endpoint, Now,
    nonce_counter::NonceCounter,
    protocol::{ControlPlane, Discard, Event, PeerId, ReceiverId},
    replay_window::ReplayWindow,
};
use nic_memory::{NoMemory, Push, Shared};

use super::{
    Control, PeerData, Preshared, REPEAT, Request, Session,
    message::{self, Reply},
};

type Host<'a> = dyn ControlHost<Preshared> + 'a;

impl ControlPlane<Preshared> for Control {
    fn address_validator(&self) {}

    fn control_message(
        &mut self,
        host: &mut Host<'_>,
        datagram: &[u8],
        from: &Endpoint,
        _now: Now,
    ) {
        let done = if let Some(request) = message::Request::parse(datagram) {
            answer(host, &request, datagram, from)
        } else if let Some(reply) = Reply::parse(datagram) {
            finish(host, &reply, datagram, from)
        } else {
            None
        };
        if done.is_none() {
            host.count(Discard::BadHandshake);
        }
    }

    /// Stores the message; echoes it if it starts with "echo ".
    fn authenticated_message(
        &mut self,
        host: &mut Host<'_>,
        peer: PeerId,
        message: &[u8],
        _from: &Endpoint,
        _now: Now,
    ) {
        // Not stored if memory or the limit is exhausted.
        if self.messages.len() < MAX_MESSAGES
            && let Ok(copy) = copy(message)
        {
            _ = self.messages.try_push(copy);
        }
        if let Some(echo) = message.strip_prefix(b"echo ") {
            host.send_sealed(peer, echo);
        }
    }

    fn timeout(&mut self, host: &mut Host<'_>, peer: PeerId, now: Now) {
        let (mut wants_key, mut wants_keepalive) = (false, false);
        host.with_peer_data(peer, &mut |data| {
            if data.request_at.is_some_and(|at| at <= now.instant) {
                data.request_at = Some(now.instant.after(REPEAT));
                wants_key = true;
            }
            if data.keepalive_at.is_some_and(|at| at <= now.instant) {
                data.keepalive_at = None;
                wants_keepalive = true;
            }
        });
        if wants_keepalive {
            host.send_keepalive(peer);
        }
        if wants_key {
            // If this fails, the timer tries again.
            _ = ask(self, host, peer, now);
        }
    }

    fn peer_removed(&mut self, host: &mut Host<'_>, peer: PeerId) {
        let mut sessions = [None, None];
        host.with_peer_data(peer, &mut |data| sessions = core::mem::take(&mut data.sessions));
        for session in sessions.into_iter().flatten() {
            host.release_receiver(session.ours);
        }
        forget_request(host, peer);
    }
}

/// The maximum number of stored messages.
const MAX_MESSAGES: usize = 16;

fn copy(message: &[u8]) -> Result<Vec<u8>, NoMemory> {
    let mut copy = Vec::new();
    copy.try_reserve_exact(message.len()).map_err(|_| NoMemory)?;
    copy.extend_from_slice(message);
    Ok(copy)
}

/// Sends a request.
fn ask(control: &Control, host: &mut Host<'_>, peer: PeerId, now: Now) -> Option<()> {
    forget_request(host, peer);
    let salt = random(host)?;
    let receiver = host.allocate_receiver(peer)?;
    let state = host.peer_control(peer)?;
    state.request = Some(Request { receiver, salt });
    let time = u64::try_from(now.unix.as_nanos()).ok()?;
    let request = message::Request { receiver, time, name: control.name, salt };
    let bytes = request.emit(&state.secret);
    host.send(peer, &bytes).then_some(())
}

/// Answers a request; `None` if it is not authentic or not new.
fn answer(
    host: &mut Host<'_>,
    request: &message::Request,
    bytes: &[u8],
    from: &Endpoint,
) -> Option<()> {
    let peer = host.peer_by_name(&request.name)?;
    let state = host.peer_control(peer)?;
    if !message::is_authentic(bytes, &state.secret) || request.time <= state.last_request {
        return None;
    }
    state.last_request = request.time;
    let secret = state.secret;
    host.received(peer, bytes.len());
    host.set_endpoint(peer, from);
    let salt = random(host)?;
    let ours = host.allocate_receiver(peer)?;
    let [opening, sealing] = keys(&secret, &request.salt, &salt)?;
    install(host, peer, ours, request.receiver, sealing, opening);
    let reply = Reply { receiver: ours, to: request.receiver, request_salt: request.salt, salt };
    host.send(peer, &reply.emit(&secret)).then_some(())
}

/// Processes the reply to a pending request; `None` if it is not authentic or matches no request.
fn finish(host: &mut Host<'_>, reply: &Reply, bytes: &[u8], from: &Endpoint) -> Option<()> {
    let peer = host.peer_by_receiver(reply.to)?;
    let state = host.peer_control(peer)?;
    let salt = state.request.as_ref().filter(|request| request.receiver == reply.to)?.salt;
    if !message::is_authentic(bytes, &state.secret) || salt != reply.request_salt {
        return None;
    }
    state.request = None;
    let [sealing, opening] = keys(&state.secret, &salt, &reply.salt)?;
    host.received(peer, bytes.len());
    host.set_endpoint(peer, from);
    install(host, peer, reply.to, reply.receiver, sealing, opening);
    Some(())
}

/// Installs keys, and sends the packets that wait for them.
fn install(
    host: &mut Host<'_>,
    peer: PeerId,
    ours: ReceiverId,
    theirs: ReceiverId,
    sealing: Shared<AeadKey>,
    opening: Shared<AeadKey>,
) {
    let mut session = Some(Session {
        ours,
        theirs,
        sealing,
        opening,
        counter: NonceCounter::new(),
        window: ReplayWindow::new(),
    });
    let mut oldest = None;
    host.with_peer_data(peer, &mut |PeerData {
                                        sessions: [current, previous], request_at, ..
                                    }| {
        oldest = previous.take();
        *previous = current.take();
        *current = session.take();
        *request_at = None;
    });
    if let Some(oldest) = oldest {
        host.release_receiver(oldest.ours);
    }
    host.event(Event::HandshakeCompleted(peer));
    host.send_queued(peer);
}

fn forget_request(host: &mut Host<'_>, peer: PeerId) {
    if let Some(request) = host.peer_control(peer).and_then(|state| state.request.take()) {
        host.release_receiver(request.receiver);
    }
}

/// The requester's sealing key and its opening key.
fn keys(secret: &[u8; 32], request: &[u8; 16], reply: &[u8; 16]) -> Option<[Shared<AeadKey>; 2]> {
    let mut salts = [0; 32];
    salts[..16].copy_from_slice(request);
    salts[16..].copy_from_slice(reply);
    let [there, back] = blake2s::hkdf2(secret, &salts);
    let key =
        |bytes: &[u8; 32]| Shared::new(AeadKey::new(Suite::ChaCha20Poly1305, bytes).ok()?).ok();
    Some([key(&there)?, key(&back)?])
}

fn random(host: &mut Host<'_>) -> Option<[u8; 16]> {
    let mut bytes = [0; 16];
    host.fill_random(&mut bytes).then_some(bytes)
}
