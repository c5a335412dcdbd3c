//! Waiting for something to become true, with an end.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// Asks again until `condition` is true; an error that names it when it is not in time.
pub fn until(what: &str, timeout: Duration, mut condition: impl FnMut() -> bool) -> Result<()> {
    let deadline = Instant::now() + timeout;
    while !condition() {
        if Instant::now() >= deadline {
            bail!("not in {timeout:?}: {what}");
        }
        thread::park_timeout(Duration::from_millis(10));
    }
    Ok(())
}
