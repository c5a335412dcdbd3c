//! Stock iperf3 inside a namespace, against a server beside the peer.

use std::time::Duration;

use anyhow::{Context, Result};

use crate::command;
use crate::namespace::Namespace;

/// Runs a TCP stream for some seconds and gives the megabits per second that arrived.
pub fn tcp(from: &Namespace, server: &str, seconds: u32, options: &[&str]) -> Result<f64> {
    let mut command = from.command("iperf3");
    command.args(["--client", server, "--time", &seconds.to_string(), "--format", "m"]);
    command.args(["--connect-timeout", "5000"]).args(options);
    let timeout = Duration::from_secs(u64::from(seconds) + 30);
    let text = command::run(&mut command, b"", timeout)?
        .success()
        .with_context(|| format!("iperf3 to {server} with {options:?}"))?;
    let line = text
        .lines()
        .rev()
        .find(|line| line.contains("receiver"))
        .with_context(|| format!("no receiver's line from iperf3:\n{text}"))?;
    let before = line.split("Mbits/sec").next().unwrap_or_default();
    Ok(before.split_whitespace().next_back().context("no rate from iperf3")?.parse()?)
}
