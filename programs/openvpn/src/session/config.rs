//! Configuration of a session, from a profile.

use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::key_method::Hello;
use crate::Role;
use crate::profile::{CertificateUse, Profile, TlsVersion};
use crate::terminal::ask;
use crate::tls::{ExpectedPeer, Identity, Revocations, TlsConfig, Versions, certificates};

// OpenVPN's defaults.
const HANDSHAKE_WINDOW: Duration = Duration::from_secs(60);
const TRANSITION_WINDOW: Duration = Duration::from_secs(3600);
const RENEGOTIATE_AFTER: Duration = Duration::from_secs(3600);

/// Configuration of a session.
#[derive(Clone)]
pub struct SessionConfig {
    /// TLS configuration.
    pub tls: TlsConfig,
    /// The strings of our key-method message.
    pub hello: Hello,
    /// Limit for the negotiation of a key.
    pub handshake_window: Duration,
    /// How long an old key still decrypts packets.
    pub transition_window: Duration,
    /// Interval at which we renew keys; `None` leaves it to the peer.
    pub renegotiate_after: Option<Duration>,
}

impl SessionConfig {
    /// Creates the configuration from a profile.
    ///
    /// # Errors
    ///
    /// When a certificate or key of the profile is invalid, or `ca` is missing.
    pub fn new(profile: &Profile, role: Role, hello: Hello) -> Result<Self> {
        let renegotiate_after = profile.renegotiate_after.unwrap_or(RENEGOTIATE_AFTER);
        Ok(Self {
            tls: tls(profile, role)?,
            hello,
            handshake_window: profile.handshake_window.unwrap_or(HANDSHAKE_WINDOW),
            transition_window: profile.transition_window.unwrap_or(TRANSITION_WINDOW),
            renegotiate_after: Some(renegotiate_after).filter(|after| !after.is_zero()),
        })
    }
}

fn tls(profile: &Profile, role: Role) -> Result<TlsConfig> {
    let ca = profile.ca.as_deref().context("the profile has no `ca`")?;
    match (profile.remote_certificate_use, role) {
        (None, _)
        | (Some(CertificateUse::Server), Role::Client)
        | (Some(CertificateUse::Client), Role::Server) => {}
        (Some(CertificateUse::Client), Role::Client) => {
            bail!("`remote-cert-tls client` is a server option")
        }
        (Some(CertificateUse::Server), Role::Server) => {
            bail!("`remote-cert-tls server` is a client option")
        }
    }
    let revocations = profile.revocations.clone().map(Revocations::read).transpose();
    let peer = ExpectedPeer {
        ca: certificates(ca).context("ca")?,
        usage: profile.remote_usage.clone(),
        name: profile.remote_name.clone(),
        revocations: revocations.context("crl-verify")?,
    };
    let identity = match (&profile.certificate, &profile.private_key) {
        (Some(certificate), Some(key)) => {
            let password = || match &profile.key_password {
                Some(password) => Ok(password.clone()),
                None => ask("Private key's password: ", false),
            };
            Some(Identity::from_pem(certificate, key, password).context("cert and key")?)
        }
        _ => None,
    };
    let oldest = profile.tls_version_min.unwrap_or(TlsVersion::V12);
    let newest = profile.tls_version_max.unwrap_or(TlsVersion::V13);
    let versions = match (oldest, newest) {
        (TlsVersion::V12, TlsVersion::V13) => Versions::Both,
        (TlsVersion::V12, TlsVersion::V12) => Versions::Only12,
        (TlsVersion::V13, TlsVersion::V13) => Versions::Only13,
        (TlsVersion::V13, TlsVersion::V12) => {
            bail!("tls-version-min is higher than tls-version-max")
        }
    };
    match role {
        Role::Client => TlsConfig::client(peer, identity, versions),
        Role::Server => {
            TlsConfig::server(peer, identity.context("`cert` and `key` are missing")?, versions)
        }
    }
    .context("TLS")
}
