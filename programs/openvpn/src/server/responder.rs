//! Stateless replies to a client's first packets.
//!
//! The server's session id is a cookie: an HMAC over the client's address, its session id and the
//! time. A session is created only for a client that returns the cookie, and so proves that it
//! receives packets at its address.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use hmac::{Hmac, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::Role;
use crate::packet::{ControlPacket, Opcode, PacketError, SessionId};
use crate::profile::{ControlWrap, ServerProfile};
use crate::wrap::{
    Digest, Direction, KeyFileError, Plain, ServerKey, StaticKey, TlsAuth, TlsCrypt, Wrap,
    WrapError,
};

/// Minimum lifetime of a cookie; the maximum is twice as long. The third packet of a handshake
/// arrives within it.
const COOKIE_S: u32 = 30;
/// TLV after our reset: early negotiation flags (type 1, length 2) with the request to resend the
/// wrapped key (doc/tls-crypt-v2.txt).
const RESEND_WRAPPED_KEY: [u8; 6] = [0, 1, 0, 2, 0, 1];

/// Replies to packets that belong to no session.
pub struct Responder {
    secret: Zeroizing<[u8; 32]>,
    shared: Shared,
    tls_crypt_v2: Option<ServerKey>,
}

/// The key shared by all clients.
enum Shared {
    /// No key is configured.
    None,
    /// No shared key: clients must use tls-crypt-v2.
    Refused,
    TlsAuth {
        key: StaticKey,
        digest: Digest,
        direction: Option<Direction>,
    },
    TlsCrypt(StaticKey),
}

/// Result for a datagram that belongs to no session.
pub enum Response {
    /// Send this datagram.
    Reply(Vec<u8>),
    /// Start a session with this datagram.
    Accept {
        /// Our session id and the client's.
        ids: (SessionId, SessionId),
        /// Protection of the session.
        wrap: Box<dyn Wrap>,
    },
}

/// Why a datagram is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponderError {
    /// The packet's protection is invalid.
    Wrap(WrapError),
    /// The packet is malformed.
    Packet(PacketError),
    /// The packet neither starts a session nor returns a valid cookie.
    NoCookie,
    /// The client can't resend its wrapped key: older than 2.6.
    OldClient,
}

impl Responder {
    /// Creates a responder with the keys of a configuration.
    ///
    /// # Errors
    ///
    /// When a key is invalid.
    pub fn new(profile: &ServerProfile, secret: [u8; 32]) -> Result<Self, KeyFileError> {
        let tls_crypt_v2 = profile.tls_crypt_v2.as_ref().map(|key| key.parse()).transpose()?;
        let shared = match &profile.common.control_wrap {
            None if tls_crypt_v2.is_some() => Shared::Refused,
            None => Shared::None,
            Some(ControlWrap::TlsAuth { key, direction, digest }) => Shared::TlsAuth {
                key: key.parse()?,
                digest: digest.parse().map_err(|()| KeyFileError)?,
                direction: direction.map(|direction| match direction {
                    0 => Direction::Normal,
                    _ => Direction::Inverse,
                }),
            },
            Some(ControlWrap::TlsCrypt(key)) => Shared::TlsCrypt(key.parse()?),
            // A server configuration keeps it in `ServerProfile::tls_crypt_v2`.
            Some(ControlWrap::TlsCryptV2(_)) => return Err(KeyFileError),
        };
        Ok(Self { secret: Zeroizing::new(secret), shared, tls_crypt_v2 })
    }

    /// Processes a datagram that belongs to no session.
    ///
    /// # Errors
    ///
    /// When the datagram is dropped.
    pub fn respond(
        &self,
        from: SocketAddr,
        datagram: &[u8],
        unix_time_s: u32,
    ) -> Result<Response, ResponderError> {
        let (plain, wrap) = self.open(datagram)?;
        let packet = ControlPacket::decode(&plain)?;
        match packet.opcode {
            Opcode::HardResetClientV2 | Opcode::HardResetClientV3 => {
                Ok(Response::Reply(self.answer(from, &packet, wrap, unix_time_s)))
            }
            Opcode::AckV1 | Opcode::ControlV1 | Opcode::ControlWkcV1 => {
                self.accept(from, &packet, wrap, unix_time_s)
            }
            _ => Err(ResponderError::NoCookie),
        }
    }

