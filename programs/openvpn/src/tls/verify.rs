//! Certificate verification: the chain to the profile's CA, the certificate's purpose, and its
//! subject. OpenVPN does not use host names.

use std::cell::Cell;
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
    RevocationOptionsBuilder, UnknownStatusPolicy, VerifiedPath,
};

use super::error::TlsFileError;
use super::extensions::{Extensions, format_time};
use super::revocation::Revocations;
use super::subject::Subject;
use super::usage::{self, RequiredUsage, UsageError, purpose};
use crate::Role;

/// Requirements on the peer's certificate.
#[derive(Debug)]
pub struct ExpectedPeer {
    /// Trusted CAs.
    pub ca: Vec<CertificateDer<'static>>,
    /// Requirements on key usage and extended key usage.
    pub usage: RequiredUsage,
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
pub(super) struct Verifier {
    /// The peer's role.
    role: Role,
    anchors: Vec<TrustAnchor<'static>>,
    /// The extensions of the anchors' certificates, in the same order.
    anchor_extensions: Vec<Extensions>,
    /// Certificates of `ca` that are not self-issued.
    intermediates: Vec<CertificateDer<'static>>,
    usage: RequiredUsage,
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
        Verifier::new(peer, Role::Server).map(Self)
    }
}

impl ClientVerifier {
    pub(super) fn new(peer: ExpectedPeer) -> Result<Self, Error> {
        let verifier = Verifier::new(peer, Role::Client)?;
        let names = verifier.anchors.iter();
        let ca_names =
            names.map(|anchor| DistinguishedName::in_sequence(&anchor.subject)).collect();
        Ok(Self { verifier, ca_names })
    }
}

impl Verifier {
    /// Self-issued certificates of `ca` are trust anchors. Others are intermediates, as in stock: a
    /// path must end at a self-issued certificate.
    pub(super) fn new(peer: ExpectedPeer, role: Role) -> Result<Self, Error> {
        let anchor = |certificate: &CertificateDer<'_>| {
            webpki::anchor_from_trusted_cert(certificate)
                .map(|anchor| anchor.to_owned())
                .map_err(|error| invalid(VerifyError::Ca(error)))
        };
        let mut anchors = Vec::new();
        let mut anchor_extensions = Vec::new();
        let mut intermediates = Vec::new();
        for certificate in peer.ca {
            let extensions = Extensions::of(&certificate)
                .ok_or_else(|| invalid(VerifyError::Usage(UsageError::Malformed)))?;
            if extensions.is_self_issued {
                anchors.push(anchor(&certificate)?);
                anchor_extensions.push(extensions);
            } else {
                intermediates.push(certificate);
            }
        }
        if anchors.is_empty() {
            return Err(invalid(VerifyError::NoAnchor));
        }
        Ok(Self {
            role,
            anchors,
            anchor_extensions,
            intermediates,
            usage: peer.usage,
            name: peer.name,
            revocations: peer.revocations,
            algorithms: ring::default_provider().signature_verification_algorithms,
        })
    }

    pub(super) fn verify(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Error> {
        let untrusted = |error| invalid(VerifyError::Chain(error));
        let certificate_of = EndEntityCert::try_from(certificate).map_err(untrusted)?;
        let intermediates = [intermediates, &self.intermediates].concat();
        let time = format_time(now.as_secs());
        // Path building goes on after a rejected path. The last reason is reported if none is
        // valid.
        let rejection = Cell::new(None);
        let check_path = |path: &VerifiedPath<'_>| {
            self.check_usage(path, &time).map_err(|error| {
                rejection.set(Some(error));
                webpki::Error::UnknownIssuer
            })
        };
        let judge = |revocation: Option<RevocationOptions<'_>>| {
            certificate_of
                .verify_for_usage(
                    self.algorithms.all,
                    &self.anchors,
                    &intermediates,
                    now,
                    KeyUsage::required_if_present(purpose(self.role)),
                    revocation,
                    Some(&check_path),
                )
                .map_err(|error| match rejection.get() {
                    Some(rejection) => invalid(VerifyError::Usage(rejection)),
                    None => untrusted(error),
                })
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
                .with_current(&time, |lists| {
                    // It fails without any list.
                    let options = RevocationOptionsBuilder::new(lists)
                        .map_err(|_| untrusted(webpki::Error::UnknownRevocationStatus))?
                        .with_depth(RevocationCheckDepth::Chain)
                        .with_status_policy(UnknownStatusPolicy::Deny)
                        .with_expiration_policy(ExpirationPolicy::Enforce)
                        .build();
                    judge(Some(options)).map(|_| ())
                })
                .map_err(|error| invalid(VerifyError::Revocations(error)))??,
        }
        // As stock: a certificate without a usable common name is rejected in any case.
        let subject = Subject::of(certificate).unwrap_or_default();
        let Some(common_name) = subject.common_name() else {
            return Err(invalid(VerifyError::CommonName(subject)));
        };
        match &self.name {
            Some(rule) if !rule.matches(&subject, &common_name) => {
                Err(invalid(VerifyError::Name(subject)))
            }
            _ => Ok(()),
        }
    }

    /// Checks the extensions along a path.
    fn check_usage(&self, path: &VerifiedPath<'_>, now: &str) -> Result<(), UsageError> {
        let extensions = |certificate: &Cert<'_>| {
            Extensions::of(&certificate.der()).ok_or(UsageError::Malformed)
        };
        let leaf = extensions(path.end_entity())?;
        let intermediates: Vec<_> =
            path.intermediate_certificates().map(extensions).collect::<Result<_, _>>()?;
        let anchors = self.anchors.iter().zip(&self.anchor_extensions);
        let mut anchors = anchors.filter(|(anchor, _)| std::ptr::eq(*anchor, path.anchor()));
        let (_, anchor) = anchors.next().ok_or(UsageError::NoCa)?;
        usage::check(self.role, &self.usage, &leaf, &intermediates, anchor, now)
    }
}

impl NameRule {
    fn matches(&self, subject: &Subject, common_name: &str) -> bool {
        match self {
            Self::Subject(expected) => subject.to_string() == *expected,
            Self::CommonName(expected) => common_name == expected,
            Self::CommonNamePrefix(expected) => common_name.starts_with(expected),
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
    /// `ca` contains no self-issued certificate.
    NoAnchor,
    /// An extension of the chain's certificates forbids this use.
    Usage(UsageError),
    /// The subject has no common name, or one that is not accepted.
    CommonName(Subject),
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
                "the peer's certificate is not trusted: a CA of its chain has no valid \
                 revocation list",
            ),
            Self::Revocations(error) => write!(f, "can not check revocation: {error}"),
            Self::Chain(error) => write!(f, "the peer's certificate is not trusted: {error}"),
            Self::NoAnchor => f.write_str("`ca` contains no self-signed certificate"),
            Self::Usage(error) => write!(f, "the peer's certificate is not trusted: {error}"),
            Self::CommonName(subject) => write!(
                f,
                "the peer's certificate has no common name of at most 64 bytes: {subject}"
            ),
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
