//! Stock `wg`, and what it prints.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::command::{self, Output};

const TIMEOUT: Duration = Duration::from_secs(30);

/// A private key and its public key, in base64.
#[derive(Clone, Debug)]
pub struct KeyPair {
    /// Base64.
    pub private: String,
    /// Base64.
    pub public: String,
}

impl KeyPair {
    /// Asks `wg` for a new one.
    pub fn generate() -> Result<Self> {
        let private = wg(&["genkey"], "")?.success()?.trim().to_owned();
        let public = wg(&["pubkey"], &private)?.success()?.trim().to_owned();
        Ok(Self { private, public })
    }
}

/// A new preshared key, in base64.
pub fn preshared_key() -> Result<String> {
    Ok(wg(&["genpsk"], "")?.success()?.trim().to_owned())
}

/// Runs `wg` with `input` on its standard input.
pub fn wg(arguments: &[&str], input: &str) -> Result<Output> {
    command::run(Command::new("wg").args(arguments), input.as_bytes(), TIMEOUT)
}

/// Gives an interface a configuration file's text with `wg setconf` (or `syncconf`, `addconf`).
pub fn configure(how: &str, interface: &str, text: &str) -> Result<Output> {
    wg(&[how, interface, "/dev/stdin"], text)
}

/// One peer's line of `wg show INTERFACE dump`.
#[derive(Clone, Debug)]
pub struct DumpedPeer {
    /// Base64.
    pub public_key: String,
    /// Base64, or `(none)`.
    pub preshared_key: String,
    /// `address:port`, or `(none)`.
    pub endpoint: String,
    /// Comma-separated prefixes, or `(none)`.
    pub allowed_ips: String,
    /// Unix time, 0 for never.
    pub latest_handshake: u64,
    /// Bytes.
    pub received: u64,
    /// Bytes.
    pub sent: u64,
    /// Seconds, or `off`.
    pub keepalive: String,
}

/// An interface as `wg show INTERFACE dump` gives it.
#[derive(Clone, Debug)]
pub struct Dump {
    /// UDP port.
    pub listen_port: u16,
    /// The peers, in the order printed.
    pub peers: Vec<DumpedPeer>,
}

impl Dump {
    /// Reads an interface.
    pub fn of(interface: &str) -> Result<Self> {
        Self::parse(&wg(&["show", interface, "dump"], "")?.success()?)
    }

    /// Reads what was printed.
    pub fn parse(text: &str) -> Result<Self> {
        let mut lines = text.lines();
        let head: Vec<&str> = lines.next().context("an empty dump")?.split('\t').collect();
        let listen_port = head.get(2).context("no port in the dump")?.parse()?;
        let peers = lines
            .map(|line| {
                let fields: Vec<&str> = line.split('\t').collect();
                let field = |index: usize| fields.get(index).copied().context("a short dump line");
                Ok(DumpedPeer {
                    public_key: field(0)?.to_owned(),
                    preshared_key: field(1)?.to_owned(),
                    endpoint: field(2)?.to_owned(),
                    allowed_ips: field(3)?.to_owned(),
                    latest_handshake: field(4)?.parse()?,
                    received: field(5)?.parse()?,
                    sent: field(6)?.parse()?,
                    keepalive: field(7)?.to_owned(),
                })
            })
            .collect::<Result<_>>()?;
        Ok(Self { listen_port, peers })
    }

    /// The only peer.
    pub fn peer(&self) -> Result<&DumpedPeer> {
        self.peers.first().context("no peer in the dump")
    }
}
