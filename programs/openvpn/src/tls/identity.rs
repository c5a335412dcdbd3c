//! Certificates and keys out of PEM.

use std::{fmt, io};

use pkcs8::{EncryptedPrivateKeyInfo, SecretDocument};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use zeroize::Zeroizing;

const ENCRYPTED: &str = "-----BEGIN ENCRYPTED PRIVATE KEY-----";
const ENCRYPTED_END: &str = "-----END ENCRYPTED PRIVATE KEY-----";

/// A certificate of ours, what is between it and the CA, and its private key.
pub struct Identity {
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) key: PrivateKeyDer<'static>,
}

impl Identity {
    /// Reads both out of PEM. The password is asked for where the key is encrypted.
    ///
    /// # Errors
    ///
    /// When either is malformed or missing, or the password is wrong or can't be had.
    pub fn from_pem(
        chain: &str,
        key: &str,
        password: impl FnOnce() -> io::Result<Zeroizing<String>>,
    ) -> Result<Self, TlsFileError> {
        let chain = certificates(chain)?;
        let key = match key.find(ENCRYPTED) {
            Some(start) => decrypt(&key[start..], &password().map_err(TlsFileError::Password)?)?,
            None if key.contains("ENCRYPTED") => return Err(TlsFileError::EncryptedKey),
            None => PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(TlsFileError::Key)?,
        };
        Ok(Self { chain, key })
    }
}

/// The plain key in an encrypted one of PKCS #8 (RFC 5958).
fn decrypt(pem: &str, password: &str) -> Result<PrivateKeyDer<'static>, TlsFileError> {
    let length = pem.find(ENCRYPTED_END).ok_or(TlsFileError::EncryptedKey)? + ENCRYPTED_END.len();
    let (_, sealed) =
        SecretDocument::from_pem(&pem[..length]).map_err(|_| TlsFileError::EncryptedKey)?;
    let sealed = EncryptedPrivateKeyInfo::try_from(sealed.as_bytes())
        .map_err(|_| TlsFileError::EncryptedKey)?;
    let plain = sealed.decrypt(password).map_err(|_| TlsFileError::WrongPassword)?;
    Ok(PrivatePkcs8KeyDer::from(plain.as_bytes().to_vec()).into())
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
