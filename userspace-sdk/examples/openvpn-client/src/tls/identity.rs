//! Certificates and keys out of PEM.

use std::{fmt, io};

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// A certificate of ours, what is between it and the CA, and its private key.
pub struct Identity {
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) key: PrivateKeyDer<'static>,
}

impl Identity {
    /// Reads both out of PEM.
    pub fn from_pem(chain: &str, key: &str) -> Result<Self, TlsFileError> {
        let chain = certificates(chain)?;
        if key.contains("ENCRYPTED") {
            return Err(TlsFileError::EncryptedKey);
        }
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(TlsFileError::Key)?;
        Ok(Self { chain, key })
    }
}

/// The certificates in a PEM, of which there must be one.
pub fn certificates(text: &str) -> Result<Vec<CertificateDer<'static>>, TlsFileError> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
    match certificates.map_err(TlsFileError::Certificate)? {
        certificates if certificates.is_empty() => Err(TlsFileError::NoCertificate),
        certificates => Ok(certificates),
    }
}

/// Why a PEM is of no use.
#[derive(Debug)]
#[non_exhaustive]
pub enum TlsFileError {
    /// A certificate is malformed.
    Certificate(pem::Error),
    /// There is no certificate in it.
    NoCertificate,
    /// The private key is malformed or missing.
    Key(pem::Error),
    /// The private key is encrypted, which is not supported.
    EncryptedKey,
    /// The file of revocation lists can't be read.
    RevocationFile(io::Error),
    /// A revocation list is not PEM.
    RevocationPem(pem::Error),
    /// A revocation list is malformed.
    RevocationList(webpki::Error),
    /// There is no revocation list in it.
    NoRevocationList,
}

impl fmt::Display for TlsFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Certificate(error) => write!(f, "certificate: {error}"),
            Self::NoCertificate => f.write_str("no certificate"),
            Self::Key(error) => write!(f, "private key: {error}"),
            Self::EncryptedKey => f.write_str(
                "the private key is encrypted: decrypt it first (openssl pkey -in KEY -out PLAIN)",
            ),
            Self::RevocationFile(error) => write!(f, "the revocation list: {error}"),
            Self::RevocationPem(error) => write!(f, "the revocation list: {error}"),
            Self::RevocationList(error) => write!(f, "the revocation list: {error}"),
            Self::NoRevocationList => f.write_str("no revocation list"),
        }
    }
}

impl std::error::Error for TlsFileError {}
