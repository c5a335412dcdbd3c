//! Stock `ping` inside a namespace.

use std::time::Duration;

use anyhow::{Context, Result};

use crate::command;
use crate::namespace::Namespace;

/// Pings and gives the number of replies.
pub fn replies(namespace: &Namespace, to: &str, count: u32, options: &[&str]) -> Result<u32> {
    let mut command = namespace.command("ping");
    command.args(["-n", "-i", "0.05", "-W", "2", "-c", &count.to_string()]).args(options).arg(to);
    let output = command::run(&mut command, b"", Duration::from_secs(60))?;
    let summary = output
        .stdout
        .lines()
        .find(|line| line.contains("packets transmitted"))
        .with_context(|| format!("no summary from ping: {output:?}"))?;
    let received = summary.split(", ").nth(1).and_then(|part| part.split(' ').next());
    Ok(received.context("no count from ping")?.parse()?)
}

/// Pings until the first reply comes, as a handshake may be due first; false when none comes in time.
pub fn reaches(namespace: &Namespace, to: &str, timeout: Duration) -> Result<bool> {
    let mut command = namespace.command("ping");
    let deadline = timeout.as_secs().max(1).to_string();
    command.args(["-n", "-i", "0.2", "-c", "1", "-w", &deadline, to]);
    let output = command::run(&mut command, b"", timeout + Duration::from_secs(10))?;
    Ok(output.status.success())
}
