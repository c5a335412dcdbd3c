//! Addresses of the servers.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use anyhow::{Result, bail};

use crate::profile::{Family, Remote};

/// Resolves the servers' names. Addresses are kept: while the tunnel stays without a connection,
/// name servers behind it do not answer.
#[derive(Default)]
pub(super) struct Names {
    known: Known,
    /// Attempts with kept addresses.
    attempts: HashMap<Remote, usize>,
}

type Known = Arc<Mutex<HashMap<Remote, Vec<SocketAddr>>>>;

impl Names {
    /// Resolves names in the background, before the tunnel may make that impossible.
    pub(super) fn prepare(&self, remotes: &[Remote]) {
        let names = remotes.iter().filter(|remote| remote.host.parse::<IpAddr>().is_err());
        let (names, known): (Vec<_>, _) = (names.cloned().collect(), self.known.clone());
        thread::spawn(move || {
            for remote in names {
                if let Ok(addresses) = resolve(&remote) {
                    lock(&known).entry(remote).or_insert(addresses);
                }
            }
        });
    }

    /// At least one address of a server. If the tunnel stays, each kept address is tried once
    /// before the name is resolved again.
    pub(super) fn addresses(
        &mut self,
        remote: &Remote,
        is_tunnel_kept: bool,
    ) -> Result<Vec<SocketAddr>> {
        let known = lock(&self.known).get(remote).cloned();
        let attempts = self.attempts.entry(remote.clone()).or_default();
        if let Some(known) = known.as_ref().filter(|_| is_tunnel_kept)
            && *attempts < known.len()
        {
            *attempts += 1;
            return Ok(known.clone());
        }
        *attempts = 0;
        match (resolve(remote), known) {
            (Ok(addresses), _) => {
                lock(&self.known).insert(remote.clone(), addresses.clone());
                Ok(addresses)
            }
            (Err(_), Some(known)) if is_tunnel_kept => Ok(known),
            (Err(error), _) => Err(error),
        }
    }
}

fn lock(
    known: &Mutex<HashMap<Remote, Vec<SocketAddr>>>,
) -> MutexGuard<'_, HashMap<Remote, Vec<SocketAddr>>> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Resolves a server's name to at least one address.
fn resolve(remote: &Remote) -> Result<Vec<SocketAddr>> {
    let addresses: Vec<_> = (remote.host.as_str(), remote.port)
        .to_socket_addrs()?
        .filter(|address| match remote.family {
            None => true,
            Some(Family::V4) => address.is_ipv4(),
            Some(Family::V6) => address.is_ipv6(),
        })
        .collect();
    if addresses.is_empty() {
        bail!("no address of the address family that the profile selects");
    }
    Ok(addresses)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_outlast_the_name_servers() {
        let remote = Remote { host: "vpn.invalid".into(), port: 1194, family: None };
        let mut names = Names::default();
        let kept = vec![SocketAddr::from(([192, 0, 2, 1], 1194))];
        names.known.lock().unwrap().insert(remote.clone(), kept.clone());
        for _ in 0..3 {
            assert_eq!(names.addresses(&remote, true).unwrap(), kept);
        }
        // Without the tunnel, the answer is that of the name servers.
        assert!(names.addresses(&remote, false).is_err());
    }
}
