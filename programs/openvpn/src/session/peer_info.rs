//! Peer-info: the `IV_*` lines of clients.

use std::fmt::Write as _;

use crate::Suite;

/// Bits of `IV_PROTO`.
pub mod proto {
    /// Supports data packets with a peer id.
    pub const DATA_V2: u32 = 1 << 1;
    /// Accepts a push without a request.
    pub const REQUEST_PUSH: u32 = 1 << 2;
    /// Supports data keys from the TLS exporter.
    pub const TLS_EXPORTER: u32 = 1 << 3;
    /// Supports keywords in `AUTH_PENDING`.
    pub const AUTH_PENDING: u32 = 1 << 4;
    /// Supports `EXIT` over the control channel, and `protocol-flags`.
    pub const EXIT_BY_CONTROL: u32 = 1 << 7;
    /// Supports `AUTH_FAILED,TEMP`.
    pub const TEMPORARY_AUTH_FAILED: u32 = 1 << 8;
    /// Supports dynamic tls-crypt.
    pub const DYNAMIC_TLS_CRYPT: u32 = 1 << 9;
    /// Supports the epoch format.
    pub const EPOCH: u32 = 1 << 10;
}

/// Our client's peer-info.
pub fn peer_info(protocol: u32, suites: &[Suite], more: &[(String, String)]) -> String {
    let mut text = String::new();
    let ciphers: Vec<_> = suites.iter().map(|suite| suite.name()).collect();
    let _ = write!(
        text,
        "IV_VER=tunic-{}\nIV_PLAT={}\nIV_MTU=1600\nIV_NCP=2\nIV_CIPHERS={}\nIV_PROTO={protocol}\n",
        env!("CARGO_PKG_VERSION"),
        std::env::consts::OS,
        ciphers.join(":"),
    );
    for (name, value) in more {
        let _ = writeln!(text, "{name}={value}");
    }
    text
}

/// The value of a peer-info line, if present.
pub fn value<'t>(peer_info: &'t str, name: &str) -> Option<&'t str> {
    peer_info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_finds_what_a_client_says() {
        let suites = [Suite::Aes256Gcm, Suite::ChaCha20Poly1305];
        let text = peer_info(142, &suites, &[("UV_SITE".into(), "a".into())]);
        assert_eq!(value(&text, "IV_PROTO"), Some("142"));
        assert_eq!(value(&text, "IV_CIPHERS"), Some("AES-256-GCM:CHACHA20-POLY1305"));
        assert_eq!(value(&text, "UV_SITE"), Some("a"));
        assert_eq!(value(&text, "IV"), None);
    }
}
