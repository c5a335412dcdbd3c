//! Certificates and private keys from PEM.

use std::io;

use pkcs8::{EncryptedPrivateKeyInfo, SecretDocument};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use zeroize::Zeroizing;

use super::error::TlsFileError;

const ENCRYPTED: &str = "-----BEGIN ENCRYPTED PRIVATE KEY-----";
const ENCRYPTED_END: &str = "-----END ENCRYPTED PRIVATE KEY-----";

/// Our certificate, its intermediates, and the private key.
pub struct Identity {
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) key: PrivateKeyDer<'static>,
}

impl Identity {
    /// Parses PEM. Calls `password` if the key is encrypted.
    ///
    /// # Errors
    ///
    /// When either is malformed or missing, or the password is wrong or not available.
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

/// Decrypts a PKCS #8 private key (RFC 5958).
fn decrypt(pem: &str, password: &str) -> Result<PrivateKeyDer<'static>, TlsFileError> {
    let length = pem.find(ENCRYPTED_END).ok_or(TlsFileError::EncryptedKey)? + ENCRYPTED_END.len();
    let (_, sealed) =
        SecretDocument::from_pem(&pem[..length]).map_err(|_| TlsFileError::EncryptedKey)?;
    let sealed = EncryptedPrivateKeyInfo::try_from(sealed.as_bytes())
        .map_err(|_| TlsFileError::EncryptedKey)?;
    let plain = sealed.decrypt(password).map_err(|_| TlsFileError::WrongPassword)?;
    Ok(PrivatePkcs8KeyDer::from(plain.as_bytes().to_vec()).into())
}

/// The certificates in a PEM text; at least one.
pub fn certificates(text: &str) -> Result<Vec<CertificateDer<'static>>, TlsFileError> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
    match certificates.map_err(TlsFileError::Certificate)? {
        certificates if certificates.is_empty() => Err(TlsFileError::NoCertificate),
        certificates => Ok(certificates),
    }
}
