//! Two namespaces joined by a cable: what the outer datagrams cross.

use anyhow::Result;

use crate::command::shell;
use crate::namespace::{Namespace, unique};

/// A veth pair between two namespaces, with IPv4 and IPv6 addresses on both ends.
#[derive(Debug)]
pub struct Link {
    /// Our side: 10.9.0.1, fd09::1.
    pub left: Namespace,
    /// The other side: 10.9.0.2 and 10.9.0.3, fd09::2 and fd09::3.
    pub right: Namespace,
}

/// The family of the outer datagrams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outer {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Link {
    /// Makes both namespaces and the pair.
    pub fn new() -> Result<Self> {
        let (left, right) = (Namespace::new()?, Namespace::new()?);
        let (a, b) = (unique("va"), unique("vb"));
        shell(&format!("ip link add {a} type veth peer name {b}"))?;
        for (namespace, device, name, hosts) in
            [(&left, &a, "v0", &[1_u8][..]), (&right, &b, "v0", &[2, 3])]
        {
            shell(&format!("ip link set {device} netns {} name {name}", namespace.name()))?;
            for host in hosts {
                namespace.ip(&format!("addr add 10.9.0.{host}/24 dev {name}"))?;
                namespace.ip(&format!("addr add fd09::{host}/64 dev {name} nodad"))?;
            }
            namespace.ip(&format!("link set {name} up"))?;
        }
        Ok(Self { left, right })
    }

    /// Puts a bridge, `br0`, in place of the left side's interface, for more that is to be plugged
    /// in there.
    pub fn bridge_left(&self) -> Result<()> {
        // Without an address of its own it takes one of its ports, another with a new port.
        self.left.ip("link add br0 address 02:00:00:00:00:01 type bridge")?;
        self.left.ip("addr flush dev v0")?;
        self.left.ip("link set v0 master br0")?;
        self.left.ip("addr add 10.9.0.1/24 dev br0")?;
        self.left.ip("link set br0 up")?;
        Ok(())
    }

    /// The left side's outer address.
    pub fn left_address(outer: Outer) -> &'static str {
        match outer {
            Outer::V4 => "10.9.0.1",
            Outer::V6 => "[fd09::1]",
        }
    }

    /// The right side's outer address.
    pub fn right_address(outer: Outer) -> &'static str {
        match outer {
            Outer::V4 => "10.9.0.2",
            Outer::V6 => "[fd09::2]",
        }
    }
}
