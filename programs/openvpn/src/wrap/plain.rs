//! Control packets without protection.

use super::error::WrapError;
use super::protection::Wrap;
use super::static_key::StaticKey;
use super::tls_crypt::TlsCrypt;
use crate::Role;

/// No protection besides TLS.
#[derive(Clone, Copy, Debug, Default)]
pub struct Plain;

impl Wrap for Plain {
    fn overhead_bytes(&self) -> usize {
        0
    }

    fn wrap(&mut self, plain: &[u8], _: u32) -> Vec<u8> {
        plain.to_vec()
    }

    fn unwrap(&mut self, datagram: &[u8]) -> Result<Vec<u8>, WrapError> {
        Ok(datagram.to_vec())
    }

    fn for_renegotiation(&self, exported: &StaticKey, role: Role) -> Box<dyn Wrap> {
        Box::new(TlsCrypt::new(exported, role))
    }
}
