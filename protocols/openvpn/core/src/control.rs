//! The control plane: what passing time brings about, and control datagrams on their way up.

use core::time::Duration;

use nic_crypto::Suite;
use nic_engine::protocol::{
    ClaimError, ControlHost, ControlPlane, Discard, Event, PeerId, ReceiverId,
};
use nic_engine::{Endpoint, Now};

use crate::derivation::EpochSecret;
use crate::mode::Mode;
use crate::packet::UNDEFINED_PEER_ID;
use crate::peer_name;
use crate::protocol::OpenVpn;
use crate::slots::Slot;

/// While packets wait for a key, userspace hears of it so often: an event may get lost.
const KEY_WANTED_PERIOD: Duration = Duration::from_secs(10);

/// More keys than both slots may want, in one go: each as many as lie ahead, and the sender's.
const DERIVATIONS: usize = 32;

type Host<'a> = dyn ControlHost<OpenVpn> + 'a;

/// An adapter. Belongs to the control lock.
#[derive(Debug, Default)]
pub struct Control {
    pub(crate) mode: Mode,
    last_serial: u64,
}

impl Control {
    /// An adapter without peers.
    pub const fn new(mode: Mode) -> Self {
        Self { mode, last_serial: 0 }
    }

    /// A number that no other key has.
    pub(crate) const fn next_serial(&mut self) -> u64 {
        self.last_serial = self.last_serial.wrapping_add(1);
        self.last_serial
    }
}

impl ControlPlane<OpenVpn> for Control {
    fn address_validator(&self) {}

    /// Passes a control datagram to userspace; in point-to-point mode, once the peer exists, only
    /// from its address.
    fn control_message(
        &mut self,
        host: &mut Host<'_>,
        datagram: &[u8],
        from: &Endpoint,
        _now: Now,
    ) {
        let only_peer = host.next_peer(None).filter(|_| self.mode == Mode::PointToPoint);
        let known = only_peer.and_then(|peer| host.endpoint(peer));
        if known.is_some_and(|known| known.remote != from.remote) {
            host.count(Discard::ForeignControl);
            return;
        }
        host.hand_up(from, datagram);
    }

    fn timeout(&mut self, host: &mut Host<'_>, peer: PeerId, now: Now) {
        let now = now.instant;
        if derive_keys(host, peer) {
            host.send_queued(peer);
        }
        let mut due = Due::default();
        host.with_peer_data(peer, &mut |data| {
            due.is_limit_near = data.take_limit_near();
            due.is_key_wanted = data.key_wanted_at.is_some_and(|at| at <= now);
            if due.is_key_wanted {
                data.key_wanted_at = Some(now.after(KEY_WANTED_PERIOD));
            }
            due.is_timed_out = data.timers.timeout_due() <= now;
            if due.is_timed_out {
                data.timers.timeout_told();
            }
            due.is_ping =
                data.slots.get(Slot::Primary).is_some() && data.timers.keepalive_due() <= now;
            if due.is_ping {
                data.timers.sent(now);
            }
        });
        if due.is_limit_near {
            host.event(Event::KeyLimitNear(peer));
        }
        if due.is_timed_out {
            give_up(self, host, peer);
            return;
        }
        if due.is_key_wanted {
            if host.send_queued(peer) {
                host.event(Event::KeyWanted(peer));
            } else {
                host.with_peer_data(peer, &mut |data| data.key_wanted_at = None);
            }
        }
        if due.is_ping {
            host.send_keepalive(peer);
        }
    }

    /// Assigns the peer's ID to it; the only peer of point-to-point mode receives every ID.
    fn peer_added(&mut self, host: &mut Host<'_>, peer: PeerId) -> Result<(), ClaimError> {
        match self.mode {
            Mode::PointToPoint => {
                host.set_default_peer(Some(peer));
                Ok(())
            }
            Mode::MultiPeer => {
                let receiver = receiver(host, peer);
                host.claim_receiver(peer, receiver)
            }
        }
    }

    fn peer_removed(&mut self, host: &mut Host<'_>, peer: PeerId) {
        match self.mode {
            Mode::PointToPoint => host.set_default_peer(None),
            Mode::MultiPeer => {
                let receiver = receiver(host, peer);
                if host.peer_by_receiver(receiver) == Some(peer) {
                    host.release_receiver(receiver);
                }
            }
        }
    }
}

/// What is due for a peer.
#[derive(Default)]
struct Due {
    is_limit_near: bool,
    is_key_wanted: bool,
    is_timed_out: bool,
    is_ping: bool,
}

/// A peer was silent for too long.
fn give_up(control: &mut Control, host: &mut Host<'_>, peer: PeerId) {
    match control.mode {
        Mode::PointToPoint => {
            host.drop_queued(peer);
            host.event(Event::TimedOut(peer));
        }
        Mode::MultiPeer => {
            if let Some(name) = host.name(peer) {
                host.event(Event::Expired(name));
            }
            host.remove_peer(control, peer);
        }
    }
}

/// The key of an epoch that is to be derived.
struct Derivation {
    serial: u64,
    direction: Direction,
    secret: EpochSecret,
    suite: Suite,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Seal,
    Open,
}

/// Derives what keys are missing, one after the other and under no spin lock. True where one of
/// them seals.
fn derive_keys(host: &mut Host<'_>, peer: PeerId) -> bool {
    let mut may_seal = false;
    for _ in 0..DERIVATIONS {
        let mut wanted = None;
        host.with_peer_data(peer, &mut |data| {
            wanted = data.slots.iter().find_map(|key| {
                let serial = key.serial;
                let of = |direction, wanted: Option<(&EpochSecret, Suite)>| {
                    let (secret, suite) = wanted?;
                    Some(Derivation { serial, direction, secret: secret.clone(), suite })
                };
                of(Direction::Seal, key.sender.wanted())
                    .or_else(|| of(Direction::Open, key.receiver.wanted()))
            });
            data.wants_derivation = wanted.is_some();
        });
        let Some(Derivation { serial, direction, secret, suite }) = wanted else { break };
        let Ok(key) = secret.key(suite) else {
            // Without memory now, the next packet asks again.
            host.with_peer_data(peer, &mut |data| data.wants_derivation = false);
            break;
        };
        may_seal |= direction == Direction::Seal;
        let mut derived = Some((key, secret.next()));
        host.with_peer_data(peer, &mut |data| {
            if let (Some(slot), Some((key, next))) =
                (data.slots.by_serial_mut(serial), derived.take())
            {
                match direction {
                    Direction::Seal => slot.sender.derived(key, next),
                    Direction::Open => slot.receiver.derived(key, next),
                }
            }
        });
    }
    may_seal
}

/// The receiver that a peer's packets name.
fn receiver(host: &Host<'_>, peer: PeerId) -> ReceiverId {
    let id = host.name(peer).and_then(|name| peer_name::receive_id(&name));
    ReceiverId(id.unwrap_or(UNDEFINED_PEER_ID))
}

#[cfg(test)]
mod tests;
