//! Negotiates the data channel from a client's peer-info.

use std::fmt;

use crate::Suite;
use crate::data_channel::DataFormat;
use crate::session::{DataParameters, Derivation, proto, value};

/// Negotiated parameters for a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Parameters of the data channel.
    pub data: DataParameters,
    /// The client accepts a push without a request.
    pub is_push_unasked: bool,
    /// The client supports `protocol-flags`, and sends `EXIT` over the control channel.
    pub is_exit_by_control: bool,
    /// Renegotiations use dynamic tls-crypt.
    pub is_dynamic_tls_crypt: bool,
    /// The client accepts a pushed MTU.
    pub is_mtu_pushed: bool,
}

/// Why negotiation fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TermsError {
    /// The client does not support peer ids.
    NoPeerId,
    /// The client supports none of our ciphers.
    NoSharedCipher,
}

impl Terms {
    /// Negotiates with a client's peer-info. `ciphers` is in the server's order of preference.
    ///
    /// # Errors
    ///
    /// When negotiation fails.
    pub fn agree(peer_info: &str, ciphers: &[Suite]) -> Result<Self, TermsError> {
        let bits: u32 =
            value(peer_info, "IV_PROTO").and_then(|text| text.parse().ok()).unwrap_or_default();
        let can = |bit| bits & bit != 0;
        if !can(proto::DATA_V2) {
            return Err(TermsError::NoPeerId);
        }
        let theirs = match value(peer_info, "IV_CIPHERS") {
            Some(names) => names,
            // OpenVPN 2.4 supports these without announcing them.
            None if value(peer_info, "IV_NCP") == Some("2") => "AES-256-GCM:AES-128-GCM",
            None => "",
        };
        let theirs: Vec<Suite> = theirs.split(':').filter_map(|name| name.parse().ok()).collect();
        let suite = ciphers.iter().find(|suite| theirs.contains(suite));
        Ok(Self {
            data: DataParameters {
                suite: *suite.ok_or(TermsError::NoSharedCipher)?,
                derivation: match can(proto::TLS_EXPORTER) {
                    true => Derivation::Exporter,
                    false => Derivation::Prf,
                },
                // The keys of epochs come from the exporter only.
                format: match can(proto::EPOCH) && can(proto::TLS_EXPORTER) {
                    true => DataFormat::Epoch,
                    false => DataFormat::Classic,
                },
            },
            is_push_unasked: can(proto::REQUEST_PUSH),
            is_exit_by_control: can(proto::EXIT_BY_CONTROL),
            // Announced by `protocol-flags`; its key comes from the exporter.
            is_dynamic_tls_crypt: can(proto::DYNAMIC_TLS_CRYPT)
                && can(proto::EXIT_BY_CONTROL)
                && can(proto::TLS_EXPORTER),
            is_mtu_pushed: value(peer_info, "IV_MTU").is_some(),
        })
    }

    /// The pushed options that announce these parameters.
    pub fn options(&self) -> Vec<String> {
        let is_exporter = self.data.derivation == Derivation::Exporter;
        let mut flags = Vec::new();
        if self.is_exit_by_control {
            flags.push("cc-exit");
            flags.extend(is_exporter.then_some("tls-ekm"));
            flags.extend(self.is_dynamic_tls_crypt.then_some("dyn-tls-crypt"));
        }
        flags.extend((self.data.format == DataFormat::Epoch).then_some("aead-epoch"));
        let mut options = vec![format!("cipher {}", self.data.suite)];
        if is_exporter && !self.is_exit_by_control {
            options.push("key-derivation tls-ekm".into());
        }
        if !flags.is_empty() {
            options.push(format!("protocol-flags {}", flags.join(" ")));
        }
        options
    }
}

/// The text that the client receives.
impl fmt::Display for TermsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoPeerId => "Data channel packets with a peer id are needed",
            Self::NoSharedCipher => "Data channel cipher negotiation failed (no shared cipher)",
        })
    }
}

impl std::error::Error for TermsError {}

#[cfg(test)]
mod tests {
    use super::*;

    const CIPHERS: [Suite; 2] = [Suite::Aes256Gcm, Suite::ChaCha20Poly1305];

    fn options(peer_info: &str) -> Result<String, TermsError> {
        Terms::agree(peer_info, &CIPHERS).map(|terms| terms.options().join(","))
    }

    #[test]
    fn stock_clients_get_what_they_can() {
        let ciphers = "IV_CIPHERS=CHACHA20-POLY1305:AES-256-GCM";
        for (protocol, expected) in [
            (990, "cipher AES-256-GCM,protocol-flags cc-exit tls-ekm dyn-tls-crypt"),
            (8094, "cipher AES-256-GCM,protocol-flags cc-exit tls-ekm dyn-tls-crypt aead-epoch"),
            (142, "cipher AES-256-GCM,protocol-flags cc-exit tls-ekm"),
            (1038, "cipher AES-256-GCM,key-derivation tls-ekm,protocol-flags aead-epoch"),
            (14, "cipher AES-256-GCM,key-derivation tls-ekm"),
            (6, "cipher AES-256-GCM"),
        ] {
            let peer_info = format!("IV_VER=2\nIV_PROTO={protocol}\n{ciphers}\n");
            assert_eq!(options(&peer_info).as_deref(), Ok(expected), "{protocol}");
        }
    }

    #[test]
    fn others_are_told_what_they_lack() {
        assert_eq!(options("IV_PROTO=4\nIV_CIPHERS=AES-256-GCM"), Err(TermsError::NoPeerId));
        assert_eq!(options("IV_PROTO=2\nIV_CIPHERS=BF-CBC"), Err(TermsError::NoSharedCipher));
        assert_eq!(options("IV_PROTO=2"), Err(TermsError::NoSharedCipher));
        assert_eq!(options("IV_PROTO=2\nIV_NCP=2").as_deref(), Ok("cipher AES-256-GCM"));
    }
}
