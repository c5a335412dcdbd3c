//! The measurements of a path: iperf3 and ping.

use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;
use tunic_tests::command;
use tunic_tests::namespace::Namespace;

const TIMEOUT: Duration = Duration::from_secs(60);

/// One path's results of one round.
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

/// A path from a namespace to an iperf3 server.
pub(crate) struct Probe<'a> {
    /// The client's namespace.
    pub(crate) from: &'a Namespace,
    /// The server's address.
    pub(crate) server: &'a str,
}

impl Probe<'_> {
    /// Measures one round.
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
        let mut client = self.from.command("iperf3");
        client.args(["--client", self.server, "--json", "--time", &seconds.to_string()]);
        client.args(options);
        let timeout = TIMEOUT + Duration::from_secs(u64::from(seconds));
        Ok(serde_json::from_str(&command::run(&mut client, b"", timeout)?.success()?)?)
    }

    /// Mean round trip in ms.
    fn ping(&self, seconds: u32) -> Result<f64> {
        let mut command = self.from.command("ping");
        command.args(["-n", "-q", "-i", "0.01", "-w", &seconds.to_string(), self.server]);
        let text = command::run(&mut command, b"", TIMEOUT)?.stdout;
        // rtt min/avg/max/mdev = 0.1/0.2/0.3/0.4 ms
        let times = text.rsplit(" = ").next().filter(|_| text.contains("rtt"));
        let mean = times.and_then(|times| times.split('/').nth(1));
        // Under load every reply may be lost.
        mean.map_or(Ok(f64::NAN), |mean| Ok(mean.parse()?))
    }
}
