//! Stock `ping` inside a namespace.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::command;
use crate::namespace::Namespace;

/// More pings that are sent behind those that count.
pub const MORE: u32 = 10;

/// Pings and gives the number of those that were answered.
pub fn replies(namespace: &Namespace, to: &str, count: u32, options: &[&str]) -> Result<u32> {
    let lost = u32::try_from(lost(namespace, to, count, options)?.len())?;
    Ok(count - lost)
}

/// Pings and gives the numbers, from 1 on, of those that were not answered.
///
/// `ping` waits for its last reply for an interval alone, which is nothing where the machine is
/// busy: there are some more behind those that count.
pub fn lost(namespace: &Namespace, to: &str, count: u32, options: &[&str]) -> Result<Vec<u32>> {
    let mut command = namespace.command("ping");
    command.args(["-n", "-i", "0.05", "-W", "2", "-c", &(count + MORE).to_string()]);
    let output = command::run(command.args(options).arg(to), b"", Duration::from_secs(60))?;
    ensure!(output.stdout.contains("packets transmitted"), "no summary from ping: {output:?}");
    let numbers = output.stdout.lines().filter(|line| line.contains(" bytes from "));
    let numbers = numbers.filter_map(|line| line.split_once("icmp_seq=")?.1.split(' ').next());
    let answered: BTreeSet<u32> = numbers.filter_map(|number| number.parse().ok()).collect();
    Ok((1..=count).filter(|number| !answered.contains(number)).collect())
}

/// Pings until the first reply comes, as a handshake may be due first; false when none comes in
/// time.
pub fn reaches(namespace: &Namespace, to: &str, timeout: Duration) -> Result<bool> {
    let mut command = namespace.command("ping");
    let deadline = timeout.as_secs().max(1).to_string();
    command.args(["-n", "-i", "0.2", "-c", "1", "-w", &deadline, to]);
    let output = command::run(&mut command, b"", timeout + Duration::from_secs(10))?;
    Ok(output.status.success())
}
