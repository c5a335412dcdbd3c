//! Tunnels in network namespaces, measured by iperf3: tunicd and others, in turns.

use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tunic_tests::link::{Link, Outer};
use tunic_tests::namespace::{Namespace, Running, unique};
use tunic_tests::tunnel::{MTU, PORT, configuration};
use tunic_tests::wg::{self, KeyPair};
use tunic_tests::{binary, ping, require, wait};

use crate::probe::{Probe, Sample};

const TIMEOUT: Duration = Duration::from_secs(60);
const LEFT: &str = "10.77.0.1";
const RIGHT: &str = "10.77.0.2";

/// The program that carries the packets, on both ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Carrier {
    /// The veth pair alone.
    Plain,
    /// Tunic's daemon.
    Tunicd,
    /// Debian's wireguard-go.
    WireguardGo,
    /// boringtun-cli.
    Boringtun,
    /// gotatun-cli.
    Gotatun,
}

impl Carrier {
    /// All, in the order of the table.
    pub(crate) const ALL: [Self; 5] =
        [Self::Plain, Self::Tunicd, Self::WireguardGo, Self::Boringtun, Self::Gotatun];

    /// The program's name, as in the table.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain veth",
            Self::Tunicd => "tunicd",
            Self::WireguardGo => "wireguard-go",
            Self::Boringtun => "boringtun-cli",
            Self::Gotatun => "gotatun",
        }
    }
}

/// Two namespaces with a carrier between them, ready to measure.
pub(crate) struct Path {
    carrier: Carrier,
    server: &'static str,
    link: Link,
    _ends: Vec<Running>,
}

impl Path {
    /// Sets up a carrier on both ends and waits for a reply to a ping.
    pub(crate) fn new(carrier: Carrier) -> Result<Self> {
        let link = Link::new()?;
        let mut ends = Vec::new();
        if carrier != Carrier::Plain {
            let (left, right) = (KeyPair::generate()?, KeyPair::generate()?);
            let endpoint = |address: &str| format!("{address}:{PORT}");
            let to_right = endpoint(Link::right_address(Outer::V4));
            let left_text = configuration(&left, &right, &[RIGHT], Some(&to_right), None);
            let right_text = configuration(&right, &left, &[LEFT], None, None);
            ends.push(end(carrier, &link.left, &left_text, LEFT)?);
            ends.push(end(carrier, &link.right, &right_text, RIGHT)?);
        }
        let server = if carrier == Carrier::Plain { "10.9.0.2" } else { RIGHT };
        link.right.shell("iperf3 --server --daemon", TIMEOUT)?;
        ensure!(ping::reaches(&link.left, server, Duration::from_secs(20))?, "no reply");
        Ok(Self { carrier, server, link, _ends: ends })
    }

    /// The carrier.
    pub(crate) fn carrier(&self) -> Carrier {
        self.carrier
    }

    /// Measures one round.
    pub(crate) fn measure(&self, seconds: u32) -> Result<Sample> {
        Probe { from: &self.link.left, server: self.server }.measure(seconds)
    }
}

fn end(carrier: Carrier, namespace: &Namespace, text: &str, address: &str) -> Result<Running> {
    let interface = unique("tb");
    let find = |name: &str| require::program(name).with_context(|| format!("{name} is missing"));
    let mut command = match carrier {
        Carrier::Plain => bail!("a plain path has no program"),
        Carrier::Tunicd => namespace.command(binary::tunicd()?),
        Carrier::WireguardGo => namespace.command(find("wireguard-go")?),
        Carrier::Boringtun => namespace.command(find("boringtun-cli")?),
        Carrier::Gotatun => namespace.command(find("gotatun")?),
    };
    command.arg("--foreground");
    if matches!(carrier, Carrier::Boringtun | Carrier::Gotatun) {
        command.args(["--disable-drop-privileges", "--verbosity", "error"]);
    }
    command.arg(&interface).env("WG_PROCESS_FOREGROUND", "1").env("LOG_LEVEL", "error");
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let running = namespace.spawn(&mut command)?;
    wait::until("wg can talk to it", TIMEOUT, || {
        Command::new("wg").args(["show", &interface]).output().is_ok_and(|it| it.status.success())
    })?;
    wg::configure("setconf", &interface, text)?.success()?;
    namespace.ip(&format!("addr add {address}/24 dev {interface}"))?;
    namespace.ip(&format!("link set {interface} mtu {MTU} up"))?;
    Ok(running)
}
