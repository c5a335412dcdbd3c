//! TLS as OpenVPN uses it: certificates on both sides, no host names, CAs from the profile only.

mod attributes;
mod der;
mod error;
mod extensions;
mod identity;
mod revocation;
mod revoked_folder;
mod subject;
#[cfg(test)]
mod tests;
mod usage;
mod verify;

use std::fmt;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use rustls::version::{TLS12, TLS13};
use rustls::{
    ClientConfig, ClientConnection, Connection, ServerConfig, ServerConnection,
    SupportedProtocolVersion,
};

pub use error::TlsFileError;
pub use identity::{Identity, certificates};
pub use revocation::{RevocationLists, RevocationSource, Revocations};
pub use revoked_folder::RevokedFolder;
pub use subject::Subject;
pub use usage::{Purpose, RequiredUsage};
pub use verify::{ExpectedPeer, NameRule};

use verify::{ClientVerifier, ServerVerifier};

/// TLS configuration of a session. Each key opens a connection of its own.
#[derive(Clone)]
pub enum TlsConfig {
    /// Of a client.
    Client(Arc<ClientConfig>),
    /// Of a server.
    Server(Arc<ServerConfig>),
}

/// Which versions of TLS are allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Versions {
    /// 1.2 and 1.3.
    Both,
    /// 1.2 only.
    Only12,
    /// 1.3 only.
    Only13,
}

impl TlsConfig {
    /// A client's configuration. Without an identity the client presents no certificate.
    pub fn client(
        peer: ExpectedPeer,
        identity: Option<Identity>,
        versions: Versions,
    ) -> Result<Self, rustls::Error> {
        let verifier = Arc::new(ServerVerifier::new(peer)?);
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&versions.list())?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let mut config = match identity {
            Some(Identity { chain, key }) => builder.with_client_auth_cert(chain, key)?,
            None => builder.with_no_client_auth(),
        };
        config.enable_sni = false;
        config.resumption = Resumption::disabled();
        Ok(Self::Client(Arc::new(config)))
    }

    /// A server's configuration. `peer` states the requirements on client certificates.
    pub fn server(
        peer: ExpectedPeer,
        identity: Identity,
        versions: Versions,
    ) -> Result<Self, rustls::Error> {
        let verifier = Arc::new(ClientVerifier::new(peer)?);
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&versions.list())?
            .with_client_cert_verifier(verifier)
            .with_single_cert(identity.chain, identity.key)?;
        // Every key has a full handshake of its own.
        config.send_tls13_tickets = 0;
        Ok(Self::Server(Arc::new(config)))
    }

    /// A new connection.
    pub(crate) fn connection(&self) -> Result<Connection, rustls::Error> {
        let mut connection = match self {
            Self::Client(config) => {
                // rustls requires a name. It is neither sent (no SNI) nor verified.
                let name = ServerName::IpAddress(std::net::Ipv4Addr::UNSPECIFIED.into());
                Connection::from(ClientConnection::new(config.clone(), name)?)
            }
            Self::Server(config) => Connection::from(ServerConnection::new(config.clone())?),
        };
        connection.set_buffer_limit(None);
        Ok(connection)
    }
}

impl fmt::Debug for TlsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Client(_) => "Client(..)",
            Self::Server(_) => "Server(..)",
        })
    }
}

impl Versions {
    fn list(self) -> Vec<&'static SupportedProtocolVersion> {
        match self {
            Self::Both => vec![&TLS13, &TLS12],
            Self::Only12 => vec![&TLS12],
            Self::Only13 => vec![&TLS13],
        }
    }
}
