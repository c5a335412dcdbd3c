//! Address pool of the tunnel.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::options::Network;

/// Addresses of an IPv4 network and optionally an IPv6 network. The server has the first ones.
#[derive(Debug)]
pub struct Pool {
    base: u32,
    prefix_length: u8,
    base_v6: Option<(u128, u8)>,
    /// Client by the offset of its address in the network.
    taken: HashMap<u32, u32>,
    /// Client by an address without such an offset.
    others: HashMap<IpAddr, u32>,
    /// Last offset of a name.
    last: HashMap<String, u32>,
}

/// A client's addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Its address.
    pub address: Ipv4Addr,
    /// Its IPv6 address.
    pub address_v6: Option<Ipv6Addr>,
}

/// Why no address is available.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PoolError {
    /// All addresses are taken.
    Empty,
    /// The fixed address belongs to another client or to the server.
    Taken(IpAddr),
}

impl Pool {
    /// Creates a pool of these networks.
    pub fn new(network: Network, network_v6: Option<Network>) -> Self {
        let base = |network: &Network| match network.address() {
            IpAddr::V4(address) => u128::from(address.to_bits()),
            IpAddr::V6(address) => address.to_bits(),
        };
        Self {
            // CAST: `server` is a network of IPv4.
            base: base(&network) as u32,
            prefix_length: network.prefix_length(),
            base_v6: network_v6.map(|network| (base(&network), network.prefix_length())),
            taken: HashMap::new(),
            others: HashMap::new(),
            last: HashMap::new(),
        }
    }

    /// The server's address and the prefix length.
    pub fn own(&self) -> (Ipv4Addr, u8) {
        (self.address(1), self.prefix_length)
    }

    /// The server's IPv6 address and the prefix length.
    pub fn own_v6(&self) -> Option<(Ipv6Addr, u8)> {
        Some((self.address_v6(1)?, self.base_v6?.1))
    }

    /// The network's mask.
    pub fn mask(&self) -> Ipv4Addr {
        Ipv4Addr::from_bits(u32::MAX << (32 - u32::from(self.prefix_length)))
    }

    /// Allocates addresses for a client: the fixed ones, else those that its name had last, else
    /// free ones.
    ///
    /// # Errors
    ///
    /// When none is free, or a fixed one is taken. Then nothing has changed.
    pub fn lease(
        &mut self,
        client: u32,
        name: &str,
        fixed: Option<Ipv4Addr>,
        fixed_v6: Option<Ipv6Addr>,
    ) -> Result<Lease, PoolError> {
        let offset = match fixed {
            Some(address) => self.offset(address),
            None => Some(self.free(name).ok_or(PoolError::Empty)?),
        };
        let address = match (fixed, offset) {
            (Some(address), _) => address,
            (None, offset) => self.address(offset.unwrap_or_default()),
        };
        let address_v6 = fixed_v6.or_else(|| offset.and_then(|offset| self.address_v6(offset)));
        if offset.is_some_and(|offset| offset == 1 || self.taken.contains_key(&offset))
            || self.others.contains_key(&address.into())
        {
            return Err(PoolError::Taken(address.into()));
        }
        if let Some(address) = address_v6
            && self.others.contains_key(&address.into())
        {
            return Err(PoolError::Taken(address.into()));
        }
        match offset {
            Some(offset) => {
                self.taken.insert(offset, client);
                self.last.insert(name.to_owned(), offset);
            }
            None => {
                self.others.insert(address.into(), client);
            }
        }
        if let Some(address) = address_v6 {
            self.others.insert(address.into(), client);
        }
        Ok(Lease { address, address_v6 })
    }

    /// Releases a client's addresses.
    pub fn release(&mut self, client: u32) {
        self.taken.retain(|_, holder| *holder != client);
        self.others.retain(|_, holder| *holder != client);
    }

    fn free(&self, name: &str) -> Option<u32> {
        let is_free = |offset: &u32| !self.taken.contains_key(offset);
        let last = self.last.get(name).copied().filter(is_free);
        last.or_else(|| (2..self.size() - 1).find(is_free))
    }

    /// Number of addresses, including network and broadcast address.
    fn size(&self) -> u32 {
        1 << (32 - u32::from(self.prefix_length))
    }

    fn offset(&self, address: Ipv4Addr) -> Option<u32> {
        address.to_bits().checked_sub(self.base).filter(|offset| *offset < self.size())
    }

    fn address(&self, offset: u32) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.base.wrapping_add(offset))
    }

    fn address_v6(&self, offset: u32) -> Option<Ipv6Addr> {
        let (base, prefix_length) = self.base_v6?;
        let room = 1_u128 << (128 - u32::from(prefix_length));
        (u128::from(offset) < room).then(|| Ipv6Addr::from_bits(base + u128::from(offset)))
    }
}

impl std::fmt::Display for PoolError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Empty => f.write_str("all addresses are taken"),
            Self::Taken(address) => write!(f, "its address {address} is taken"),
        }
    }
}

impl std::error::Error for PoolError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(prefix_length: u8) -> Pool {
        let network = |address: &str, length| Network::new(address.parse().unwrap(), length);
        Pool::new(network("10.8.0.0", prefix_length).unwrap(), network("fd00::", 64))
    }

    #[test]
    fn a_name_gets_what_it_had() {
        let mut pool = pool(24);
        let mut address =
            |client, name| pool.lease(client, name, None, None).unwrap().address.octets()[3];
        assert_eq!([address(1, "a"), address(2, "b"), address(3, "a")], [2, 3, 4]);
        pool.release(1);
        pool.release(2);
        let lease = pool.lease(4, "b", None, None).unwrap();
        assert_eq!(lease.address, Ipv4Addr::new(10, 8, 0, 3));
        assert_eq!(lease.address_v6, "fd00::3".parse().ok());
    }

    #[test]
    fn addresses_come_to_an_end() {
        let mut pool = pool(29);
        for client in 0..5 {
            pool.lease(client, "a", None, None).unwrap();
        }
        assert_eq!(pool.lease(9, "b", None, None), Err(PoolError::Empty));
    }

    #[test]
    fn nobody_gets_anothers_address() {
        let mut pool = pool(24);
        let mut fixed = |client, address: &str| {
            pool.lease(client, "a", address.parse().ok(), None).map(|lease| lease.address_v6)
        };
        let taken = |address: &str| Err(PoolError::Taken(address.parse().unwrap()));
        assert_eq!(fixed(1, "10.8.0.1"), taken("10.8.0.1"));
        assert_eq!(fixed(1, "10.8.0.2"), Ok("fd00::2".parse().ok()));
        assert_eq!(fixed(2, "10.8.0.2"), taken("10.8.0.2"));
        assert_eq!(fixed(2, "10.9.0.2"), Ok(None));
        assert_eq!(fixed(3, "10.9.0.2"), taken("10.9.0.2"));
        assert_eq!(pool.lease(3, "b", None, None).unwrap().address, Ipv4Addr::new(10, 8, 0, 3));
    }
}
