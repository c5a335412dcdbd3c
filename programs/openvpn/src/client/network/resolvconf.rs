//! Name servers of an interface, by resolvconf(8).

use std::io::{self, Write};
use std::net::IpAddr;
use std::process::{Command, Stdio};

/// Sets an interface's name servers and search domains.
///
/// # Errors
///
/// Of the kind [`io::ErrorKind::NotFound`] when it is not installed.
pub(super) fn set<D: AsRef<str>>(
    interface: &str,
    servers: &[IpAddr],
    domains: &[D],
) -> io::Result<()> {
    let mut lines: String = servers.iter().map(|server| format!("nameserver {server}\n")).collect();
    if !domains.is_empty() {
        let domains: Vec<_> = domains.iter().map(AsRef::as_ref).collect();
        lines.push_str(&format!("search {}\n", domains.join(" ")));
    }
    run(&["-a", interface], &lines)
}

/// Removes what was set.
pub(super) fn unset(interface: &str) {
    // Fails if nothing was set.
    let _ = run(&["-d", interface], "");
}

fn run(arguments: &[&str], input: &str) -> io::Result<()> {
    let mut child = Command::new("resolvconf")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input.as_bytes())?;
    }
    let status = child.wait()?;
    if status.success() { Ok(()) } else { Err(io::Error::other(status.to_string())) }
}
