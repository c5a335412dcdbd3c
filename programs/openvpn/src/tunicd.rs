//! Attaches to `tunicd`, the daemon that runs the driver.

use std::os::unix::net::UnixStream;

use anyhow::{Context, Result};
use tunic::UnixTransport;

use crate::commands::{self, Command};

/// The daemon of an interface: one that already runs, or one that ends with us.
pub struct Tunicd {
    is_ours: bool,
}

impl Tunicd {
    /// Connects to the adapter of this interface. Starts a daemon where none serves it.
    pub fn attach(interface: &str) -> Result<(Self, UnixStream)> {
        match UnixTransport::dial(interface) {
            Err(tunic::Error::NoAdapter(_)) => {}
            dialled => {
                let stream = dialled.with_context(|| interface.to_owned())?;
                return Ok((Self { is_ours: false }, stream));
            }
        }
        commands::run(&Command::StartDaemon)?;
        let tunicd = Self { is_ours: true };
        let stream = UnixTransport::dial(interface).with_context(|| interface.to_owned())?;
        Ok((tunicd, stream))
    }

    /// Whether we started it.
    pub fn is_ours(&self) -> bool {
        self.is_ours
    }
}

impl Drop for Tunicd {
    /// Stops the daemon and waits for its exit, if we started it.
    fn drop(&mut self) {
        if self.is_ours {
            // The process that runs commands may have ended, and tunicd with it.
            let _ = commands::run(&Command::StopDaemon);
        }
    }
}
