//! Parses client profiles.

use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use zeroize::Zeroizing;

use super::error::ProfileError;
use super::lines::{Line, lines};
use super::without_effect::{Unhandled, unhandled};
use super::{ControlWrap, CredentialSource, Family, Profile, PullAction, PullFilter, Remote};
use crate::Role;
use crate::options::OptionError;

const DEFAULT_PORT: u16 = 1194;
/// Headers of IPv6 and UDP, which `mssfix N mtu` includes.
const OUTER_HEADERS: u32 = 48;

impl Profile {
    /// Reads a client profile. Relative paths in it start at its folder.
    ///
    /// # Errors
    ///
    /// When a file can't be read, or the profile is invalid, incomplete, or requires an unsupported
    /// feature.
    pub fn load(path: &Path) -> Result<Self, ProfileError> {
        let text = fs::read_to_string(path)
            .map(Zeroizing::new)
            .map_err(|error| ProfileError::File(path.to_owned(), error))?;
        Self::parse(&text, &folder_of(path))
    }

    /// Parses a client profile. Relative paths in it start at `folder`.
    ///
    /// # Errors
    ///
    /// Like [`Profile::load`].
    pub fn parse(text: &str, folder: &Path) -> Result<Self, ProfileError> {
        let lines = lines(text, 1)?;
        if !lines.iter().any(|line| line.name == "client" || line.name == "pull") {
            return Err(ProfileError::Incomplete("not a client profile: `client` is missing"));
        }
        let mut reader = Reader::new(folder, &lines, Role::Client);
        for line in &lines {
            reader.option(line)?;
        }
        let profile = reader.finish()?;
        if profile.remotes.is_empty() {
            return Err(ProfileError::Incomplete("no server: `remote` is missing"));
        }
        Ok(profile)
    }
}

/// State of parsing a profile.
pub(super) struct Reader {
    pub(super) profile: Profile,
    pub(super) folder: PathBuf,
    /// Of files that are read after the start, such as lists of revoked certificates.
    pub(super) late_folder: PathBuf,
    role: Role,
    /// Names of `ignore-unknown-option`.
    ignored: Vec<String>,
    /// `dev-type tun` is given: the device may have any name.
    pub(super) is_tun: bool,
    pub(super) remotes: Vec<PartialRemote>,
    pub(super) port: Option<u16>,
    pub(super) family: Option<Family>,
    pub(super) direction: Option<u8>,
    pub(super) digest: Option<String>,
}

/// A `remote`, whose port and family may follow in other options.
pub(super) struct PartialRemote {
    pub(super) host: String,
    pub(super) port: Option<u16>,
    pub(super) family: Option<Family>,
}

impl Reader {
    pub(super) fn new(folder: &Path, lines: &[Line], role: Role) -> Self {
        let ignored = lines
            .iter()
            .filter(|line| line.name == "ignore-unknown-option")
            .flat_map(|line| line.arguments.clone())
            .collect();
        // `cd` applies to all files, wherever its line is.
        let cd = lines.iter().rfind(|line| line.name == "cd").map(|line| &line.arguments[..]);
        let folder = match cd {
            Some([cd]) => folder.join(cd),
            _ => folder.to_owned(),
        };
        // After a change of the root folder, paths start there, as in stock OpenVPN.
        let late_folder = match lines.iter().any(|line| line.name == "chroot") {
            true => PathBuf::from("/"),
            false => folder.clone(),
        };
        Self {
            profile: Profile::default(),
            folder,
            late_folder,
            role,
            ignored,
            is_tun: lines.iter().any(|line| line.name == "dev-type" && line.arguments() == ["tun"]),
            remotes: Vec::new(),
            port: None,
            family: None,
            direction: None,
            digest: None,
        }
    }

    /// Resolves options that depend on each other.
    pub(super) fn finish(mut self) -> Result<Profile, ProfileError> {
        let (port, family) = (self.port.unwrap_or(DEFAULT_PORT), self.family);
        let finished = |remote: PartialRemote| Remote {
            host: remote.host,
            port: remote.port.unwrap_or(port),
            family: remote.family.or(family),
        };
        self.profile.remotes.extend(self.remotes.drain(..).map(finished));
        if let Some(ControlWrap::TlsAuth { direction, digest, .. }) = &mut self.profile.control_wrap
        {
            *direction = direction.or(self.direction);
            *digest = self.digest.take().unwrap_or_else(|| "SHA1".into());
        }
        if self.profile.certificate.is_some() != self.profile.private_key.is_some() {
            return Err(ProfileError::Incomplete("`cert` and `key` must be given together"));
        }
        Ok(self.profile)
    }

