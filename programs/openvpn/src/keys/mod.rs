//! Derivation of the data channel's keys.

mod prf;

use std::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::Role;
use crate::packet::SessionId;

/// TLS exporter label of the key block, [`KeyBlock::BYTES`] long, without a context.
pub const EXPORTER_LABEL: &[u8] = b"EXPORTER-OpenVPN-datakeys";

/// A side's random contribution to the PRF, sent in its key-method-2 message. Zeroized on drop.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct KeySource {
    /// Sent by the client only; zeroes on a server.
    pub pre_master: [u8; 48],
    /// For the master secret.
    pub random1: [u8; 32],
    /// For the key block.
    pub random2: [u8; 32],
}

impl KeySource {
    /// Generates random bytes.
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

/// The 256 bytes from which both sides take their keys. Zeroized on drop.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct KeyBlock([u8; Self::BYTES]);

impl KeyBlock {
    /// Size in bytes.
    pub const BYTES: usize = 256;

    /// From the output of the TLS exporter.
    pub const fn from_exporter(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes)
    }

    /// From both sides' random bytes through the PRF, for sessions without the exporter.
    pub fn from_prf(
        client: &KeySource,
        server: &KeySource,
        client_id: SessionId,
        server_id: SessionId,
    ) -> Self {
        let mut master = Zeroizing::new([0; 48]);
        let seed: [&[u8]; 2] = [&client.random1, &server.random1];
        prf::prf(&client.pre_master, b"OpenVPN master secret", &seed, &mut *master);
        let seed: [&[u8]; 4] = [&client.random2, &server.random2, &client_id.0, &server_id.0];
        let mut block = Self([0; Self::BYTES]);
        prf::prf(&*master, b"OpenVPN key expansion", &seed, &mut block.0);
        block
    }

    /// The keys for our role.
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

/// The keys of both directions. Zeroized on drop.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct DataKeys {
    /// Key that encrypts sent packets.
    pub send: DirectionKey,
    /// Key that decrypts received packets.
    pub receive: DirectionKey,
}

/// One direction's key. Zeroized on drop.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct DirectionKey {
    /// The cipher's key, truncated to the suite's key length; with epochs, the 32-byte secret of
    /// the first epoch.
    pub key: [u8; 32],
    /// The last 8 bytes of the nonce; unused with epochs.
    pub nonce_tail: [u8; 8],
}

impl fmt::Debug for DataKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKeys(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(first: u8) -> KeySource {
        let bytes = |start: u8| std::array::from_fn(|index| start.wrapping_add(index as u8));
        KeySource {
            pre_master: std::array::from_fn(|index| first.wrapping_add(index as u8)),
            random1: bytes(first.wrapping_add(64)),
            random2: bytes(first.wrapping_add(128)),
        }
    }

    /// Expected value from two runs of `openssl kdf ... TLS1-PRF`.
    #[test]
    fn keys_come_out_of_the_prf() {
        let (client, server) = (source(1), source(7));
        let ids = (SessionId(*b"client.."), SessionId(*b"server.."));
        let block = KeyBlock::from_prf(&client, &server, ids.0, ids.1);
        let hex = tunic::hex::Hex(&block.0).to_string();
        assert_eq!(
            hex,
            "ba75632eacbf899f6978d9d8a1583496b93adfa13347eee99ebfd83c5918b87be0b52549bb5809f881c31\
             66a7c3b252833856443a5808ba822b888e8f9ba16d2a9ef0021357c387f06f33af0b9d7a5f777fc819a9f\
             01bedc94de06ac1166849150abcb819dfef9eef34db9a308ea4147db654a88a26dfe24338e4c94c4b46eb\
             23cc1ae82d5aa3ed9be58849404ef0107967ba4e5490c505d59757834eee3389f9934fddb54f22c9fb56a\
             f4bf7bd83764eb0d180ae640a63f68bf9f404b6ba960d02a867ab6048385ec7ed09189585c9c44b945cff\
             2fcc5d5753793ea7c88221e3677b6dcf720bfb55f4a1b34b590b036c2e7eff6e64712a434b8765c913957\
             80"
        );
    }

    #[test]
    fn sides_have_the_same_keys_the_other_way_round() {
        let block = || KeyBlock::from_exporter(std::array::from_fn(|index| index as u8));
        let (client, server) = (block().data_keys(Role::Client), block().data_keys(Role::Server));
        assert_eq!(client.send.key, std::array::from_fn(|index| index as u8));
        assert_eq!(client.send.nonce_tail, [64, 65, 66, 67, 68, 69, 70, 71]);
        assert_eq!(client.receive.key, std::array::from_fn(|index| 128 + index as u8));
        assert_eq!(client.receive.nonce_tail, [192, 193, 194, 195, 196, 197, 198, 199]);
        assert!(client.send == server.receive && client.receive == server.send);
    }
}
