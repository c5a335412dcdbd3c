//! Errors of certificates, keys and revocation lists.

use std::{fmt, io};

use rustls::pki_types::pem;

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
    /// The private key is encrypted in a way that is not supported.
    EncryptedKey,
    /// The private key is encrypted, and there is no password.
    Password(io::Error),
    /// The private key is encrypted by another password, or by a cipher that is not supported.
    WrongPassword,
    /// The file of revocation lists can't be read.
    RevocationFile(io::Error),
    /// The folder of revoked certificates can't be read.
    RevokedFolder(io::Error),
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
                "the private key is not encrypted as PKCS #8 is: convert it (openssl pkcs8 -topk8 -in KEY -out NEW)",
            ),
            Self::Password(error) => write!(f, "the private key is encrypted: {error}"),
            Self::WrongPassword => f.write_str(
                "the private key is encrypted by another password, or by neither AES in CBC nor PBES2",
            ),
            Self::RevocationFile(error) => write!(f, "the revocation list: {error}"),
            Self::RevokedFolder(error) => write!(f, "the folder of revoked numbers: {error}"),
            Self::RevocationPem(error) => write!(f, "the revocation list: {error}"),
            Self::RevocationList(error) => write!(f, "the revocation list: {error}"),
            Self::NoRevocationList => f.write_str("no revocation list"),
        }
    }
}

impl std::error::Error for TlsFileError {}
