//! The root folder that the process will have (`chroot`), for files that are read after its start
//! and whose paths therefore start there, such as lists of revoked certificates.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// The folder, until it is the process's.
static AHEAD: Mutex<Option<PathBuf>> = Mutex::new(None);

/// The process will have this root folder; `None` once it has it, or keeps the system's.
pub(crate) fn expect(root: Option<PathBuf>) {
    *AHEAD.lock().unwrap_or_else(PoisonError::into_inner) = root;
}

/// Where a file is now that will have this path.
pub(crate) fn locate(path: &Path) -> PathBuf {
    let ahead = AHEAD.lock().unwrap_or_else(PoisonError::into_inner);
    match ahead.as_ref() {
        Some(root) => root.join(path.strip_prefix("/").unwrap_or(path)),
        None => path.to_owned(),
    }
}
