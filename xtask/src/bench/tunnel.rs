//! Whole tunnels in network namespaces, by iperf3: ours and others, in turns.

use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use tunic_tests::command;
use tunic_tests::link::{Link, Outer};
use tunic_tests::namespace::{Namespace, Running, unique};
use tunic_tests::tunnel::{MTU, PORT, configuration};
use tunic_tests::wg::{self, KeyPair};
use tunic_tests::{binary, ping, require, wait};

const TIMEOUT: Duration = Duration::from_secs(60);
const LEFT: &str = "10.77.0.1";
const RIGHT: &str = "10.77.0.2";

/// What carries the packets; the same program on both ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Carrier {
    /// The veth pair alone.
    Plain,
    /// Ours.
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

/// One carrier's results of one round.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sample {
    /// One TCP stream, Mbit/s.
    pub(crate) tcp_1: f64,
    /// Four TCP streams, Mbit/s.
    pub(crate) tcp_4: f64,
    /// UDP datagrams of 64 bytes that arrived, thousands a second.
    pub(crate) udp_64: f64,
    /// UDP datagrams of 1300 bytes that arrived, thousands a second.
    pub(crate) udp_1300: f64,
    /// Mean round trip while the small UDP datagrams flow, ms.
    pub(crate) ping_loaded: f64,
    /// Mean round trip with nothing else, ms.
    pub(crate) ping_idle: f64,
}

/// Two namespaces with a carrier between them, ready to measure.
pub(crate) struct Path {
    carrier: Carrier,
    server: &'static str,
    link: Link,
    _ends: Vec<Running>,
}

impl Path {
    /// Sets a carrier up on both ends and waits until a ping comes back.
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

    /// What it measures.
    pub(crate) fn carrier(&self) -> Carrier {
        self.carrier
    }

    /// One round.
    pub(crate) fn measure(&self, seconds: u32) -> Result<Sample> {
        let ping_idle = self.ping(1)?;
        let tcp_1 = self.tcp(seconds, 1)?;
        let tcp_4 = self.tcp(seconds, 4)?;
        let udp_1300 = self.udp(seconds, 1300)?;
        let (udp_64, ping_loaded) = std::thread::scope(|scope| {
            let load = scope.spawn(|| self.udp(seconds, 64));
            let ping = self.ping(seconds.saturating_sub(1).max(1));
            let udp = load.join().ok().context("the load panicked")??;
            Ok::<_, anyhow::Error>((udp, ping?))
        })?;
        Ok(Sample { tcp_1, tcp_4, udp_64, udp_1300, ping_loaded, ping_idle })
    }

    fn tcp(&self, seconds: u32, streams: u32) -> Result<f64> {
        let result = self.iperf(&["--parallel", &streams.to_string()], seconds)?;
        let rate = result.pointer("/end/sum_received/bits_per_second").and_then(Value::as_f64);
        Ok(rate.context("no rate from iperf3")? / 1e6)
    }

    fn udp(&self, seconds: u32, bytes: u32) -> Result<f64> {
        let options = ["--udp", "--bitrate", "0", "--length", &bytes.to_string()];
        let result = self.iperf(&options, seconds)?;
        let number = |name: &str| {
            let pointer = format!("/end/sum/{name}");
            result.pointer(&pointer).and_then(Value::as_f64).with_context(|| pointer.clone())
        };
        Ok((number("packets")? - number("lost_packets")?) / number("seconds")? / 1e3)
    }

    fn iperf(&self, options: &[&str], seconds: u32) -> Result<Value> {
        let mut client = self.link.left.command("iperf3");
        client.args(["--client", self.server, "--json", "--time", &seconds.to_string()]);
        client.args(options);
        let timeout = TIMEOUT + Duration::from_secs(u64::from(seconds));
        Ok(serde_json::from_str(&command::run(&mut client, b"", timeout)?.success()?)?)
    }

    /// Mean round trip in ms.
    fn ping(&self, seconds: u32) -> Result<f64> {
        let mut command = self.link.left.command("ping");
        command.args(["-n", "-q", "-i", "0.01", "-w", &seconds.to_string(), self.server]);
        let text = command::run(&mut command, b"", TIMEOUT)?.stdout;
        // rtt min/avg/max/mdev = 0.1/0.2/0.3/0.4 ms
        let times = text.rsplit(" = ").next().filter(|_| text.contains("rtt"));
        let mean = times.and_then(|times| times.split('/').nth(1));
        // Under load every reply may be lost.
        mean.map_or(Ok(f64::NAN), |mean| Ok(mean.parse()?))
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
