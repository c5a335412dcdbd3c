//! The routes of an adapter.

use crate::AllowedIp;

/// The routes of an adapter: the driver's routing tries of both families, as a Graphviz digraph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Routes(pub(crate) String);

impl Routes {
    /// The tries as a digraph, for `dot`: prefixes with the index of their peer, forks dashed.
    pub fn graphviz(&self) -> &str {
        &self.0
    }

    /// The prefixes, each with the index of its peer in the driver. The index is neither a
    /// WireGuard peer's key nor an OpenVPN peer's id.
    pub fn iter(&self) -> impl Iterator<Item = (AllowedIp, u32)> {
        self.0.lines().filter_map(|line| {
            let (_, label) = line.split_once("[label=\"")?;
            let (prefix, peer) = label.strip_suffix("\"];")?.split_once("\\npeer ")?;
            Some((prefix.parse().ok()?, peer.parse().ok()?))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_are_found_in_the_graph() {
        let text = "digraph routes {\n  node [shape=box];\n  \
                    \"0.0.0.0/0\" [style=dashed];\n  \"0.0.0.0/0\" -> \"10.0.0.0/8\" [label=0];\n  \
                    \"10.0.0.0/8\" [label=\"10.0.0.0/8\\npeer 3\"];\n  \
                    \"::/0\" [label=\"::/0\\npeer 12\"];\n}\n";
        let routes = Routes(text.to_owned());
        let found: Vec<_> =
            routes.iter().map(|(prefix, peer)| (prefix.to_string(), peer)).collect();
        assert_eq!(found, [("10.0.0.0/8".to_owned(), 3), ("::/0".to_owned(), 12)]);
    }
}
