//! Certificate verification: the chain to the profile's CA, the certificate's purpose, and its
//! subject. OpenVPN does not use host names.

use std::sync::Arc;
use std::{fmt, iter};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{
    WebPkiSupportedAlgorithms, ring, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::{CertificateDer, ServerName, TrustAnchor, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, SignatureScheme,
};
use webpki::{
    Cert, EndEntityCert, ExpirationPolicy, KeyUsage, RevocationCheckDepth, RevocationOptions,
    RevocationOptionsBuilder, UnknownStatusPolicy,
};

use super::error::TlsFileError;
use super::revocation::Revocations;
use super::subject::Subject;

// RFC 5280 section 4.2.1.12.
const SERVER_AUTH: &[u8] = &[0x2B, 6, 1, 5, 5, 7, 3, 1];
const CLIENT_AUTH: &[u8] = &[0x2B, 6, 1, 5, 5, 7, 3, 2];

/// Requirements on the peer's certificate.
#[derive(Debug)]
pub struct ExpectedPeer {
    /// Trusted CAs.
    pub ca: Vec<CertificateDer<'static>>,
    /// The certificate must state the purpose of its role (`remote-cert-tls`). Otherwise a
    /// certificate without extended key usage is accepted.
    pub is_use_required: bool,
    /// Requirement on the subject.
    pub name: Option<NameRule>,
    /// Revocation information, if checked. Revocation lists must cover every CA of the chain.
    pub revocations: Option<Revocations>,
}

/// Requirement on a certificate's subject (`verify-x509-name`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NameRule {
    /// The whole subject.
    Subject(String),
    /// The common name.
    CommonName(String),
    /// A prefix of the common name.
    CommonNamePrefix(String),
}

/// The verification shared by client and server.
#[derive(Debug)]
struct Verifier {
    anchors: Vec<TrustAnchor<'static>>,
    usage: KeyUsage,
    name: Option<NameRule>,
    revocations: Option<Revocations>,
    algorithms: WebPkiSupportedAlgorithms,
}

/// Verifies server certificates.
#[derive(Debug)]
pub(super) struct ServerVerifier(Verifier);

/// Verifies client certificates.
#[derive(Debug)]
pub(super) struct ClientVerifier {
    verifier: Verifier,
    ca_names: Vec<DistinguishedName>,
}

impl ServerVerifier {
    pub(super) fn new(peer: ExpectedPeer) -> Result<Self, Error> {
        Verifier::new(peer, SERVER_AUTH).map(Self)
    }
}

impl ClientVerifier {
    pub(super) fn new(peer: ExpectedPeer) -> Result<Self, Error> {
        let verifier = Verifier::new(peer, CLIENT_AUTH)?;
        let names = verifier.anchors.iter();
        let ca_names =
            names.map(|anchor| DistinguishedName::in_sequence(&anchor.subject)).collect();
        Ok(Self { verifier, ca_names })
    }
}

impl Verifier {
    fn new(peer: ExpectedPeer, usage: &'static [u8]) -> Result<Self, Error> {
        let anchor = |certificate: &CertificateDer<'_>| {
            webpki::anchor_from_trusted_cert(certificate)
                .map(|anchor| anchor.to_owned())
                .map_err(|error| invalid(VerifyError::Ca(error)))
        };
        Ok(Self {
            anchors: peer.ca.iter().map(anchor).collect::<Result<_, _>>()?,
            usage: match peer.is_use_required {
                true => KeyUsage::required(usage),
                false => KeyUsage::required_if_present(usage),
            },
            name: peer.name,
            revocations: peer.revocations,
            algorithms: ring::default_provider().signature_verification_algorithms,
        })
    }

    fn verify(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Error> {
        let untrusted = |error| invalid(VerifyError::Chain(error));
        let certificate_of = EndEntityCert::try_from(certificate).map_err(untrusted)?;
        let judge = |revocation: Option<RevocationOptions<'_>>| {
            certificate_of
                .verify_for_usage(
                    self.algorithms.all,
                    &self.anchors,
                    intermediates,
                    now,
                    self.usage,
                    revocation,
                    None,
                )
                .map_err(untrusted)
        };
        match &self.revocations {
            None => drop(judge(None)?),
            Some(Revocations::Folder(folder)) => {
                let path = judge(None)?;
                let above = path.intermediate_certificates().map(Cert::serial);
                for serial in iter::once(path.end_entity().serial()).chain(above) {
                    let is_revoked = folder.holds(serial);
                    if is_revoked.map_err(|error| invalid(VerifyError::Revocations(error)))? {
                        return Err(untrusted(webpki::Error::CertRevoked));
                    }
                }
            }
            Some(Revocations::Lists(lists)) => lists
                .with_current(|lists| {
                    let options = RevocationOptionsBuilder::new(lists).ok().map(|options| {
                        options
                            .with_depth(RevocationCheckDepth::Chain)
                            .with_status_policy(UnknownStatusPolicy::Deny)
                            .with_expiration_policy(ExpirationPolicy::Enforce)
                            .build()
                    });
                    judge(options).map(|_| ())
                })
                .map_err(|error| invalid(VerifyError::Revocations(error)))??,
        }
        let Some(rule) = &self.name else { return Ok(()) };
        let subject = Subject::of(certificate).unwrap_or_default();
        if rule.matches(&subject) { Ok(()) } else { Err(invalid(VerifyError::Name(subject))) }
    }
}

impl NameRule {
    fn matches(&self, subject: &Subject) -> bool {
        let common_name = subject.common_name();
        match self {
            Self::Subject(expected) => subject.to_string() == *expected,
            Self::CommonName(expected) => common_name == Some(expected),
            Self::CommonNamePrefix(expected) => {
                common_name.is_some_and(|name| name.starts_with(expected))
            }
        }
    }
}

/// Why a certificate is rejected.
#[derive(Debug)]
enum VerifyError {
    /// The CA's own certificate can't be used.
    Ca(webpki::Error),
    /// The chain is invalid: untrusted, expired, revoked, or for another purpose.
    Chain(webpki::Error),
    /// The revocation information can't be read.
    Revocations(TlsFileError),
    /// The subject does not match.
    Name(Subject),
}

impl fmt::Display for VerifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ca(error) => write!(f, "can not use the CA's certificate: {error}"),
            Self::Chain(webpki::Error::CertRevoked) => {
                f.write_str("a certificate of the peer's chain is revoked")
            }
            Self::Chain(webpki::Error::UnknownRevocationStatus) => f.write_str(
                "the peer's certificate is not trusted: a CA of its chain has no revocation list",
            ),
            Self::Revocations(error) => write!(f, "can not check revocation: {error}"),
            Self::Chain(error) => write!(f, "the peer's certificate is not trusted: {error}"),
            Self::Name(subject) => {
                write!(f, "the subject of the peer's certificate does not match: {subject}")
            }
        }
    }
}

impl std::error::Error for VerifyError {}

fn invalid(refusal: VerifyError) -> Error {
    Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(refusal))))
}

impl ServerCertVerifier for ServerVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.0.verify(end_entity, intermediates, now)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.algorithms.supported_schemes()
    }
}

impl ClientCertVerifier for ClientVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.ca_names
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.verifier.verify(end_entity, intermediates, now)?;
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.verifier.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.verifier.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.algorithms.supported_schemes()
    }
}