    /// Applies an option.
    pub(super) fn option(&mut self, line: &Line) -> Result<(), ProfileError> {
        if self.apply_file(line)?
            || self.apply_connection(line)?
            || self.apply_session(line)?
            || self.apply_process(line)?
            || self.apply_other(line)?
        {
            return Ok(());
        }
        let words: Vec<&str> = [&[line.name.as_str()], &line.arguments()[..]].concat();
        match self.profile.tunnel.apply(&words) {
            Ok(true) => {
                let ignored = std::mem::take(&mut self.profile.tunnel.ignored);
                self.profile.warnings.extend(ignored.iter().map(|text| no_effect(line, text)));
                return Ok(());
            }
            Ok(false) => {}
            Err(error @ (OptionError::Malformed(_) | OptionError::Unsupported(_))) => {
                return Err(line.error(error.to_string()));
            }
        }
        match unhandled(&line.name, self.role) {
            Some(Unhandled::Silent) => {}
            Some(Unhandled::Warned) => {
                self.profile.warnings.push(no_effect(line, &line.name));
            }
            Some(Unhandled::Refused) => {
                return Err(line.error(format!("option not supported: {}", line.name)));
            }
            None if self.ignored.contains(&line.name) => {
                self.profile.warnings.push(no_effect(line, &line.name));
            }
            None => return Err(line.error(format!("unknown option: {}", line.name))),
        }
        Ok(())
    }

    /// Applies options that refer to file contents.
    fn apply_file(&mut self, line: &Line) -> Result<bool, ProfileError> {
        match line.name.as_str() {
            "ca" | "cert" | "extra-certs" | "key" | "tls-auth" | "tls-crypt" | "tls-crypt-v2"
            | "auth-user-pass" | "askpass" => {}
            _ => return Ok(false),
        }
        // The password is prompted for in any case.
        if line.name == "askpass" && line.arguments.is_empty() {
            return Ok(true);
        }
        if line.name == "auth-user-pass" && line.arguments.is_empty() && line.block.is_none() {
            self.profile.credentials = Some(CredentialSource::Prompt);
            return Ok(true);
        }
        // `tls-auth [inline] DIRECTION` precedes the block with the key.
        if line.name == "tls-auth"
            && let Some(direction) = line.arguments.get(1)
        {
            self.direction = Some(direction_of(line, direction)?);
        }
        let Some(contents) = line.contents(&self.folder)? else { return Ok(true) };
        let profile = &mut self.profile;
        match line.name.as_str() {
            "ca" => profile.ca = Some(contents.to_string()),
            // `cert` and `extra-certs` may come in either order; the leaf must be first.
            "cert" => {
                let others = profile.certificate.take().unwrap_or_default();
                profile.certificate = Some(format!("{}\n{others}", *contents));
            }
            "extra-certs" => {
                let certificate = profile.certificate.get_or_insert_default();
                certificate.push('\n');
                certificate.push_str(&contents);
            }
            "key" => profile.private_key = Some(contents),
            "askpass" => {
                let password = contents.lines().next().unwrap_or_default().to_owned();
                profile.key_password = Some(Zeroizing::new(password));
            }
            "tls-auth" => {
                let digest = String::new();
                let wrap = ControlWrap::TlsAuth { key: contents, direction: None, digest };
                self.set_wrap(line, wrap)?;
            }
            "tls-crypt" => self.set_wrap(line, ControlWrap::TlsCrypt(contents))?,
            "tls-crypt-v2" => self.set_wrap(line, ControlWrap::TlsCryptV2(contents))?,
            _ => {
                let mut lines = contents.lines();
                let username = lines.next().unwrap_or_default().to_owned();
                if username.is_empty() {
                    return Err(line.error("auth-user-pass: no username"));
                }
                let password = lines.next().map(|text| Zeroizing::new(text.to_owned()));
                profile.credentials = Some(CredentialSource::Given { username, password });
            }
        }
        Ok(true)
    }

