//! The two authenticators at the end of a handshake message, and cookies (WireGuard paper, sections
//! 5.3 and 5.4.7).
//!
//! MAC1 proves that the sender knows our public key; it costs us one hash. MAC2 proves that it
//! receives what we send to the address that it claims; we ask for it under load by answering with
//! a cookie. Neither needs state per sender.

use core::net::IpAddr;

use nic_crypto::blake2s;
use nic_crypto::x25519::PublicKey;
use nic_crypto::xchacha20poly1305;
use nic_engine::{Endpoint, Instant};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::message::{CookieReply, MAC_BYTES};
use crate::timers::TimerConstants;

type Mac = [u8; MAC_BYTES];

/// The keys that follow from a receiver's public key. Whoever knows that, knows them.
struct ReceiverKeys {
    mac1: [u8; 32],
    cookie: [u8; 32],
}

impl ReceiverKeys {
    fn new(public_key: &PublicKey) -> Self {
        Self {
            mac1: blake2s::hash(&[b"mac1----", public_key.as_bytes()]),
            cookie: blake2s::hash(&[b"cookie--", public_key.as_bytes()]),
        }
    }
}

/// What a handshake message's authenticators prove.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    /// Nothing: not even that it was meant for us.
    Nothing,
    /// The sender knows our public key.
    KnowsKey,
    /// The sender receives what we send to its address, too.
    OwnsAddress,
}

/// Verifies the authenticators of handshake messages. The engine keeps a copy for use without the
/// control lock.
#[derive(Clone)]
pub struct MacValidator {
    /// `None` without an identity: no message is authentic.
    mac1_key: Option<[u8; 32]>,
    secret: Option<Secret>,
}

#[derive(Clone)]
struct Secret {
    bytes: Zeroizing<[u8; 32]>,
    good_until: Instant,
}

impl MacValidator {
    /// A validator without an identity, which accepts no handshake message.
    pub(crate) const fn without_identity() -> Self {
        Self { mac1_key: None, secret: None }
    }

    /// Judges a whole handshake message.
    pub(crate) fn verify(&self, datagram: &[u8], from: &Endpoint, now: Instant) -> Proof {
        let Some((message, [mac1, mac2])) = split_macs(datagram) else {
            return Proof::Nothing;
        };
        let Some(mac1_key) = &self.mac1_key else {
            return Proof::Nothing;
        };
        if !is_same(&blake2s::keyed_mac16(mac1_key, &[message]), mac1) {
            return Proof::Nothing;
        }
        match &self.secret {
            // Who has no cookie sends zeros.
            Some(secret) if now < secret.good_until && *mac2 != [0; MAC_BYTES] => {
                let cookie = cookie(&secret.bytes, from);
                if is_same(&blake2s::keyed_mac16(&cookie, &[message, mac1]), mac2) {
                    Proof::OwnsAddress
                } else {
                    Proof::KnowsKey
                }
            }
            _ => Proof::KnowsKey,
        }
    }
}

/// The receiver's side: makes cookies.
pub(crate) struct CookieChecker {
    pub(crate) validator: MacValidator,
    cookie_key: [u8; 32],
}

impl CookieChecker {
    /// A checker of messages to the owner of `public_key`.
    pub(crate) fn new(public_key: &PublicKey) -> Self {
        let keys = ReceiverKeys::new(public_key);
        Self {
            validator: MacValidator { mac1_key: Some(keys.mac1), secret: None },
            cookie_key: keys.cookie,
        }
    }

    /// The answer to a message that proves [`Proof::KnowsKey`] only. `receiver` is the message's
    /// sender index; `random` fills a buffer, and without it there is no answer.
    pub(crate) fn reply(
        &mut self,
        datagram: &[u8],
        receiver: u32,
        to: &Endpoint,
        now: Instant,
        constants: &TimerConstants,
        random: &mut dyn FnMut(&mut [u8]) -> bool,
    ) -> Option<CookieReply> {
        let (_, [mac1, _]) = split_macs(datagram)?;
        let secret = &mut self.validator.secret;
        if secret.as_ref().is_none_or(|secret| now >= secret.good_until) {
            let mut bytes = Zeroizing::new([0; 32]);
            if !random(bytes.as_mut_slice()) {
                return None;
            }
            let good_until = now.after(constants.cookie_secret_max_age);
            *secret = Some(Secret { bytes, good_until });
        }
        let mut nonce = [0; xchacha20poly1305::NONCE_LEN];
        if !random(&mut nonce) {
            return None;
        }
        let mut cookie = cookie(&secret.as_ref()?.bytes, to);
        let tag =
            xchacha20poly1305::seal_in_place(&self.cookie_key, &nonce, mac1, &mut *cookie).ok()?;
        let mut sealed_cookie = [0; 32];
        for (byte, part) in sealed_cookie.iter_mut().zip(cookie.iter().chain(&tag)) {
            *byte = *part;
        }
        Some(CookieReply { receiver, nonce, sealed_cookie })
    }

