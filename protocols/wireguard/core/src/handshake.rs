//! Handshakes (WireGuard paper, sections 5.3 and 5.4): what control messages and passing time do.
//! The control plane.
//!
//! A message is judged in the order of what that costs us: MAC1; under load MAC2 and its address's
//! rate; then agreements. Nothing changes before a message has proven to be good in full.

use nic_crypto::x25519::{PublicKey, StaticSecret};
use nic_engine::protocol::{
    AddressValidation, AddressValidator, ControlHost, ControlPlane, Discard, Event, PeerId,
    ReceiverId,
};
use nic_engine::{Endpoint, Instant, Now};
use zeroize::Zeroizing;

use crate::cookie::{MacValidator, Proof};
use crate::keypair::{Keypair, Retired, Role};
use crate::message::{CookieReply, Initiation, Message, RESPONSE_BYTES, Response};
use crate::noise::{HandshakeError, IdentifiedInitiation, PROLOGUE, SessionKeys};
use crate::peer::PeerData;
use crate::timers::Due;
use crate::timestamp::{TIMESTAMP_BYTES, Timestamp};
use crate::{Control, WireGuard};

type Host<'a> = dyn ControlHost<WireGuard> + 'a;

impl AddressValidator for MacValidator {
    /// Verifies the authenticators of a handshake message. A cookie reply has none: it answers a
    /// message of ours, by a receiver index that only the receiver of that message knows.
    fn validate(
        &self,
        datagram: &[u8],
        from: &Endpoint,
        is_assigned: &dyn Fn(ReceiverId) -> bool,
        now: Instant,
    ) -> Result<AddressValidation, Discard> {
        match Message::parse(datagram) {
            Some(Message::Initiation(_) | Message::Response(_)) => {
                match self.verify(datagram, from, now) {
                    Proof::OwnsAddress => Ok(AddressValidation::Validated),
                    Proof::KnowsKey => Ok(AddressValidation::Unvalidated),
                    Proof::Nothing => Err(Discard::BadAuthenticator),
                }
            }
            Some(Message::CookieReply(message)) if is_assigned(ReceiverId(message.receiver)) => {
                Ok(AddressValidation::Validated)
            }
            Some(Message::CookieReply(_)) => Err(Discard::BadHandshake),
            None => Err(Discard::Malformed),
        }
    }
}

impl ControlPlane<WireGuard> for Control {
    fn address_validator(&self) -> MacValidator {
        let cookies = self.cookies.as_ref();
        cookies.map_or(MacValidator::without_identity(), |cookies| cookies.validator.clone())
    }

    fn control_message(&mut self, host: &mut Host<'_>, datagram: &[u8], from: &Endpoint, now: Now) {
        let outcome = match Message::parse(datagram) {
            Some(Message::Initiation(message)) => {
                admit(self, host, datagram, message.sender, from, now.instant)
                    .and_then(|()| answer(self, host, datagram.len(), &message, from, now))
            }
            Some(Message::Response(message)) => {
                admit(self, host, datagram, message.sender, from, now.instant)
                    .and_then(|()| conclude(self, host, datagram.len(), &message, from, now))
            }
            Some(Message::CookieReply(message)) => {
                take_cookie(host, datagram.len(), &message, now.instant)
            }
            None => Err(Discard::Malformed),
        };
        if let Err(reason) = outcome {
            host.count(reason);
        }
    }

    fn timeout(&mut self, host: &mut Host<'_>, peer: PeerId, now: Now) {
        let mut due = Due::default();
        let mut retired = Retired::default();
        let exists = host.with_peer_data(peer, &mut |data| {
            retired = data.keypairs.take_retired();
            due = data.timers.take_due(now.instant);
        });
        release(host, &retired);
        if !exists {
            return;
        }
        if due.erase {
            erase(host, peer);
        }
        if due.confirmed {
            forget_pending(host, peer);
            completed(host, peer, now);
            host.send_queued(peer);
        }
        if due.abandon {
            host.drop_queued(peer);
            host.event(Event::HandshakeAbandoned(peer));
        }
        if due.clear_local_address {
            host.clear_local_address(peer);
        }
        if due.initiate {
            initiate(self, host, peer, now);
        }
        if due.keepalive {
            host.send_keepalive(peer);
        }
    }

    fn peer_removed(&mut self, host: &mut Host<'_>, peer: PeerId) {
        erase(host, peer);
    }

    fn adapter_timeout(&mut self, now: Now) {
        self.collect(now.instant);
    }
}

/// Erases a peer's sessions and its pending initiation. Timers run on.
pub(crate) fn erase(host: &mut Host<'_>, peer: PeerId) {
    forget_pending(host, peer);
    let mut retired = Retired::default();
    host.with_peer_data(peer, &mut |data| retired = data.keypairs.erase());
    release(host, &retired);
}