    fn set_wrap(&mut self, line: &Line, wrap: ControlWrap) -> Result<(), ProfileError> {
        if self.profile.control_wrap.is_some() {
            return Err(line.error("more than one of tls-auth, tls-crypt and tls-crypt-v2"));
        }
        self.profile.control_wrap = Some(wrap);
        Ok(())
    }

    /// Applies the remaining options.
    fn apply_other(&mut self, line: &Line) -> Result<bool, ProfileError> {
        let profile = &mut self.profile;
        match (line.name.as_str(), &line.arguments()[..]) {
            ("keepalive", [interval, timeout]) => {
                profile.tunnel.ping = Some(seconds(line, interval)?);
                profile.tunnel.ping_restart = Some(seconds(line, timeout)?);
            }
            ("mssfix", []) => profile.mssfix = Some(1492 - OUTER_HEADERS),
            ("mssfix", [max]) => profile.mssfix = Some(value(line, max)?),
            ("mssfix", [max, "mtu"]) => {
                let max: u32 = value(line, max)?;
                profile.mssfix = Some(max.saturating_sub(OUTER_HEADERS));
            }
            ("route-nopull", []) => profile.is_route_nopull = true,
            ("pull-filter", [action, prefix]) => {
                let action = match *action {
                    "accept" => PullAction::Accept,
                    "ignore" => PullAction::Ignore,
                    "reject" => PullAction::Reject,
                    _ => return Err(malformed(line)),
                };
                profile.pull_filters.push(PullFilter { action, prefix: (*prefix).to_owned() });
            }
            ("setenv" | "setenv-safe", ["opt", name, arguments @ ..]) => {
                // `setenv opt NAME`: applied if known, otherwise ignored.
                let option = Line {
                    number: line.number,
                    name: (*name).to_owned(),
                    arguments: arguments.iter().map(|word| (*word).to_owned()).collect(),
                    block: None,
                };
                self.ignored.push(option.name.clone());
                self.option(&option)?;
            }
            ("setenv" | "setenv-safe", [name, rest @ ..]) if rest.len() <= 1 => {
                if name.starts_with("UV_") {
                    let value = rest.first().copied().unwrap_or_default().to_owned();
                    profile.peer_info.push(((*name).to_owned(), value));
                } else {
                    // For scripts in stock OpenVPN.
                    profile.warnings.push(no_effect(line, &format!("{} {name}", line.name)));
                }
            }
            ("ignore-unknown-option", _) => {}
            ("persist-tun", []) => profile.is_tunnel_kept = true,
            ("mode", ["p2p"]) => {}
            (
                "keepalive" | "mssfix" | "route-nopull" | "pull-filter" | "persist-tun" | "setenv",
                _,
            ) => {
                return Err(malformed(line));
            }
            ("mode" | "server" | "server-ipv6" | "push" | "client-config-dir", _) => {
                return Err(line.error(format!("{} is a server option", line.name)));
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// The folder of a file, as an absolute path: a daemon changes its working directory.
pub(super) fn folder_of(path: &Path) -> PathBuf {
    let folder = path.parent().unwrap_or(Path::new(""));
    // `absolute` refuses an empty path, and fails if the working directory is gone.
    std::path::absolute(Path::new(".").join(folder)).unwrap_or_else(|_| folder.to_owned())
}

pub(super) fn direction_of(line: &Line, word: &str) -> Result<u8, ProfileError> {
    match word {
        "0" => Ok(0),
        "1" => Ok(1),
        _ => Err(line.error("key-direction must be 0 or 1")),
    }
}

pub(super) fn value<V: FromStr>(line: &Line, word: &str) -> Result<V, ProfileError> {
    word.parse().map_err(|_| malformed(line))
}

pub(super) fn seconds(line: &Line, word: &str) -> Result<Duration, ProfileError> {
    Ok(Duration::from_secs(value::<u32>(line, word)?.into()))
}

pub(super) fn malformed(line: &Line) -> ProfileError {
    line.error(format!("malformed option: {}", line.text()))
}

pub(super) fn no_effect(line: &Line, what: &str) -> String {
    format!("line {}: without effect: {what}", line.number)
}
