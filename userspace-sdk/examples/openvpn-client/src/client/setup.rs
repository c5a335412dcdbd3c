//! What a profile comes to: TLS, what is around control packets, what the server is told.

use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::Role;
use crate::Suite;
use crate::client::credentials::Credentials;
use crate::profile::{CertificateUse, ControlWrap, Profile, RemoteName, TlsVersion};
use crate::session::{Hello, SessionConfig, peer_info, proto};
use crate::tls::{ExpectedPeer, Identity, NameRule, TlsConfig, Versions, certificates};
use crate::wrap::{ClientKey, Digest, Direction, Plain, StaticKey, TlsAuth, TlsCrypt, Wrap};

/// The ciphers where the profile names none, as stock clients have them.
const DATA_CIPHERS: [Suite; 3] = [Suite::Aes256Gcm, Suite::Aes128Gcm, Suite::ChaCha20Poly1305];

/// What `IV_PROTO` says: all that we know.
const PROTOCOL: u32 = proto::DATA_V2
    | proto::REQUEST_PUSH
    | proto::TLS_EXPORTER
    | proto::AUTH_PENDING
    | proto::EXIT_BY_CONTROL
    | proto::TEMPORARY_AUTH_FAILED
    | proto::DYNAMIC_TLS_CRYPT
    | proto::EPOCH;

/// OpenVPN's defaults.
const HANDSHAKE_WINDOW: Duration = Duration::from_secs(60);
const TRANSITION_WINDOW: Duration = Duration::from_secs(3600);
const RENEGOTIATE_AFTER: Duration = Duration::from_secs(3600);

/// What every connection begins with.
pub(super) struct Setup {
    tls: TlsConfig,
    wrap: WrapKey,
    peer_info: String,
    handshake_window: Duration,
    transition_window: Duration,
    renegotiate_after: Option<Duration>,
    /// The server may push without being asked.
    pub(super) may_push_unasked: bool,
}

/// From which each session's [`Wrap`] is made.
enum WrapKey {
    None,
    TlsAuth(StaticKey, Digest, Option<Direction>),
    TlsCrypt(StaticKey),
    TlsCryptV2(ClientKey),
}

impl Setup {
    /// Judges a profile. `protocol` is said as `IV_PROTO` in place of what we know.
    pub(super) fn new(profile: &Profile, protocol: Option<u32>) -> Result<Self> {
        let protocol = protocol.unwrap_or(PROTOCOL);
        let suites = match &profile.data_ciphers[..] {
            [] => &DATA_CIPHERS[..],
            suites => suites,
        };
        let or = |window: Option<Duration>, default| window.unwrap_or(default);
        let renegotiate_after = or(profile.renegotiate_after, RENEGOTIATE_AFTER);
        Ok(Self {
            tls: tls(profile)?,
            wrap: WrapKey::new(profile.control_wrap.as_ref())?,
            peer_info: peer_info(protocol, suites, &profile.peer_info),
            handshake_window: or(profile.handshake_window, HANDSHAKE_WINDOW),
            transition_window: or(profile.transition_window, TRANSITION_WINDOW),
            renegotiate_after: Some(renegotiate_after).filter(|after| !after.is_zero()),
            may_push_unasked: protocol & proto::REQUEST_PUSH != 0,
        })
    }

    /// A session's configuration.
    pub(super) fn session(&self, credentials: &Credentials) -> SessionConfig {
        let (username, password) = credentials.current();
        SessionConfig {
            tls: self.tls.clone(),
            hello: Hello {
                // Advice that nobody follows, in the least form that stock servers take without a warning.
                options: "V4,dev-type tun,tun-mtu 1500,proto UDPv4,key-method 2,tls-client".into(),
                username,
                password,
                peer_info: self.peer_info.clone(),
            },
            handshake_window: self.handshake_window,
            transition_window: self.transition_window,
            renegotiate_after: self.renegotiate_after,
        }
    }

    /// What is around a session's control packets.
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
                    Some(other) => bail!("tls-auth: a key-direction is 0 or 1, not {other}"),
                },
            ),
            Some(ControlWrap::TlsCrypt(key)) => Self::TlsCrypt(key.parse().context("tls-crypt")?),
            Some(ControlWrap::TlsCryptV2(key)) => {
                Self::TlsCryptV2(key.parse().context("tls-crypt-v2")?)
            }
        })
    }
}

fn tls(profile: &Profile) -> Result<TlsConfig> {
    let ca = profile.ca.as_deref().context("the profile has no `ca`: there is nobody to trust")?;
    let peer = ExpectedPeer {
        ca: certificates(ca).context("ca")?,
        is_use_required: match profile.remote_certificate_use {
            None => false,
            Some(CertificateUse::Server) => true,
            Some(CertificateUse::Client) => bail!("remote-cert-tls client is for a server"),
        },
        name: profile.remote_name.clone().map(|name| match name {
            RemoteName::Subject(subject) => NameRule::Subject(subject),
            RemoteName::Name(name) => NameRule::CommonName(name),
            RemoteName::NamePrefix(prefix) => NameRule::CommonNamePrefix(prefix),
        }),
    };
    let identity = match (&profile.certificate, &profile.private_key) {
        (Some(certificate), Some(key)) => {
            Some(Identity::from_pem(certificate, key).context("cert and key")?)
        }
        _ => None,
    };
    let oldest = profile.tls_version_min.unwrap_or(TlsVersion::V12);
    let newest = profile.tls_version_max.unwrap_or(TlsVersion::V13);
    let versions = match (oldest, newest) {
        (TlsVersion::V12, TlsVersion::V13) => Versions::Both,
        (TlsVersion::V12, TlsVersion::V12) => Versions::Only12,
        (TlsVersion::V13, TlsVersion::V13) => Versions::Only13,
        (TlsVersion::V13, TlsVersion::V12) => bail!("no version of TLS is left"),
    };
    TlsConfig::client(peer, identity, versions).context("TLS")
}
