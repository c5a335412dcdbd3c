//! Per-client setup from a profile: TLS, control packet protection, peer-info.

use anyhow::{Context, Result, bail};

use crate::client::credentials::Credentials;
use crate::profile::{ControlWrap, Profile};
use crate::session::{Hello, SessionConfig, peer_info, proto};
use crate::wrap::{ClientKey, Digest, Direction, Plain, StaticKey, TlsAuth, TlsCrypt, Wrap};
use crate::{Role, Suite};

/// Default data ciphers: those of stock clients.
const DATA_CIPHERS: [Suite; 3] = [Suite::Aes256Gcm, Suite::Aes128Gcm, Suite::ChaCha20Poly1305];

/// `IV_PROTO`: the features that we support.
const PROTOCOL: u32 = proto::DATA_V2
    | proto::REQUEST_PUSH
    | proto::TLS_EXPORTER
    | proto::AUTH_PENDING
    | proto::EXIT_BY_CONTROL
    | proto::TEMPORARY_AUTH_FAILED
    | proto::DYNAMIC_TLS_CRYPT
    | proto::EPOCH;

/// The setup shared by all connections.
pub(super) struct Setup {
    session: SessionConfig,
    wrap: WrapKey,
    /// The server may push without a request.
    pub(super) may_push_unasked: bool,
}

/// The keys from which each session's [`Wrap`] is created.
enum WrapKey {
    None,
    TlsAuth(StaticKey, Digest, Option<Direction>),
    TlsCrypt(StaticKey),
    TlsCryptV2(ClientKey),
}

impl Setup {
    /// Validates a profile. `protocol` overrides `IV_PROTO`.
    pub(super) fn new(profile: &Profile, protocol: Option<u32>) -> Result<Self> {
        let protocol = protocol.unwrap_or(PROTOCOL);
        let suites = match &profile.data_ciphers[..] {
            [] => &DATA_CIPHERS[..],
            suites => suites,
        };
        let hello = Hello {
            // Informational only: the shortest form that stock servers accept without a warning.
            options: "V4,dev-type tun,tun-mtu 1500,proto UDPv4,key-method 2,tls-client".into(),
            peer_info: peer_info(protocol, suites, &profile.peer_info),
            ..Hello::default()
        };
        Ok(Self {
            session: SessionConfig::new(profile, Role::Client, hello)?,
            wrap: WrapKey::new(profile.control_wrap.as_ref())?,
            may_push_unasked: protocol & proto::REQUEST_PUSH != 0,
        })
    }

    /// A session's configuration.
    pub(super) fn session(&self, credentials: &Credentials) -> SessionConfig {
        let mut config = self.session.clone();
        (config.hello.username, config.hello.password) = credentials.current();
        config
    }

    /// Creates the protection of a session's control packets.
    pub(super) fn wrap(&self) -> Box<dyn Wrap> {
        match &self.wrap {
            WrapKey::None => Box::new(Plain),
            WrapKey::TlsAuth(key, digest, direction) => {
                Box::new(TlsAuth::new(key, *digest, *direction))
            }
            WrapKey::TlsCrypt(key) => Box::new(TlsCrypt::new(key, Role::Client)),
            WrapKey::TlsCryptV2(key) => Box::new(TlsCrypt::with_client_key(key)),
        }
    }
}

impl WrapKey {
    fn new(wrap: Option<&ControlWrap>) -> Result<Self> {
        Ok(match wrap {
            None => Self::None,
            Some(ControlWrap::TlsAuth { key, direction, digest }) => Self::TlsAuth(
                key.parse().context("tls-auth")?,
                digest
                    .parse()
                    .ok()
                    .with_context(|| format!("tls-auth: unknown digest {digest}"))?,
                match direction {
                    None => None,
                    Some(0) => Some(Direction::Normal),
                    Some(1) => Some(Direction::Inverse),
                    Some(other) => bail!("tls-auth: key-direction must be 0 or 1, not {other}"),
                },
            ),
            Some(ControlWrap::TlsCrypt(key)) => Self::TlsCrypt(key.parse().context("tls-crypt")?),
            Some(ControlWrap::TlsCryptV2(key)) => {
                Self::TlsCryptV2(key.parse().context("tls-crypt-v2")?)
            }
        })
    }
}
