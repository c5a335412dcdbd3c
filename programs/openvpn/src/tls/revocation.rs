//! Certificate revocation (`crl-verify`).

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use rustls::pki_types::CertificateRevocationListDer;
use rustls::pki_types::pem::PemObject;
use webpki::{CertRevocationList, OwnedCertRevocationList};

use super::error::TlsFileError;
use super::extensions::list_begin;
use super::revoked_folder::RevokedFolder;
use crate::root_folder::locate;

/// Source of revocation information.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RevocationSource {
    /// Revocation lists in PEM.
    Text(String),
    /// A PEM file, read again when it changes.
    File(PathBuf),
    /// A folder whose file names are serial numbers.
    Folder(PathBuf),
}

/// Revocation information.
#[derive(Debug)]
pub enum Revocations {
    /// Revocation lists.
    Lists(RevocationLists),
    /// A folder of serial numbers.
    Folder(RevokedFolder),
}

/// Revocation lists, reloaded when their file changes.
#[derive(Debug)]
pub struct RevocationLists {
    /// Their file; `None` if inline in the profile.
    path: Option<PathBuf>,
    read: Mutex<Lists>,
}

#[derive(Debug)]
struct Lists {
    /// With the time from which on each is valid.
    lists: Vec<(CertRevocationList<'static>, String)>,
    /// Modification time and size of the file.
    version: Option<(SystemTime, u64)>,
}

impl Revocations {
    /// Reads the lists, or checks that the folder exists.
    ///
    /// # Errors
    ///
    /// When file or folder can't be read, a list is malformed, or there is no list.
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
    /// Calls `check` with the lists that are valid at `now` (`YYYYMMDDhhmmss`) or were before,
    /// reloaded first if the file has changed.
    pub(super) fn with_current<T>(
        &self,
        now: &str,
        check: impl FnOnce(&[&CertRevocationList<'_>]) -> T,
    ) -> Result<T, TlsFileError> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(path) = &self.path {
            let version = fs::metadata(locate(path)).and_then(|metadata| version(&metadata));
            if Some(version.map_err(TlsFileError::RevocationFile)?) != read.version {
                *read = Lists::read(path)?;
            }
        }
        let begun = read.lists.iter().filter(|(_, begin)| begin.as_str() <= now);
        let lists: Vec<&CertRevocationList<'_>> = begun.map(|(list, _)| list).collect();
        Ok(check(&lists))
    }
}

impl Lists {
    fn read(path: &Path) -> Result<Self, TlsFileError> {
        let read = || {
            let mut file = File::open(locate(path))?;
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
                let malformed = TlsFileError::RevocationList;
                let begin = list_begin(&list).ok_or(malformed(webpki::Error::BadDer))?;
                let list = OwnedCertRevocationList::from_der(&list).map_err(malformed)?;
                Ok((CertRevocationList::from(list), begin))
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
