//! `tunic show`.

mod channel;

use std::fmt::{self, Write as _};
use std::io::{self, Write as _};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::Context;
use tunic::{
    Adapter, AdapterState, Configuration, DataChannel, Peer, Protocol, Statistics, UnixTransport,
};

/// Prints one adapter or all adapters.
pub(crate) fn run(interface: Option<&str>) -> anyhow::Result<()> {
    let names = match interface {
        Some(name) => vec![name.to_owned()],
        None => Adapter::names()?,
    };
    let mut text = String::new();
    for name in &names {
        let transport = match UnixTransport::open(name) {
            // It was removed after its name was listed.
            Err(tunic::Error::NoAdapter(_)) if interface.is_none() => continue,
            transport => Arc::new(transport?),
        };
        let adapter = Adapter::new(Arc::clone(&transport));
        let statistics = adapter.statistics().with_context(|| name.clone())?;
        if !text.is_empty() {
            text.push('\n');
        }
        match adapter.info().with_context(|| name.clone())?.protocol {
            Protocol::OpenVpn => {
                let status = DataChannel::new(transport).status();
                let (info, peers) = status.with_context(|| name.clone())?;
                channel::write_adapter(&mut text, name, &info, &peers, &statistics)?;
            }
            _ => {
                let configuration = adapter.configuration().with_context(|| name.clone())?;
                let state = adapter.state().with_context(|| name.clone())?;
                write_adapter(&mut text, name, state, &configuration, &statistics)?;
            }
        }
    }
    print(&text)
}

/// Prints an adapter's counters of discarded packets, for programs.
pub(crate) fn discards(interface: &str) -> anyhow::Result<()> {
    let statistics =
        Adapter::open(interface)?.statistics().with_context(|| interface.to_owned())?;
    let lines = statistics.discards.iter().map(|(name, count)| format!("{name}\t{count}\n"));
    print(&lines.collect::<String>())
}

pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    // A reader that closes the pipe early is not an error.
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

fn write_adapter(
    out: &mut String,
    name: &str,
    state: AdapterState,
    configuration: &Configuration,
    statistics: &Statistics,
) -> fmt::Result {
    writeln!(out, "interface: {name}")?;
    if let Some(key) = &configuration.public_key {
        writeln!(out, "  public key: {key}")?;
    }
    if configuration.private_key.is_some() {
        writeln!(out, "  private key: (hidden)")?;
    }
    if let Some(port) = configuration.listen_port {
        writeln!(out, "  listening port: {port}")?;
    }
    let state = match state {
        AdapterState::Down => "down",
        AdapterState::Up => "up",
    };
    writeln!(out, "  state: {state}")?;
    write_discards(out, statistics)?;
    let mut peers: Vec<&Peer> = configuration.peers.iter().collect();
    peers.sort_by_key(|peer| std::cmp::Reverse(peer.last_handshake));
    let now = SystemTime::now();
    for peer in peers {
        out.push('\n');
        write_peer(out, peer, now)?;
    }
    Ok(())
}

fn write_discards(out: &mut String, statistics: &Statistics) -> fmt::Result {
    let discards: Vec<_> = statistics
        .discards
        .iter()
        .filter(|(_, count)| *count != 0)
        .map(|(name, count)| format!("{count} {name}"))
        .collect();
    if !discards.is_empty() {
        writeln!(out, "  discards: {}", discards.join(", "))?;
    }
    Ok(())
}

fn write_peer(out: &mut String, peer: &Peer, now: SystemTime) -> fmt::Result {
    writeln!(out, "peer: {}", peer.public_key)?;
    if peer.preshared_key.is_some() {
        writeln!(out, "  preshared key: (hidden)")?;
    }
    if let Some(endpoint) = peer.endpoint {
        writeln!(out, "  endpoint: {endpoint}")?;
    }
    let allowed_ips: Vec<_> = peer.allowed_ips.iter().map(ToString::to_string).collect();
    let allowed_ips =
        if allowed_ips.is_empty() { "(none)".to_owned() } else { allowed_ips.join(", ") };
    writeln!(out, "  allowed ips: {allowed_ips}")?;
    if let Some(handshake) = peer.last_handshake {
        let age = now.duration_since(handshake).unwrap_or_default();
        writeln!(out, "  latest handshake: {}", Ago(age))?;
    }
    if peer.rx_bytes != 0 || peer.tx_bytes != 0 {
        let (received, sent) = (Bytes(peer.rx_bytes), Bytes(peer.tx_bytes));
        writeln!(out, "  transfer: {received} received, {sent} sent")?;
    }
    if peer.persistent_keepalive_s != 0 {
        writeln!(out, "  persistent keepalive: every {} s", peer.persistent_keepalive_s)?;
    }
    Ok(())
}

