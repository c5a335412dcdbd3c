//! Certificates that their CA took back (`crl-verify`).

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use rustls::pki_types::CertificateRevocationListDer;
use rustls::pki_types::pem::PemObject;
use webpki::{CertRevocationList, OwnedCertRevocationList};

use super::error::TlsFileError;
use super::revoked_folder::RevokedFolder;

/// Where revocation lists come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RevocationSource {
    /// PEM.
    Text(String),
    /// A file of PEM, which is read again when it has changed.
    File(PathBuf),
    /// A folder whose files have the numbers of certificates for names.
    Folder(PathBuf),
}

/// What is revoked.
#[derive(Debug)]
pub enum Revocations {
    /// What is in lists.
    Lists(RevocationLists),
    /// What a folder has files for.
    Folder(RevokedFolder),
}

/// Revocation lists, as new as their file.
#[derive(Debug)]
pub struct RevocationLists {
    /// Their file; none where they are in the profile itself.
    path: Option<PathBuf>,
    read: Mutex<Lists>,
}

#[derive(Debug)]
struct Lists {
    lists: Vec<CertRevocationList<'static>>,
    /// When the file was changed last, and its size.
    version: Option<(SystemTime, u64)>,
}

impl Revocations {
    /// Reads lists; of a folder, only whether it is there.
    ///
    /// # Errors
    ///
    /// When file or folder can't be read, a list is malformed, or there is none.
    pub fn read(source: RevocationSource) -> Result<Self, TlsFileError> {
        let (path, lists) = match source {
            RevocationSource::Folder(path) => return RevokedFolder::open(path).map(Self::Folder),
            RevocationSource::File(path) => {
                let lists = Lists::read(&path)?;
                (Some(path), lists)
            }
            RevocationSource::Text(text) => (None, Lists::parse(&text, None)?),
        };
        Ok(Self::Lists(RevocationLists { path, read: Mutex::new(lists) }))
    }
}

impl RevocationLists {
    /// Hands the lists to `judge`, once they are read again where the file has changed.
    pub(super) fn with_current<T>(
        &self,
        judge: impl FnOnce(&[&CertRevocationList<'_>]) -> T,
    ) -> Result<T, TlsFileError> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(path) = &self.path {
            let version = fs::metadata(path).and_then(|metadata| version(&metadata));
            if Some(version.map_err(TlsFileError::RevocationFile)?) != read.version {
                *read = Lists::read(path)?;
            }
        }
        let lists: Vec<&CertRevocationList<'_>> = read.lists.iter().collect();
        Ok(judge(&lists))
    }
}

impl Lists {
    fn read(path: &Path) -> Result<Self, TlsFileError> {
        let read = || {
            let mut file = File::open(path)?;
            let version = version(&file.metadata()?)?;
            let mut text = String::new();
            file.read_to_string(&mut text)?;
            Ok((text, version))
        };
        let (text, version) = read().map_err(TlsFileError::RevocationFile)?;
        Self::parse(&text, Some(version))
    }

    fn parse(text: &str, version: Option<(SystemTime, u64)>) -> Result<Self, TlsFileError> {
        let lists = CertificateRevocationListDer::pem_slice_iter(text.as_bytes())
            .map(|list| {
                let list = list.map_err(TlsFileError::RevocationPem)?;
                let list = OwnedCertRevocationList::from_der(&list);
                list.map(CertRevocationList::from).map_err(TlsFileError::RevocationList)
            })
            .collect::<Result<Vec<_>, _>>()?;
        match lists.is_empty() {
            true => Err(TlsFileError::NoRevocationList),
            false => Ok(Self { lists, version }),
        }
    }
}

fn version(metadata: &fs::Metadata) -> io::Result<(SystemTime, u64)> {
    Ok((metadata.modified()?, metadata.len()))
}
