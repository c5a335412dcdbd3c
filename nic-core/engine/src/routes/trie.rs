//! A binary trie with compressed paths that readers walk while one writer changes it.
//!
//! Every change that a reader can meet is one store that takes the trie from one right state to
//! another: nodes are filled before a link to them is published, and unlinked before they are free.
//! What is left is a reader that stands on a node which is unlinked, freed and *recycled* under it.
//! So the writer counts recycling, and a reader that sees the count changed looks again. No reader
//! ever waits for a writer that is interrupted half-way.

use alloc::vec::Vec;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};

use nic_memory::{NoMemory, Push, slice};

use super::address::Address;
use crate::{growing::Growing, protocol::PeerId};

/// Prefixes of one address family and whose they are.
pub(super) struct Trie<A: Address> {
    /// The first is the root, which is there from the first prefix on and matches everything.
    nodes: Growing<Node<A>>,
    /// Counts recycled nodes.
    recycled: AtomicU64,
    /// Stands for a node that does not exist.
    outside: Node<A>,
}

/// A prefix, or a fork without a value.
struct Node<A: Address> {
    value: AtomicU64,
    prefix: A::Cell,
    length: AtomicU32,
    /// The nodes of longer prefixes, by the bit that follows; [`NONE`] where there are none.
    children: [AtomicU32; 2],
}

/// A node as it is printed. Prefixes are addresses with their lengths.
pub(super) struct View<A> {
    pub(super) prefix: (A, u32),
    pub(super) owner: Option<PeerId>,
    pub(super) children: [Option<(A, u32)>; 2],
}

/// What only the writer needs to know of a trie.
pub(super) struct Writer {
    /// Nodes ever used.
    used: u32,
    /// Those that are free again; has room for all.
    free: Vec<u32>,
    /// The other prefixes of the same peer, by node.
    links: Vec<Link>,
    /// The ends of each peer's list, by the peer's index.
    lists: Vec<Link>,
}

/// Neighbours in a list, or its last and first item.
#[derive(Clone, Copy)]
struct Link {
    previous: u32,
    next: u32,
}

impl<A: Address> Trie<A> {
    pub(super) fn new() -> Self {
        Self { nodes: Growing::new(), recycled: AtomicU64::new(0), outside: Node::default() }
    }

    /// The value of the longest prefix of an address.
    pub(super) fn lookup(&self, address: A) -> Option<PeerId> {
        loop {
            let recycled = self.recycled.load(Ordering::Acquire);
            let value = walk(self.nodes.slice(), address);
            // Pairs with the fence in `allocate`: who has read a recycled node sees the count
            // changed.
            fence(Ordering::Acquire);
            if self.recycled.load(Ordering::Relaxed) == recycled {
                return peer(value);
            }
        }
    }

    /// Gives a prefix to a peer, whoever had it before.
    pub(super) fn insert(
        &self,
        writer: &mut Writer,
        prefix: A,
        length: u32,
        peer: PeerId,
    ) -> Result<(), NoMemory> {
        self.reserve(writer, 1, peer.index as usize + 1)?;
        let value = pack(peer);
        let prefix = prefix.masked(length);
        let mut at = ROOT;
        loop {
            let node = self.node(at);
            if node.length() == length {
                let old = node.value.swap(value, Ordering::Release);
                if old != value {
                    writer.unlink(at, old);
                    writer.link(at, peer);
                }
                return Ok(());
            }
            let side = prefix.bit(node.length());
            let child = node.child(side);
            let next = self.node(child);
            let common = next.prefix().common_bits(prefix).min(next.length()).min(length);
            if child == NONE {
                let leaf = self.allocate(writer, prefix, length, value, [NONE; 2])?;
                writer.link(leaf, peer);
                node.set_child(side, leaf);
                return Ok(());
            }
            if common == next.length() {
                at = child;
                continue;
            }
            let below = next.prefix().bit(common);
            let new = if common == length {
                let children = pair(below, child, NONE);
                let new = self.allocate(writer, prefix, length, value, children)?;
                writer.link(new, peer);
                new
            } else {
                let leaf = self.allocate(writer, prefix, length, value, [NONE; 2])?;
                writer.link(leaf, peer);
                let children = pair(below, child, leaf);
                self.allocate(writer, prefix.masked(common), common, VACANT, children)?
            };
            node.set_child(side, new);
            return Ok(());
        }
    }

