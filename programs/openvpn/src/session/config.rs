//! How a session is led, by what a profile says.

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

/// How a session is led.
#[derive(Clone)]
pub struct SessionConfig {
    /// Our side of TLS.
    pub tls: TlsConfig,
    /// What we say of ourselves.
    pub hello: Hello,
    /// How long a key may take to be established.
    pub handshake_window: Duration,
    /// How long an old key still opens packets.
    pub transition_window: Duration,
    /// When we renew a key; `None` leaves it to the peer.
    pub renegotiate_after: Option<Duration>,
}

impl SessionConfig {
    /// What a profile comes to.
    ///
    /// # Errors
    ///
    /// When a certificate or a key of the profile is none, or whom to trust is missing.
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
    let ca = profile.ca.as_deref().context("the profile has no `ca`: there is nobody to trust")?;
    let is_use_required = match (profile.remote_certificate_use, role) {
        (None, _) => false,
        (Some(CertificateUse::Server), Role::Client)
        | (Some(CertificateUse::Client), Role::Server) => true,
        (Some(CertificateUse::Client), Role::Client) => {
            bail!("remote-cert-tls client is for a server")
        }
        (Some(CertificateUse::Server), Role::Server) => {
            bail!("remote-cert-tls server is for a client")
        }
    };
    let revocations = profile.revocations.clone().map(Revocations::read).transpose();
    let peer = ExpectedPeer {
        ca: certificates(ca).context("ca")?,
        is_use_required,
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
        (TlsVersion::V13, TlsVersion::V12) => bail!("no version of TLS is left"),
    };
    match role {
        Role::Client => TlsConfig::client(peer, identity, versions),
        Role::Server => {
            TlsConfig::server(peer, identity.context("`cert` and `key` are missing")?, versions)
        }
    }
    .context("TLS")
}
