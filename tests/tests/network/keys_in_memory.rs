//! After a key is removed, the memory of the programs holds no copy of it. Needs root.

mod channel;
mod openvpn;
mod wireguard;

use std::time::Duration;

use anyhow::Result;
use tunic_tests::namespace::Namespace;

/// Sends packets in batches that workers seal and open.
fn flood(namespace: &Namespace, to: &str) -> Result<()> {
    namespace.shell(&format!("ping -f -q -l 64 -c 200 -s 1000 {to}"), Duration::from_secs(30))?;
    Ok(())
}
