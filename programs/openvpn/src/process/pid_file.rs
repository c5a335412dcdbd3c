//! The file with the process's number (`writepid`).

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tunic_confinement::output_file::{self, Existing};

/// The file. Removed on drop, unless the number in it is still another's.
pub(super) struct PidFile {
    path: PathBuf,
    file: File,
    is_written: bool,
}

impl PidFile {
    /// Opens the file, which keeps what it has: a process that can't start leaves the number of one
    /// that runs.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = output_file::open(path, Existing::Append)?;
        Ok(Self { path: path.to_owned(), file, is_written: false })
    }

    /// Writes the number.
    pub(super) fn write(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        self.is_written = true;
        writeln!(self.file, "{}", std::process::id())
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        if self.is_written || self.file.metadata().is_ok_and(|metadata| metadata.len() == 0) {
            // A process that has given up its privileges may not be allowed to.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}
