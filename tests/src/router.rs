//! A router between two namespaces whose kernel loses and reorders what it forwards, by netem.

use std::fmt::Write as _;

use anyhow::{Context, Result};

use crate::guest::{Guest, TC, WIRE};
use crate::namespace::Namespace;

/// The router's address, beside those of a [`Link`](crate::link::Link).
const ADDRESS: &str = "10.9.0.9";

/// One packet in a hundred is lost. The others are sent at once but for one in twenty, which those
/// behind it overtake. (With a correlation of 50 % it would be one in ten thousand: the kernel's
/// correlated numbers are seldom far from the middle.)
pub const NETEM: &str = "netem loss 1% delay 5ms reorder 95%";

/// A virtual machine with one interface, by which packets come and go.
#[derive(Debug)]
pub struct Router(Guest);

/// What netem did, as `tc -s qdisc` tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Packets that it sent.
    pub sent: u64,
    /// Packets that it lost.
    pub dropped: u64,
    /// Packets that it sent later than those that came after them.
    pub overtaken: u64,
}

impl Router {
    /// Connects it to the bridge `br0` of a namespace, with a network that loses and reorders.
    pub fn connect(namespace: &Namespace) -> Result<Self> {
        let guest = Guest::connect(namespace)?;
        namespace.ip(&format!("link set {WIRE} master br0"))?;
        // It is to stay between hosts that could do without it.
        let mut line = format!("ip addr add {ADDRESS}/24 dev eth0\n");
        for name in ["all", "eth0"] {
            let settings = format!("/proc/sys/net/ipv4/conf/{name}");
            writeln!(line, "echo 0 >{settings}/send_redirects; echo 0 >{settings}/rp_filter")?;
        }
        line.push_str("echo 1 >/proc/sys/net/ipv4/ip_forward\n");
        writeln!(line, "{TC} qdisc add dev eth0 root {NETEM}")?;
        guest.shell(&line)?;
        Ok(Self(guest))
    }

    /// Sends what goes between two namespaces of one network its way: each with its interface and
    /// its address there.
    pub fn stand_between(&self, ends: [(&Namespace, &str, &str); 2]) -> Result<()> {
        let [(_, _, first), (_, _, second)] = ends;
        for ((namespace, interface, _), to) in ends.into_iter().zip([second, first]) {
            namespace.ip(&format!("route add {to}/32 via {ADDRESS} dev {interface}"))?;
        }
        Ok(())
    }

    /// What it did so far.
    pub fn counts(&self) -> Result<Counts> {
        let text = self.0.shell(&format!("{TC} -s qdisc show dev eth0"))?;
        // ` Sent 4140 bytes 60 pkt (dropped 1, overlimits 0 requeues 57)`
        let words: Vec<_> = text.split([' ', ',', ')', '(']).collect();
        let after = |word: &str| -> Option<u64> {
            let at = words.iter().position(|it| *it == word)?;
            words.get(at + 1)?.parse().ok()
        };
        let counts = || {
            let sent = after("bytes")?;
            // What it sends at once, before what waits, netem counts as requeued.
            let at_once = after("requeues")?;
            let overtaken = sent.saturating_sub(at_once);
            Some(Counts { sent, dropped: after("dropped")?, overtaken })
        };
        counts().with_context(|| text.clone())
    }
}
