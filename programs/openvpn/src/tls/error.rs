//! Errors of certificates, keys and revocation lists.

use std::{fmt, io};

use rustls::pki_types::pem;

/// Why certificates, keys or revocation lists can't be used.
#[derive(Debug)]
#[non_exhaustive]
pub enum TlsFileError {
    /// A certificate is malformed.
    Certificate(pem::Error),
    /// The text contains no certificate.
    NoCertificate,
    /// The private key is malformed or missing.
    Key(pem::Error),
    /// The private key uses an unsupported encryption format.
    EncryptedKey,
    /// The private key is encrypted, and no password is available.
    Password(io::Error),
    /// Decryption of the private key failed: wrong password, or unsupported cipher.
    WrongPassword,
    /// The revocation list file can't be read.
    RevocationFile(io::Error),
    /// The folder of revoked serial numbers can't be read.
    RevokedFolder(io::Error),
    /// A revocation list is not PEM.
    RevocationPem(pem::Error),
    /// A revocation list is malformed.
    RevocationList(webpki::Error),
    /// The text contains no revocation list.
    NoRevocationList,
}

impl fmt::Display for TlsFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Certificate(error) => write!(f, "certificate: {error}"),
            Self::NoCertificate => f.write_str("no certificate"),
            Self::Key(error) => write!(f, "private key: {error}"),
            Self::EncryptedKey => f.write_str(
                "encrypted private key is not PKCS #8: convert it \
                 (openssl pkcs8 -topk8 -in KEY -out NEW)",
            ),
            Self::Password(error) => write!(f, "password of the private key: {error}"),
            Self::WrongPassword => f.write_str(
                "can not decrypt the private key: wrong password, or a cipher other than PBES2 \
                 with AES-CBC",
            ),
            Self::RevocationFile(error) => write!(f, "revocation list: {error}"),
            Self::RevokedFolder(error) => write!(f, "folder of revoked serial numbers: {error}"),
            Self::RevocationPem(error) => write!(f, "revocation list: {error}"),
            Self::RevocationList(error) => write!(f, "revocation list: {error}"),
            Self::NoRevocationList => f.write_str("no revocation list"),
        }
    }
}

impl std::error::Error for TlsFileError {}