/// A span of time in words.
struct Ago(Duration);

impl fmt::Display for Ago {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        if seconds == 0 {
            return f.write_str("now");
        }
        let units = [
            ("day", seconds / 86400),
            ("hour", seconds / 3600 % 24),
            ("minute", seconds / 60 % 60),
            ("second", seconds % 60),
        ];
        for (unit, count) in units {
            match count {
                0 => {}
                1 => write!(f, "1 {unit} ")?,
                _ => write!(f, "{count} {unit}s ")?,
            }
        }
        f.write_str("ago")
    }
}

/// A number of bytes, with a binary prefix where it is large.
struct Bytes(u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut value = self.0 as f64;
        if self.0 < 1024 {
            return write!(f, "{} B", self.0);
        }
        for unit in ["KiB", "MiB", "GiB"] {
            value /= 1024.0;
            if value < 1024.0 {
                return write!(f, "{value:.2} {unit}");
            }
        }
        write!(f, "{:.2} TiB", value / 1024.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tunic::Key;

    #[test]
    fn an_adapter_is_shown_like_wg_does_and_without_secrets() {
        let private_key = Key::from_bytes([0x48; 32]);
        let peer = Peer {
            public_key: Key::from_bytes([1; 32]),
            preshared_key: Some(Key::from_bytes([2; 32])),
            endpoint: Some("192.0.2.1:51820".parse().unwrap()),
            persistent_keepalive_s: 25,
            allowed_ips: vec!["10.0.0.0/8".parse().unwrap(), "::/0".parse().unwrap()],
            tx_bytes: 1023,
            rx_bytes: 5 << 30,
            last_handshake: Some(SystemTime::now()),
        };
        let idle = Peer {
            public_key: Key::from_bytes([3; 32]),
            preshared_key: None,
            endpoint: None,
            persistent_keepalive_s: 0,
            allowed_ips: Vec::new(),
            tx_bytes: 0,
            rx_bytes: 0,
            last_handshake: None,
        };
        let configuration = Configuration {
            listen_port: Some(51820),
            public_key: Some(private_key.public()),
            private_key: Some(private_key.clone()),
            peers: vec![idle, peer],
        };
        let statistics = Statistics {
            discards: vec![("no-route", 2), ("forged", 0), ("replayed", 1)],
            ..Statistics::default()
        };
        let mut text = String::new();
        write_adapter(&mut text, "wg0", AdapterState::Up, &configuration, &statistics).unwrap();
        assert_eq!(
            text,
            format!(
                "interface: wg0\n  public key: {}\n  private key: (hidden)\n  \
                 listening port: 51820\n  state: up\n  discards: 2 no-route, 1 replayed\n\n\
                 peer: AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\n  preshared key: (hidden)\n  \
                 endpoint: 192.0.2.1:51820\n  allowed ips: 10.0.0.0/8, ::/0\n  \
                 latest handshake: now\n  transfer: 5.00 GiB received, 1023 B sent\n  \
                 persistent keepalive: every 25 s\n\n\
                 peer: AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM=\n  allowed ips: (none)\n",
                private_key.public()
            )
        );
    }

    #[test]
    fn spans_of_time() {
        assert_eq!(Ago(Duration::from_secs(1)).to_string(), "1 second ago");
        assert_eq!(
            Ago(Duration::from_secs(90062)).to_string(),
            "1 day 1 hour 1 minute 2 seconds ago"
        );
    }
}
