//! Stock iperf3 inside a namespace, against a server beside the peer.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};

use crate::command;
use crate::namespace::Namespace;

/// Where [`Peer::start_iperf`](crate::peer::Peer::start_iperf)'s server listens; the kernel's guest
/// has another at 5201.
pub const PORT: u16 = 5202;

/// Leaves room for pings beside it. The window bounds what a machine that stood still makes up for
/// at once: no buffer on the way is filled, not even those of Linux's default size that peers have.
pub const GENTLE: [&str; 6] = ["--bitrate", "10M", "--length", "4K", "--window", "64K"];

/// How long the server may take to start anew after a run.
const START: Duration = Duration::from_secs(20);

/// Runs a TCP stream for some seconds and gives the megabits per second that arrived.
pub fn tcp(from: &Namespace, server: &str, seconds: u32, options: &[&str]) -> Result<f64> {
    let rates = run(from, server, seconds, options)?;
    rates.last().copied().context("no rate from iperf3")
}

/// Runs a TCP stream each way at once, and gives the megabits per second that arrived by each:
/// there, and back.
pub fn tcp_both_ways(
    from: &Namespace,
    server: &str,
    seconds: u32,
    options: &[&str],
) -> Result<[f64; 2]> {
    let rates = run(from, server, seconds, &[options, &["--bidir"]].concat())?;
    <[f64; 2]>::try_from(rates).map_err(|rates| anyhow!("not two rates from iperf3: {rates:?}"))
}

/// What each stream's receiver got, in megabits per second.
fn run(from: &Namespace, server: &str, seconds: u32, options: &[&str]) -> Result<Vec<f64>> {
    let deadline = Instant::now() + START;
    let text = loop {
        let mut command = from.command("iperf3");
        command.args(["--client", server, "--port", &PORT.to_string()]);
        command.args(["--time", &seconds.to_string(), "--format", "m"]);
        command.args(["--connect-timeout", "5000"]).args(options);
        let timeout = Duration::from_secs(u64::from(seconds) + 30);
        let output = command::run(&mut command, b"", timeout)?;
        // Between two runs the server ends, closes its listener with whoever is in its backlog, and
        // opens another.
        let is_between_runs = [
            "Connection refused",
            "connect to server: Connection reset",
            "control message: Connection reset",
            "server is busy",
        ]
        .iter()
        .any(|error| output.stderr.contains(error));
        if is_between_runs && Instant::now() < deadline {
            continue;
        }
        break output.success().with_context(|| format!("iperf3 to {server} with {options:?}"))?;
    };
    let rate = |line: &str| -> Result<f64> {
        let before = line.split("Mbits/sec").next().unwrap_or_default();
        Ok(before.split_whitespace().next_back().context("no rate from iperf3")?.parse()?)
    };
    let rates: Vec<f64> =
        text.lines().filter(|line| line.contains("receiver")).map(rate).collect::<Result<_>>()?;
    ensure!(!rates.is_empty(), "no receiver's line from iperf3:\n{text}");
    Ok(rates)
}
