//! The cross-platform WireGuard socket, spoken by hand, for requests that `wg` would not make.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use anyhow::{Context, Result};

/// Sends a request (without its empty last line) and gives the answer's lines.
pub fn request(interface: &str, text: &str) -> Result<Vec<String>> {
    let mut stream = UnixStream::connect(format!("/var/run/wireguard/{interface}.sock"))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.write_all(text.as_bytes())?;
    stream.write_all(b"\n\n")?;
    let mut lines = Vec::new();
    for line in BufReader::new(stream).lines() {
        let line = line?;
        if line.is_empty() {
            break;
        }
        lines.push(line);
    }
    Ok(lines)
}

/// The errno that an answer ends with, without its sign: implementations differ in that.
pub fn errno(lines: &[String]) -> Result<i32> {
    let line = lines.iter().find_map(|line| line.strip_prefix("errno=")).context("no errno")?;
    Ok(line.parse::<i32>()?.abs())
}
