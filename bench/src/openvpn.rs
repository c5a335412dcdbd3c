//! OpenVPN in network namespaces: one stock server, and clients that take turns at it.

use std::fs::File;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result};
use tunic_tests::link::Link;
use tunic_tests::namespace::Running;
use tunic_tests::openvpn::{Client, PORT, Pki, SERVER_V4, StockServer};
use tunic_tests::{ping, wait};

use crate::probe::{Probe, Sample};

const TIMEOUT: Duration = Duration::from_secs(60);

/// The ciphers that both programs offer by default.
const CIPHERS: [&str; 2] = ["AES-256-GCM", "CHACHA20-POLY1305"];

/// A program with a data path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Program {
    /// Stock openvpn, whose data path is in userspace.
    Stock,
    /// openvpn-client on tunicd.
    Tunicd,
}

/// A program with a cipher. Candidates are measured in turns.
pub(crate) type Candidate = (Program, &'static str);

/// The candidates in the order of the table.
pub(crate) fn candidates() -> Vec<Candidate> {
    let of = |cipher| [Program::Stock, Program::Tunicd].map(|program| (program, cipher));
    CIPHERS.into_iter().flat_map(of).collect()
}

/// A candidate's name, as in the table.
pub(crate) fn name((program, cipher): Candidate) -> String {
    let program = match program {
        Program::Stock => "openvpn",
        Program::Tunicd => "openvpn-client on tunicd",
    };
    format!("{program}, {cipher}")
}

/// A server that waits for clients, and an iperf3 server behind it.
pub(crate) struct Server {
    // Dropped before the namespaces.
    _openvpn: StockServer,
    pki: Pki,
    link: Link,
}

impl Server {
    /// Starts both.
    pub(crate) fn new() -> Result<Self> {
        let (link, pki) = (Link::new()?, Pki::new()?);
        let openvpn = StockServer::start(&link.right, &pki, "duplicate-cn\nkeepalive 1 10")?;
        link.right.shell("iperf3 --server --daemon", TIMEOUT)?;
        Ok(Self { _openvpn: openvpn, pki, link })
    }

    /// Connects one candidate, measures it, and disconnects it.
    pub(crate) fn measure(&self, (program, cipher): Candidate, seconds: u32) -> Result<Sample> {
        let ciphers = format!("data-ciphers {cipher}");
        match program {
            Program::Stock => {
                let _openvpn = self.stock_client(&ciphers)?;
                self.probe(seconds)
            }
            Program::Tunicd => {
                let mut client = Client::start(&self.link.left, &self.pki, &ciphers)?;
                client.await_connected(1)?;
                let sample = self.probe(seconds)?;
                client.stop()?;
                Ok(sample)
            }
        }
    }

    fn probe(&self, seconds: u32) -> Result<Sample> {
        let from = &self.link.left;
        // Without an address and a route, ping ends at once.
        wait::until("a reply", Duration::from_secs(20), || {
            ping::reaches(from, SERVER_V4, Duration::from_secs(2)).unwrap_or(false)
        })?;
        Probe { from, server: SERVER_V4 }.measure(seconds)
    }

    fn stock_client(&self, options: &str) -> Result<Running> {
        let configuration = format!(
            "client\ndev tunstock\ndev-type tun\nproto udp\nremote {} {PORT}\nnobind\n\
             remote-cert-tls server\nca ca.crt\ncert client.crt\nkey client.key\nverb 3\n\
             {options}\n",
            Link::right_address(tunic_tests::link::Outer::V4),
        );
        std::fs::write(self.pki.file("stock.conf"), configuration)?;
        let mut openvpn = self.link.left.command("openvpn");
        openvpn.current_dir(self.pki.file("")).args(["--config", "stock.conf", "--disable-dco"]);
        openvpn.stdout(File::create(self.pki.file("stock.log"))?).stderr(Stdio::null());
        self.link.left.spawn(&mut openvpn).context("openvpn")
    }
}
