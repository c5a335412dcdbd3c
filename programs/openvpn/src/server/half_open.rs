//! Limits for sessions that are not authenticated.
//!
//! Each has returned a cookie, and uses the memory of a handshake. Where there are too many, the
//! oldest one makes room: a flood then delays other clients, but does not keep them out.

use std::net::{IpAddr, Ipv6Addr};
use std::time::Instant;

use super::Server;

/// Maximum of sessions that are not authenticated or were dismissed, in total and per source.
const MAX_SESSIONS: usize = 512;
const MAX_SESSIONS_PER_SOURCE: usize = 64;

impl Server {
    /// Number of sessions that are not authenticated or were dismissed.
    pub fn half_open_count(&self) -> usize {
        self.clients.values().filter(|client| client.connected().is_none()).count()
    }

    /// Removes the oldest such session of the source, or of all, if another one would exceed a
    /// limit.
    pub(super) fn make_room(&mut self, from: IpAddr) {
        let source = source(from);
        let (mut count, mut count_of_source) = (0, 0);
        let (mut oldest, mut oldest_of_source): (Option<(Instant, u32)>, _) = (None, None);
        for (id, client) in &self.clients {
            if client.connected().is_some() {
                continue;
            }
            let age = Some((client.begun, *id));
            count += 1;
            oldest = oldest.or(age).min(age);
            if self::source(client.address.ip()) == source {
                count_of_source += 1;
                oldest_of_source = oldest_of_source.or(age).min(age);
            }
        }
        let surplus = match (count_of_source >= MAX_SESSIONS_PER_SOURCE, count >= MAX_SESSIONS) {
            (true, _) => oldest_of_source,
            (false, true) => oldest,
            (false, false) => None,
        };
        // Not logged: anybody can cause this.
        if let Some((_, id)) = surplus {
            self.forget(id);
        }
    }
}

/// The source that an address counts as: a host of IPv6 has at least a /64 network.
fn source(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let bits = address.to_bits() >> 64 << 64;
            Ipv6Addr::from_bits(bits).into()
        }
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_of_ipv6_is_one_source() {
        let source = |text: &str| source(text.parse().unwrap());
        assert_eq!(source("2001:db8::1"), source("2001:db8::ffff:ffff:ffff:ffff"));
        assert_ne!(source("2001:db8::1"), source("2001:db8:0:1::1"));
        assert_ne!(source("192.0.2.1"), source("192.0.2.2"));
        assert_eq!(source("192.0.2.1"), source("::ffff:192.0.2.1"));
    }
}
