//! `tunic route`.

use anyhow::Context;
use tunic::{Adapter, AllowedIp, Protocol};

use crate::show::print;

/// Prints an adapter's routes, one prefix and its peer a line, or as a graph.
pub(crate) fn run(interface: &str, dot: bool) -> anyhow::Result<()> {
    let adapter = Adapter::open(interface)?;
    let context = || interface.to_owned();
    if dot {
        return print(adapter.routes().with_context(context)?.graphviz());
    }
    let mut routes: Vec<(AllowedIp, String)> =
        if adapter.info().with_context(context)?.protocol == Protocol::WireGuard {
            let peers = adapter.configuration().with_context(context)?.peers;
            let of_peer = |peer: tunic::Peer| {
                let key = peer.public_key.to_string();
                peer.allowed_ips.into_iter().map(move |prefix| (prefix, key.clone()))
            };
            peers.into_iter().flat_map(of_peer).collect()
        } else {
            let routes = adapter.routes().with_context(context)?;
            routes.iter().map(|(prefix, peer)| (prefix, format!("peer {peer}"))).collect()
        };
    routes.sort_by_key(|(prefix, _)| (prefix.address(), prefix.prefix_length()));
    let lines = routes.iter().map(|(prefix, peer)| format!("{prefix}\t{peer}\n"));
    print(&lines.collect::<String>())
}