    /// Takes a prefix from a peer; false where it is not the peer's.
    pub(super) fn remove(
        &self,
        writer: &mut Writer,
        prefix: A,
        length: u32,
        owner: PeerId,
    ) -> bool {
        let Some([above, parent, at]) = self.find(prefix.masked(length), length) else {
            return false;
        };
        if self.node(at).value.load(Ordering::Relaxed) != pack(owner) {
            return false;
        }
        self.node(at).value.store(VACANT, Ordering::Release);
        writer.unlink(at, pack(owner));
        self.prune(writer, at, parent);
        // A fork above has lost one of its two ways.
        self.prune(writer, parent, above);
        true
    }

    /// Who has a prefix, exactly this one.
    pub(super) fn owner(&self, _writer: &Writer, prefix: A, length: u32) -> Option<PeerId> {
        let [.., at] = self.find(prefix.masked(length), length)?;
        peer(self.node(at).value.load(Ordering::Relaxed))
    }

    /// The node of a prefix, behind the two above it. For writers alone.
    fn find(&self, prefix: A, length: u32) -> Option<[u32; 3]> {
        let (mut above, mut parent, mut at) = (NONE, NONE, ROOT);
        loop {
            let node = self.node(at);
            if at == NONE
                || node.length() > length
                || node.prefix().common_bits(prefix) < node.length()
            {
                return None;
            }
            if node.length() == length {
                return Some([above, parent, at]);
            }
            (above, parent, at) = (parent, at, node.child(prefix.bit(node.length())));
        }
    }

    /// Takes all prefixes of a peer.
    pub(super) fn remove_all(&self, writer: &mut Writer, owner: PeerId) {
        while let Some(first) = writer.first(owner.index) {
            let node = self.node(first);
            if !self.remove(writer, node.prefix(), node.length(), owner) {
                break;
            }
        }
    }

    /// Calls `f` with each prefix of a peer, in the order in which it got them.
    pub(super) fn for_each(&self, writer: &Writer, owner: PeerId, f: &mut dyn FnMut(A, u32)) {
        let mut at = writer.first(owner.index);
        while let Some(index) = at {
            let node = self.node(index);
            if node.value.load(Ordering::Relaxed) == pack(owner) {
                f(node.prefix(), node.length());
            }
            at = writer.links.get(index as usize).map(|link| link.next).filter(|&at| at != NONE);
        }
    }

    /// Calls `f` with each node, parents first.
    pub(super) fn for_each_node<E>(
        &self,
        f: &mut impl FnMut(View<A>) -> Result<(), E>,
    ) -> Result<(), E> {
        // Each step down leaves at most one way to come back to, and each is a bit longer than the
        // last.
        let mut ways = [NONE; 130];
        let mut count = 1;
        if let Some(way) = ways.first_mut() {
            *way = ROOT;
        }
        while count > 0 {
            count -= 1;
            let at = ways.get(count).copied().unwrap_or(NONE);
            let Some(node) = self.nodes.slice().get(at as usize) else {
                continue;
            };
            let children = [node.child(0), node.child(1)];
            let name = |child: u32| {
                let node = self.nodes.slice().get(child as usize)?;
                Some((node.prefix(), node.length()))
            };
            f(View {
                prefix: (node.prefix(), node.length()),
                owner: peer(node.value.load(Ordering::Relaxed)),
                children: children.map(name),
            })?;
            for child in children.into_iter().rev().filter(|&child| child != NONE) {
                if let Some(way) = ways.get_mut(count) {
                    *way = child;
                    count += 1;
                }
            }
        }
        Ok(())
    }

