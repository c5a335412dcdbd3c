//! The data channel's keys: reference openvpn-dco.md section 3.6.

use std::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::Role;

/// The label of the TLS exporter that gives [`KeyBlock::BYTES`], with no context.
pub const EXPORTER_LABEL: &[u8] = b"EXPORTER-OpenVPN-datakeys";

/// What a side adds to the keys of the PRF, in its key-method-2 message. Erased when dropped.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct KeySource {
    /// The client's alone; zeroes on a server.
    pub pre_master: [u8; 48],
    /// For the master secret.
    pub random1: [u8; 32],
    /// For the key block.
    pub random2: [u8; 32],
}

impl KeySource {
    /// A new one.
    pub fn generate(role: Role) -> Result<Self, getrandom::Error> {
        let mut source = Self { pre_master: [0; 48], random1: [0; 32], random2: [0; 32] };
        if role == Role::Client {
            getrandom::fill(&mut source.pre_master)?;
        }
        getrandom::fill(&mut source.random1)?;
        getrandom::fill(&mut source.random2)?;
        Ok(source)
    }
}

/// The 256 bytes that both sides cut their keys from. Erased when dropped.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct KeyBlock([u8; Self::BYTES]);

impl KeyBlock {
    /// Its size.
    pub const BYTES: usize = 256;

    /// What the TLS exporter gave.
    pub const fn from_exporter(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes)
    }

    /// Our keys in it.
    pub fn data_keys(&self, role: Role) -> DataKeys {
        let to_server = self.direction(0);
        let to_client = self.direction(128);
        match role {
            Role::Client => DataKeys { send: to_server, receive: to_client },
            Role::Server => DataKeys { send: to_client, receive: to_server },
        }
    }

    /// The key and nonce tail of the 128-byte half that begins at `start`.
    fn direction(&self, start: usize) -> DirectionKey {
        let mut direction = DirectionKey { key: [0; 32], nonce_tail: [0; 8] };
        direction.key.copy_from_slice(&self.0[start..start + 32]);
        direction.nonce_tail.copy_from_slice(&self.0[start + 64..start + 72]);
        direction
    }
}

/// The keys of both directions. Erased when dropped.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct DataKeys {
    /// What we seal with.
    pub send: DirectionKey,
    /// What we open with.
    pub receive: DirectionKey,
}

/// One direction's key. Erased when dropped.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct DirectionKey {
    /// The cipher's key: its first bytes, as many as the suite wants; or the 32-byte secret of the first epoch.
    pub key: [u8; 32],
    /// The last 8 bytes of the nonce; unused with epochs.
    pub nonce_tail: [u8; 8],
}

impl fmt::Debug for DataKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKeys(..)")
    }
}
