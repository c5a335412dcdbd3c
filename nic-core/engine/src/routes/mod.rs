//! Allowed IPs: which peer an address belongs to, by the longest prefix.

mod address;
mod trie;

#[cfg(test)]
mod tests;

use core::{fmt, net::IpAddr};

use lock_api::{Mutex, RawMutex};

use self::{
    address::{Address, V4, V6},
    trie::{Trie, Writer},
};
use nic_memory::NoMemory;

use crate::protocol::PeerId;

/// Addresses that begin alike: an IP address, and how many of its first bits count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Prefix {
    /// The address; bits behind the first `length` don't count.
    pub address: IpAddr,
    /// At most 32 for IPv4, 128 for IPv6.
    pub length: u8,
}

/// Why a prefix was not inserted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InsertError {
    /// The prefix is longer than its address.
    BadLength,
    /// Memory ran out.
    NoMemory,
}

/// Both families' prefixes. Readers take no lock; writers take turns.
pub struct Routes<L> {
    v4: Trie<V4>,
    v6: Trie<V6>,
    writers: Mutex<L, Writers>,
}

struct Writers {
    v4: Writer,
    v6: Writer,
}

impl<L: RawMutex> Routes<L> {
    /// No prefixes.
    pub fn new() -> Self {
        let writers = Writers { v4: Writer::new(), v6: Writer::new() };
        Self { v4: Trie::new(), v6: Trie::new(), writers: Mutex::new(writers) }
    }

    /// The peer that has the longest prefix of an address.
    pub fn lookup(&self, address: IpAddr) -> Option<PeerId> {
        match address {
            IpAddr::V4(address) => self.v4.lookup(V4(address.to_bits())),
            IpAddr::V6(address) => self.v6.lookup(V6(address.to_bits())),
        }
    }

    /// Gives a prefix to a peer; another peer that had it loses it.
    pub fn insert(&self, prefix: Prefix, peer: PeerId) -> Result<(), InsertError> {
        let length = prefix.length.into();
        if length > prefix.bits() {
            return Err(InsertError::BadLength);
        }
        let Writers { v4, v6 } = &mut *self.writers.lock();
        match prefix.address {
            IpAddr::V4(address) => self.v4.insert(v4, V4(address.to_bits()), length, peer),
            IpAddr::V6(address) => self.v6.insert(v6, V6(address.to_bits()), length, peer),
        }
        .map_err(|NoMemory| InsertError::NoMemory)
    }

    /// Takes a prefix from a peer. False where it is not the peer's; then nothing changes.
    pub fn remove(&self, prefix: Prefix, peer: PeerId) -> bool {
        let length = prefix.length.into();
        if length > prefix.bits() {
            return false;
        }
        let Writers { v4, v6 } = &mut *self.writers.lock();
        match prefix.address {
            IpAddr::V4(address) => self.v4.remove(v4, V4(address.to_bits()), length, peer),
            IpAddr::V6(address) => self.v6.remove(v6, V6(address.to_bits()), length, peer),
        }
    }

    /// Who has a prefix, exactly this one.
    pub fn owner(&self, prefix: Prefix) -> Option<PeerId> {
        let length = prefix.length.into();
        if length > prefix.bits() {
            return None;
        }
        let Writers { v4, v6 } = &*self.writers.lock();
        match prefix.address {
            IpAddr::V4(address) => self.v4.owner(v4, V4(address.to_bits()), length),
            IpAddr::V6(address) => self.v6.owner(v6, V6(address.to_bits()), length),
        }
    }

    /// Takes all prefixes of a peer.
    pub fn remove_peer(&self, peer: PeerId) {
        let Writers { v4, v6 } = &mut *self.writers.lock();
        self.v4.remove_all(v4, peer);
        self.v6.remove_all(v6, peer);
    }

    /// Calls `f` with each prefix of a peer: IPv4, then IPv6, each in the order in which the peer
    /// got them. `f` must not change the routes.
    pub fn for_each(&self, peer: PeerId, f: &mut dyn FnMut(Prefix)) {
        let Writers { v4, v6 } = &*self.writers.lock();
        self.v4.for_each(v4, peer, &mut |prefix, length| f(Prefix::new(prefix, length)));
        self.v6.for_each(v6, peer, &mut |prefix, length| f(Prefix::new(prefix, length)));
    }

    /// Makes sure that so many prefixes of each family can be inserted without memory, for peers
    /// with an index below `peers`.
    pub fn reserve(
        &self,
        v4_prefixes: usize,
        v6_prefixes: usize,
        peers: usize,
    ) -> Result<(), NoMemory> {
        let Writers { v4, v6 } = &mut *self.writers.lock();
        self.v4.reserve(v4, v4_prefixes, peers)?;
        self.v6.reserve(v6, v6_prefixes, peers)
    }

    /// Writes both tries as a Graphviz digraph: prefixes with their peer's index, forks dashed.
    pub fn write_graphviz(&self, out: &mut impl fmt::Write) -> fmt::Result {
        let _writers = self.writers.lock();
        writeln!(out, "digraph routes {{\n  node [shape=box];")?;
        write_trie(&self.v4, out)?;
        write_trie(&self.v6, out)?;
        writeln!(out, "}}")
    }
}

impl<L: RawMutex> Default for Routes<L> {
    fn default() -> Self {
        Self::new()
    }
}

impl Prefix {
    fn new(address: impl Address, length: u32) -> Self {
        Self { address: address.into(), length: length as u8 }
    }

    const fn bits(&self) -> u32 {
        match self.address {
            IpAddr::V4(_) => V4::BITS,
            IpAddr::V6(_) => V6::BITS,
        }
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
    }
}

fn write_trie(trie: &Trie<impl Address>, out: &mut impl fmt::Write) -> fmt::Result {
    trie.for_each_node(&mut |node| {
        let (address, length) = node.prefix;
        // The address and the length apart: `Display` of `Prefix` would nest one more formatter,
        // and the kernel's stack bounds how many.
        let address: IpAddr = address.into();
        write!(out, "  \"{address}/{length}\" ")?;
        match node.owner {
            Some(peer) => {
                writeln!(out, "[label=\"{address}/{length}\\npeer {}\"];", peer.index)?;
            }
            None => writeln!(out, "[style=dashed];")?,
        }
        for (bit, child) in node.children.into_iter().enumerate() {
            if let Some((to, to_length)) = child {
                let to: IpAddr = to.into();
                write!(out, "  \"{address}/{length}\" -> ")?;
                writeln!(out, "\"{to}/{to_length}\" [label={bit}];")?;
            }
        }
        Ok(())
    })
}