    /// Makes sure that so many prefixes can be inserted without memory, for peers with an index
    /// below `peers`.
    pub(super) fn reserve(
        &self,
        writer: &mut Writer,
        prefixes: usize,
        peers: usize,
    ) -> Result<(), NoMemory> {
        let more_peers = peers.saturating_sub(writer.lists.len());
        writer.lists.try_reserve(more_peers).map_err(|_| NoMemory)?;
        while writer.lists.len() < peers {
            writer.lists.try_push(Link::EMPTY)?;
        }
        // A prefix takes a node, and sometimes a fork.
        let needed = prefixes
            .saturating_mul(2)
            .saturating_sub(writer.free.len())
            .saturating_add(writer.used.max(1) as usize);
        let old = self.nodes.slice();
        if needed <= old.len() {
            return Ok(());
        }
        let length = needed.checked_next_power_of_two().ok_or(NoMemory)?.max(FIRST_LENGTH);
        if length >= NONE as usize {
            return Err(NoMemory);
        }
        let free = length.saturating_sub(writer.free.len());
        writer.free.try_reserve_exact(free).map_err(|_| NoMemory)?;
        let links = length.saturating_sub(writer.links.len());
        writer.links.try_reserve_exact(links).map_err(|_| NoMemory)?;
        let new = slice(length, |index| old.get(index).map_or_else(Node::default, Node::copy))?;
        self.nodes.replace(new)?;
        while writer.links.len() < length {
            writer.links.try_push(Link::EMPTY)?;
        }
        writer.used = writer.used.max(1);
        Ok(())
    }

    /// Takes a node and fills it.
    fn allocate(
        &self,
        writer: &mut Writer,
        prefix: A,
        length: u32,
        value: u64,
        children: [u32; 2],
    ) -> Result<u32, NoMemory> {
        let index = match writer.free.pop() {
            Some(index) => {
                let recycled = self.recycled.load(Ordering::Relaxed);
                // Release: who sees the count sees the node unlinked. The fence: who sees the
                // node's new content sees the count.
                self.recycled.store(recycled.wrapping_add(1), Ordering::Release);
                fence(Ordering::Release);
                index
            }
            None if (writer.used as usize) < self.nodes.slice().len() => {
                writer.used += 1;
                writer.used - 1
            }
            None => return Err(NoMemory),
        };
        let node = self.node(index);
        prefix.store(&node.prefix);
        node.length.store(length, Ordering::Relaxed);
        node.value.store(value, Ordering::Relaxed);
        for (cell, child) in node.children.iter().zip(children) {
            cell.store(child, Ordering::Relaxed);
        }
        Ok(index)
    }

    /// Takes out a node that has no value and does not fork.
    fn prune(&self, writer: &mut Writer, at: u32, parent: u32) {
        let node = self.node(at);
        if at == ROOT || at == NONE || node.value.load(Ordering::Relaxed) != VACANT {
            return;
        }
        let ((child, NONE) | (NONE, child)) = (node.child(0), node.child(1)) else {
            return;
        };
        let parent = self.node(parent);
        let side = usize::from(parent.child(1) == at);
        parent.set_child(side, child);
        // There is room for all; a node without any would stay unused.
        let _ = writer.free.push_in_capacity(at);
    }

    fn node(&self, index: u32) -> &Node<A> {
        self.nodes.slice().get(index as usize).unwrap_or(&self.outside)
    }
}

/// The value of the longest prefix of an address, as the nodes seem to have it.
fn walk<A: Address>(nodes: &[Node<A>], address: A) -> u64 {
    let mut best = VACANT;
    let mut at = ROOT;
    // Lengths grow from node to node; where a recycled one breaks that, this ends the walk.
    for _ in 0..=A::BITS {
        let Some(node) = nodes.get(at as usize) else {
            break;
        };
        let length = node.length();
        if node.prefix().common_bits(address) < length {
            break;
        }
        let value = node.value.load(Ordering::Relaxed);
        if value != VACANT {
            best = value;
        }
        if length >= A::BITS {
            break;
        }
        at = node.child(address.bit(length));
    }
    best
}

