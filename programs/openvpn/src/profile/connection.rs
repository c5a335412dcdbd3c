//! Profile options for remote and local addresses.

use std::time::Duration;

use super::Family;
use super::error::ProfileError;
use super::lines::{Line, lines};
use super::parse::{PartialRemote, Reader, malformed, no_effect, seconds, value};
use crate::Role;

impl Reader {
    /// Applies such an option. Returns `false` for other options.
    pub(super) fn apply_connection(&mut self, line: &Line) -> Result<bool, ProfileError> {
        match (line.name.as_str(), &line.arguments()[..]) {
            ("remote", [host, rest @ ..]) if rest.len() <= 2 => {
                let port = rest.first().map(|port| port_of(line, port)).transpose()?;
                let family = rest.get(1).map(|name| udp_family(line, name)).transpose()?.flatten();
                let host = (*host).to_owned();
                self.remotes.push(PartialRemote { host, port, family });
            }
            ("connection", []) => self.connection(line)?,
            ("proto", [name]) => self.family = udp_family(line, name)?,
            ("port", [port]) => {
                self.port = Some(port_of(line, port)?);
                self.profile.local_port = self.port;
            }
            ("rport", [port]) => self.port = Some(port_of(line, port)?),
            ("lport", [port]) => self.profile.local_port = Some(port_of(line, port)?),
            ("local", [address]) => {
                self.profile.local_address = Some(value(line, address)?);
            }
            ("remote-random", []) => self.profile.is_remote_random = true,
            ("remote-random-hostname", []) => {
                return Err(line.error("option not supported: remote-random-hostname"));
            }
            ("dev", [device]) => {
                if !device.starts_with("tun") && !self.is_tun {
                    return Err(line.error(format!("only tun devices are supported, not {device}")));
                }
                self.profile.device = (*device != "tun").then(|| (*device).to_owned());
            }
            ("dev-type", [kind]) if *kind != "tun" => {
                return Err(line.error(format!("only tun devices are supported, not {kind}")));
            }
            ("connect-retry", [first, rest @ ..]) if rest.len() <= 1 => {
                let first = seconds(line, first)?;
                let max = rest.first().map(|max| seconds(line, max)).transpose()?;
                let max = max.unwrap_or(Duration::from_secs(300)).max(first);
                self.profile.connect_retry = Some((first, max));
            }
            ("connect-retry-max", [rounds]) => {
                self.profile.connect_retry_max = Some(value(line, rounds)?);
            }
            ("server-poll-timeout" | "connect-timeout", [timeout]) => {
                self.profile.server_poll_timeout = Some(seconds(line, timeout)?);
            }
            ("resolv-retry", ["infinite"]) => self.profile.resolve_retry = None,
            ("resolv-retry", [retry]) => {
                self.profile.resolve_retry = Some(seconds(line, retry)?);
                // Names are resolved again in each round.
                self.profile.warnings.push(no_effect(line, &line.name));
            }
            ("explicit-exit-notify", rest) if rest.len() <= 1 => {
                let count: u32 = rest.first().map_or(Ok(1), |count| value(line, count))?;
                self.profile.is_exit_notified = count > 0;
                self.profile.is_exit_to_next_remote = count == 2;
            }
            (
                "remote" | "proto" | "port" | "rport" | "lport" | "local" | "dev" | "connect-retry"
                | "connect-retry-max" | "resolv-retry" | "connect-timeout",
                _,
            ) => return Err(malformed(line)),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// `<connection>`: a remote with its own port and protocol.
    fn connection(&mut self, block: &Line) -> Result<(), ProfileError> {
        let text = block.block.as_ref().ok_or_else(|| malformed(block))?;
        let mut inner = Self::new(&self.folder, &[], Role::Client);
        for line in lines(text, block.number + 1)? {
            match line.name.as_str() {
                "remote" | "port" | "rport" | "proto" => {
                    inner.apply_connection(&line)?;
                }
                name => {
                    return Err(line.error(format!("option not supported in <connection>: {name}")));
                }
            }
        }
        let [remote] = &mut inner.remotes[..] else {
            return Err(block.error("<connection> must have one `remote`"));
        };
        remote.port = remote.port.or(inner.port);
        remote.family = remote.family.or(inner.family);
        self.remotes.append(&mut inner.remotes);
        Ok(())
    }
}

/// The address family of a protocol name; `None` for both.
fn udp_family(line: &Line, name: &str) -> Result<Option<Family>, ProfileError> {
    match name {
        "udp" => Ok(None),
        "udp4" => Ok(Some(Family::V4)),
        "udp6" => Ok(Some(Family::V6)),
        name if name.starts_with("tcp") => {
            Err(line.error(format!("only UDP is supported, not {name}")))
        }
        _ => Err(malformed(line)),
    }
}

fn port_of(line: &Line, word: &str) -> Result<u16, ProfileError> {
    word.parse().map_err(|_| line.error(format!("not a port: {word}")))
}