/// Sends an initiation.
fn initiate(control: &mut Control, host: &mut Host<'_>, peer: PeerId, now: Now) {
    let Some(identity) = &control.identity else {
        host.with_peer_data(peer, &mut |data| data.timers.initiation_impossible());
        return;
    };
    if host.endpoint(peer).is_none() {
        // As if it had got lost, but for nothing: the address may become known before we give up.
        host.with_peer_data(peer, &mut |data| data.timers.initiation_sent(now.instant, 0));
        return;
    }
    let drawn = draw_secret(host).zip(draw_word(host));
    let receiver = drawn.is_some().then(|| host.allocate_receiver(peer)).flatten();
    let (Some((ephemeral, jitter)), Some(receiver)) = (drawn, receiver) else {
        host.with_peer_data(peer, &mut |data| data.timers.initiation_failed(now.instant));
        return;
    };
    let timestamp = control.timestamps.stamp(now.unix);
    let made = host.peer_control(peer).map(|state| {
        let constants = &control.constants;
        state.initiate(identity, ephemeral, receiver, &timestamp, now.instant, constants)
    });
    match made {
        Some(Ok((datagram, before))) => {
            before.into_iter().for_each(|receiver| host.release_receiver(receiver));
            // A message that can't be sent is a message that got lost.
            host.send(peer, &datagram);
            host.with_peer_data(peer, &mut |data| {
                data.timers.initiation_sent(now.instant, jitter);
            });
        }
        Some(Err(_)) | None => {
            host.release_receiver(receiver);
            host.with_peer_data(peer, &mut |data| data.timers.initiation_impossible());
        }
    }
}

/// Judges a handshake message's authenticators; under load also its address.
fn admit(
    control: &mut Control,
    host: &mut Host<'_>,
    datagram: &[u8],
    sender: u32,
    from: &Endpoint,
    now: Instant,
) -> Result<(), Discard> {
    let constants = &control.constants;
    let checker = control.cookies.as_mut().ok_or(Discard::BadAuthenticator)?;
    let is_under_load = host.is_under_load();
    let mut random = |bytes: &mut [u8]| host.fill_random(bytes);
    match checker.validator.verify(datagram, from, now) {
        Proof::Nothing => Err(Discard::BadAuthenticator),
        Proof::KnowsKey | Proof::OwnsAddress if !is_under_load => Ok(()),
        Proof::KnowsKey => {
            let reply = checker.reply(datagram, sender, from, now, constants, &mut random);
            if let Some(reply) = reply {
                host.reply(from, &reply.emit());
            }
            Err(Discard::CookieRequired)
        }
        Proof::OwnsAddress => control
            .rate_limiter
            .admit(from.remote.ip(), now, &mut random)
            .then_some(())
            .ok_or(Discard::RateLimited),
    }
}

/// Reads an initiation and sends the response: there is a session then, which the peer's first
/// packet confirms.
#[inline(never)] // Its frame is large, and not its caller's.
fn answer(
    control: &mut Control,
    host: &mut Host<'_>,
    datagram_bytes: usize,
    message: &Initiation,
    from: &Endpoint,
    now: Now,
) -> Result<(), Discard> {
    let identity = control.identity.as_ref().ok_or(Discard::BadHandshake)?;
    let remote_ephemeral = PublicKey(message.ephemeral);
    let identified = IdentifiedInitiation::identify(
        PROLOGUE,
        identity,
        &remote_ephemeral,
        &message.sealed_static,
    )?;
    let peer = host.peer_by_name(identified.remote().as_bytes()).ok_or(Discard::BadHandshake)?;
    let state = host.peer_control(peer).ok_or(Discard::BadHandshake)?;
    let static_static = state.static_static.as_ref().ok_or(Discard::BadHandshake)?;
    let mut timestamp = [0; TIMESTAMP_BYTES];
    let received =
        identified.authenticate(static_static, &message.sealed_timestamp, &mut timestamp)?;
    let timestamp = Timestamp::from_bytes(timestamp);
    if timestamp <= state.last_timestamp {
        return Err(Discard::BadHandshake);
    }
    let is_flood = state
        .last_answered
        .is_some_and(|last| now.instant.since(last) < control.constants.initiation_interval);
    if is_flood {
        return Err(Discard::RateLimited);
    }
    let preshared_key = state.preshared_key.clone();

    let ephemeral = draw_secret(host).ok_or(Discard::NoMemory)?;
    let receiver = host.allocate_receiver(peer).ok_or(Discard::NoMemory)?;
    let mut sealed_nothing = [0; 16];
    let responded = received.respond(&preshared_key, &ephemeral, &[], &mut sealed_nothing);
    let (ephemeral, keys) = match responded {
        Ok(responded) => responded,
        Err(error) => {
            host.release_receiver(receiver);
            return Err(error.into());
        }
    };
    let mut datagram: [u8; RESPONSE_BYTES] = Response {
        sender: receiver.0,
        receiver: message.sender,
        ephemeral: ephemeral.0,
        sealed_nothing,
    }
    .emit();
    if let Some(state) = host.peer_control(peer) {
        state.last_timestamp = timestamp;
        state.last_answered = Some(now.instant);
        state.cookies.authenticate(&mut datagram, now.instant, &control.constants);
    }
    let keypair = Keypair::new(keys, receiver, message.sender, Role::Responder, now.instant);
    install(host, peer, keypair, &mut |data, keypair| {
        data.keypairs.install_as_responder(keypair);
        data.timers.response_sent(now.instant);
    });
    host.received(peer, datagram_bytes);
    follow(host, peer, from);
    host.send(peer, &datagram);
    Ok(())
}

