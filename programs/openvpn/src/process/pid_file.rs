//! The file with the process's number (`writepid`).

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tunic_confinement::output_file::{self, Existing};

/// The file. Removed on drop.
pub(super) struct PidFile(PathBuf);

impl PidFile {
    pub(super) fn write(path: &Path) -> io::Result<Self> {
        let mut file = output_file::open(path, Existing::Truncate)?;
        writeln!(file, "{}", std::process::id())?;
        Ok(Self(path.to_owned()))
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // A process that has given up its privileges may not be allowed to.
        let _ = std::fs::remove_file(&self.0);
    }
}