impl<A: Address> Node<A> {
    fn prefix(&self) -> A {
        A::load(&self.prefix)
    }

    fn length(&self) -> u32 {
        self.length.load(Ordering::Relaxed)
    }

    fn child(&self, side: usize) -> u32 {
        self.children.get(side).map_or(NONE, |child| child.load(Ordering::Acquire))
    }

    fn set_child(&self, side: usize, index: u32) {
        if let Some(child) = self.children.get(side) {
            child.store(index, Ordering::Release);
        }
    }

    fn copy(&self) -> Self {
        let copy = Self::default();
        self.prefix().store(&copy.prefix);
        copy.length.store(self.length(), Ordering::Relaxed);
        copy.value.store(self.value.load(Ordering::Relaxed), Ordering::Relaxed);
        for side in 0..2 {
            copy.set_child(side, self.child(side));
        }
        copy
    }
}

impl<A: Address> Default for Node<A> {
    fn default() -> Self {
        Self {
            value: AtomicU64::new(VACANT),
            prefix: A::Cell::default(),
            length: AtomicU32::new(0),
            children: [const { AtomicU32::new(NONE) }; 2],
        }
    }
}

impl Writer {
    pub(super) const fn new() -> Self {
        Self { used: 0, free: Vec::new(), links: Vec::new(), lists: Vec::new() }
    }

    /// How many nodes there is room for.
    #[cfg(test)]
    pub(super) const fn nodes(&self) -> usize {
        self.links.len()
    }

    /// The first prefix of a peer.
    fn first(&self, peer: u32) -> Option<u32> {
        self.lists.get(peer as usize).map(|list| list.next).filter(|&first| first != NONE)
    }

    /// Puts a node at the end of a peer's list.
    fn link(&mut self, at: u32, peer: PeerId) {
        let Some(list) = self.lists.get_mut(peer.index as usize) else {
            return;
        };
        let last = core::mem::replace(&mut list.previous, at);
        match self.links.get_mut(last as usize) {
            Some(link) => link.next = at,
            None => list.next = at,
        }
        if let Some(link) = self.links.get_mut(at as usize) {
            *link = Link { previous: last, next: NONE };
        }
    }

    /// Takes a node out of the list of the peer whose it was.
    fn unlink(&mut self, at: u32, owner: u64) {
        let Some(owner) = peer(owner) else {
            return;
        };
        let Some(link) = self.links.get_mut(at as usize) else {
            return;
        };
        let Link { previous, next } = core::mem::replace(link, Link::EMPTY);
        let Some(list) = self.lists.get_mut(owner.index as usize) else {
            return;
        };
        match self.links.get_mut(previous as usize) {
            Some(link) => link.next = next,
            None => list.next = next,
        }
        match self.links.get_mut(next as usize) {
            Some(link) => link.previous = previous,
            None => list.previous = previous,
        }
    }
}

impl Link {
    const EMPTY: Self = Self { previous: NONE, next: NONE };
}

fn pair(side: usize, here: u32, there: u32) -> [u32; 2] {
    if side == 0 { [here, there] } else { [there, here] }
}

fn pack(peer: PeerId) -> u64 {
    u64::from(peer.generation) << 32 | u64::from(peer.index)
}

fn peer(value: u64) -> Option<PeerId> {
    (value != VACANT).then_some(PeerId { index: value as u32, generation: (value >> 32) as u32 })
}

const ROOT: u32 = 0;
/// No node.
const NONE: u32 = u32::MAX;
/// No value; no peer has such an index.
const VACANT: u64 = u64::MAX;
const FIRST_LENGTH: usize = 16;