/// Reads a response: there is a session then, ready to send.
#[inline(never)] // Its frame is large, and not its caller's.
fn conclude(
    control: &mut Control,
    host: &mut Host<'_>,
    datagram_bytes: usize,
    message: &Response,
    from: &Endpoint,
    now: Now,
) -> Result<(), Discard> {
    let identity = control.identity.as_ref().ok_or(Discard::BadHandshake)?;
    let receiver = ReceiverId(message.receiver);
    let peer = host.peer_by_receiver(receiver).ok_or(Discard::BadHandshake)?;
    let state = host.peer_control(peer).ok_or(Discard::BadHandshake)?;
    let keys: SessionKeys = state.finish(identity, message)?;
    let keypair = Keypair::new(keys, receiver, message.sender, Role::Initiator, now.instant);
    install(host, peer, keypair, &mut |data, keypair| {
        data.keypairs.install_as_initiator(keypair);
        data.timers.response_received(now.instant);
    });
    host.received(peer, datagram_bytes);
    follow(host, peer, from);
    completed(host, peer, now);
    // The responder waits for a packet of ours to confirm the session.
    if !host.send_queued(peer) {
        host.send_keepalive(peer);
    }
    Ok(())
}

/// Reads a cookie reply; our next handshake message to the peer will carry what it holds.
fn take_cookie(
    host: &mut Host<'_>,
    datagram_bytes: usize,
    message: &CookieReply,
    now: Instant,
) -> Result<(), Discard> {
    let receiver = ReceiverId(message.receiver);
    let peer = host.peer_by_receiver(receiver).ok_or(Discard::BadHandshake)?;
    let state = host.peer_control(peer).ok_or(Discard::BadHandshake)?;
    if !state.cookies.accept(message, now) {
        return Err(Discard::BadHandshake);
    }
    host.received(peer, datagram_bytes);
    Ok(())
}

/// Puts a session in place.
fn install(
    host: &mut Host<'_>,
    peer: PeerId,
    keypair: Keypair,
    place: &mut dyn FnMut(&mut PeerData, Keypair),
) {
    let mut keypair = Some(keypair);
    let mut retired = Retired::default();
    host.with_peer_data(peer, &mut |data| {
        if let Some(keypair) = keypair.take() {
            place(data, keypair);
            retired = data.keypairs.take_retired();
        }
    });
    release(host, &retired);
}

/// Notes that a handshake has completed.
fn completed(host: &mut Host<'_>, peer: PeerId, now: Now) {
    if let Some(state) = host.peer_control(peer) {
        state.latest_handshake = Some(now.unix);
    }
    host.event(Event::HandshakeCompleted(peer));
}

/// Follows a peer to where its authentic message came from.
fn follow(host: &mut Host<'_>, peer: PeerId, from: &Endpoint) {
    if host.endpoint(peer).as_ref() != Some(from) {
        host.set_endpoint(peer, from);
    }
}

fn forget_pending(host: &mut Host<'_>, peer: PeerId) {
    let receiver = host.peer_control(peer).and_then(crate::PeerControl::forget_pending);
    if let Some(receiver) = receiver {
        host.release_receiver(receiver);
    }
}

fn release(host: &mut Host<'_>, retired: &Retired) {
    retired.iter().for_each(|receiver| host.release_receiver(receiver));
}

fn draw_secret(host: &mut Host<'_>) -> Option<StaticSecret> {
    let mut bytes = Zeroizing::new([0; 32]);
    host.fill_random(bytes.as_mut_slice()).then(|| StaticSecret::generate(*bytes))
}

fn draw_word(host: &mut Host<'_>) -> Option<u32> {
    let mut bytes = [0; 4];
    host.fill_random(&mut bytes).then(|| u32::from_le_bytes(bytes))
}

impl From<HandshakeError> for Discard {
    fn from(_: HandshakeError) -> Self {
        Self::BadHandshake
    }
}