    /// Erases a secret that is no longer good for anything.
    pub(crate) fn erase_expired(&mut self, now: Instant) {
        self.validator.secret.take_if(|secret| now >= secret.good_until);
    }
}

/// The sender's side: authenticates our messages to one peer, with its cookie where it gave us one.
pub(crate) struct CookieJar {
    keys: ReceiverKeys,
    cookie: Option<ReceivedCookie>,
    /// MAC1 of our last message, until a cookie reply answers it.
    unanswered_mac1: Option<Mac>,
}

struct ReceivedCookie {
    bytes: Zeroizing<Mac>,
    received: Instant,
}

impl CookieJar {
    /// An empty jar for messages to the owner of `public_key`.
    pub(crate) fn new(public_key: &PublicKey) -> Self {
        Self { keys: ReceiverKeys::new(public_key), cookie: None, unanswered_mac1: None }
    }

    /// Fills in both authenticators of a handshake message.
    pub(crate) fn authenticate(
        &mut self,
        datagram: &mut [u8],
        now: Instant,
        constants: &TimerConstants,
    ) {
        let Some((before_mac2, mac2)) = datagram.split_last_chunk_mut::<MAC_BYTES>() else {
            return;
        };
        let Some((before_mac1, mac1)) = before_mac2.split_last_chunk_mut::<MAC_BYTES>() else {
            return;
        };
        *mac1 = blake2s::keyed_mac16(&self.keys.mac1, &[before_mac1]);
        self.unanswered_mac1 = Some(*mac1);
        // The peer's secret may be about to be rotated: stop using the cookie a little earlier.
        let lifetime =
            constants.cookie_secret_max_age.saturating_sub(constants.cookie_secret_latency);
        match &self.cookie {
            Some(cookie) if now.since(cookie.received) < lifetime => {
                *mac2 = blake2s::keyed_mac16(&cookie.bytes, &[before_mac2]);
            }
            _ => self.cookie = None,
        }
    }

    /// Takes the cookie out of a reply to our last message. False where it isn't one.
    pub(crate) fn accept(&mut self, reply: &CookieReply, now: Instant) -> bool {
        let Some(mac1) = &self.unanswered_mac1 else {
            return false;
        };
        let Some((sealed, tag)) = reply.sealed_cookie.split_first_chunk::<MAC_BYTES>() else {
            return false;
        };
        let Some(tag) = tag.first_chunk() else {
            return false;
        };
        let mut bytes = Zeroizing::new(*sealed);
        let opened = xchacha20poly1305::open_in_place(
            &self.keys.cookie,
            &reply.nonce,
            mac1,
            bytes.as_mut_slice(),
            tag,
        );
        if opened.is_err() {
            return false;
        }
        self.cookie = Some(ReceivedCookie { bytes, received: now });
        self.unanswered_mac1 = None;
        true
    }
}

/// The cookie of an address: MAC of address and port under our secret.
fn cookie(secret: &[u8; 32], of: &Endpoint) -> Zeroizing<Mac> {
    let port = of.remote.port().to_be_bytes();
    Zeroizing::new(match of.remote.ip() {
        IpAddr::V4(address) => blake2s::keyed_mac16(secret, &[&address.octets(), &port]),
        IpAddr::V6(address) => blake2s::keyed_mac16(secret, &[&address.octets(), &port]),
    })
}

fn is_same(ours: &Mac, theirs: &Mac) -> bool {
    bool::from(ours.as_slice().ct_eq(theirs.as_slice()))
}

/// The message before its authenticators, and both of them.
fn split_macs(datagram: &[u8]) -> Option<(&[u8], [&Mac; 2])> {
    let (rest, mac2) = datagram.split_last_chunk::<MAC_BYTES>()?;
    let (rest, mac1) = rest.split_last_chunk::<MAC_BYTES>()?;
    Some((rest, [mac1, mac2]))
}