    /// Unwraps a datagram. Returns the plain packet and the protection for its session.
    fn open(&self, datagram: &[u8]) -> Result<(Vec<u8>, Box<dyn Wrap>), ResponderError> {
        let opcode = datagram.first().copied().and_then(Opcode::of);
        if let Some(Opcode::HardResetClientV3 | Opcode::ControlWkcV1) = opcode
            && let Some(key) = &self.tls_crypt_v2
        {
            let first = key.first_packet(datagram)?;
            // Without the resent key, a session would start before the cookie is returned.
            if opcode == Some(Opcode::HardResetClientV3) && !first.can_resend_key {
                return Err(ResponderError::OldClient);
            }
            return Ok((first.plain, Box::new(first.wrap)));
        }
        // The session gets a fresh instance, whose replay window does not contain this packet.
        let (mut opener, wrap) = (self.shared()?, self.shared()?);
        Ok((opener.unwrap(datagram)?, wrap))
    }

    /// Protection of a session with the shared key.
    fn shared(&self) -> Result<Box<dyn Wrap>, ResponderError> {
        Ok(match &self.shared {
            Shared::None => Box::new(Plain),
            Shared::Refused => return Err(ResponderError::Wrap(WrapError::Forged)),
            Shared::TlsAuth { key, digest, direction } => {
                Box::new(TlsAuth::new(key, *digest, *direction))
            }
            Shared::TlsCrypt(key) => Box::new(TlsCrypt::new(key, Role::Server)),
        })
    }

    /// Our reset in reply to a client's.
    fn answer(
        &self,
        from: SocketAddr,
        packet: &ControlPacket<'_>,
        mut wrap: Box<dyn Wrap>,
        unix_time_s: u32,
    ) -> Vec<u8> {
        let reset = ControlPacket {
            opcode: Opcode::HardResetServerV2,
            key_id: 0,
            session_id: self.cookie(from, packet.session_id, unix_time_s / COOKIE_S),
            acks: packet.packet_id.into_iter().collect(),
            acked_session: Some(packet.session_id),
            packet_id: Some(0),
            payload: match packet.opcode {
                Opcode::HardResetClientV3 => &RESEND_WRAPPED_KEY,
                _ => &[],
            },
        };
        wrap.wrap(&reset.encode(), unix_time_s)
    }

    /// Accepts a client that returns our cookie.
    fn accept(
        &self,
        from: SocketAddr,
        packet: &ControlPacket<'_>,
        mut wrap: Box<dyn Wrap>,
        unix_time_s: u32,
    ) -> Result<Response, ResponderError> {
        let own = packet.acked_session.ok_or(ResponderError::NoCookie)?;
        let period = unix_time_s / COOKIE_S;
        let is_ours = [period, period.wrapping_sub(1)]
            .into_iter()
            .any(|period| bool::from(self.cookie(from, packet.session_id, period).0.ct_eq(&own.0)));
        if !is_ours || packet.key_id != 0 || !packet.acks.contains(&0) {
            return Err(ResponderError::NoCookie);
        }
        wrap.skip_number();
        Ok(Response::Accept { ids: (own, packet.session_id), wrap })
    }

    /// The cookie for a client in a time period.
    fn cookie(&self, from: SocketAddr, client: SessionId, period: u32) -> SessionId {
        // HMAC pads the key to the hash's block.
        let mut block = Zeroizing::new([0; 64]);
        block.iter_mut().zip(self.secret.iter()).for_each(|(to, from)| *to = *from);
        let mut mac = <Hmac<Sha256> as hmac::digest::KeyInit>::new((&*block).into());
        match from.ip() {
            IpAddr::V4(address) => mac.update(&address.to_ipv6_mapped().octets()),
            IpAddr::V6(address) => mac.update(&address.octets()),
        }
        mac.update(&from.port().to_be_bytes());
        mac.update(&client.0);
        mac.update(&period.to_be_bytes());
        let tag = mac.finalize().into_bytes();
        SessionId(std::array::from_fn(|index| tag[index]))
    }
}

impl From<WrapError> for ResponderError {
    fn from(error: WrapError) -> Self {
        Self::Wrap(error)
    }
}

impl From<PacketError> for ResponderError {
    fn from(error: PacketError) -> Self {
        Self::Packet(error)
    }
}

impl fmt::Display for ResponderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wrap(error) => write!(f, "{error}"),
            Self::Packet(error) => write!(f, "{error}"),
            Self::NoCookie => f.write_str("control packet of no session"),
            Self::OldClient => {
                f.write_str("client older than 2.6: it can not resend its tls-crypt-v2 key")
            }
        }
    }
}

impl std::error::Error for ResponderError {}
