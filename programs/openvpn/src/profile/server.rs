//! Parses server configurations.

use std::fs;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::error::ProfileError;
use super::lines::{Line, lines};
use super::parse::{Reader, folder_of, malformed, value};
use super::{Family, Profile};
use crate::Role;
use crate::options::{Network, Topology, mask_length, words};

/// As in OpenVPN.
const DEFAULT_MAX_CLIENTS: usize = 1024;

/// The options of a server. Referenced files are read together with it, except client files.
#[derive(Debug)]
#[non_exhaustive]
pub struct ServerProfile {
    /// Options that client profiles have too.
    pub common: Profile,
    /// Address family of the socket, if given (`proto udp6`).
    pub family: Option<Family>,
    /// The tunnel's network (`server`). The server has its first address.
    pub network: Network,
    /// The tunnel's IPv6 network (`server-ipv6`).
    pub network_v6: Option<Network>,
    /// Options pushed to all clients (`push`).
    pub pushes: Vec<String>,
    /// Folder of per-client files, named by the common name (`client-config-dir`).
    pub client_folder: Option<PathBuf>,
    /// Rejects clients without such a file (`ccd-exclusive`).
    pub is_client_file_required: bool,
    /// Clients may reach each other (`client-to-client`).
    pub is_client_to_client: bool,
    /// Allows several clients with the same common name (`duplicate-cn`).
    pub is_duplicate_name_allowed: bool,
    /// Maximum of connected clients (`max-clients`).
    pub max_clients: usize,
    /// The key that unwraps clients' tls-crypt-v2 keys. May be given together with
    /// `common.control_wrap`.
    pub tls_crypt_v2: Option<Zeroizing<String>>,
    /// Path of the management socket (`management FILE unix`).
    pub management: Option<PathBuf>,
}

impl ServerProfile {
    /// Reads a server configuration. Relative paths in it start at its folder.
    ///
    /// # Errors
    ///
    /// When a file can't be read, or the configuration is invalid, incomplete, or requires an
    /// unsupported feature.
    pub fn load(path: &Path) -> Result<Self, ProfileError> {
        let text = fs::read_to_string(path)
            .map(Zeroizing::new)
            .map_err(|error| ProfileError::File(path.to_owned(), error))?;
        Self::parse(&text, &folder_of(path))
    }

    /// Parses a server configuration. Relative paths in it start at `folder`.
    ///
    /// # Errors
    ///
    /// Like [`ServerProfile::load`].
    pub fn parse(text: &str, folder: &Path) -> Result<Self, ProfileError> {
        let lines = lines(text, 1)?;
        let network = |name| lines.iter().rfind(|line| line.name == name).map(network_of);
        let incomplete = ProfileError::Incomplete;
        let mut server = Self {
            common: Profile::default(),
            family: None,
            network: network("server").transpose()?.ok_or(incomplete("`server` is missing"))?,
            network_v6: network("server-ipv6").transpose()?,
            pushes: Vec::new(),
            client_folder: None,
            is_client_file_required: false,
            is_client_to_client: false,
            is_duplicate_name_allowed: false,
            max_clients: DEFAULT_MAX_CLIENTS,
            tls_crypt_v2: None,
            management: None,
        };
        let mut reader = Reader::new(folder, &lines, Role::Server);
        for line in &lines {
            if !server.apply_server_option(line, &mut reader)? {
                reader.option(line)?;
            }
        }
        server.family = reader.family;
        server.common = reader.finish()?;
        server.check()?;
        Ok(server)
    }

    /// Applies a server option. Returns `false` for other options.
    fn apply_server_option(
        &mut self,
        line: &Line,
        reader: &mut Reader,
    ) -> Result<bool, ProfileError> {
        match (line.name.as_str(), &line.arguments()[..]) {
            ("server" | "server-ipv6", _) | ("mode", ["server"]) => {}
            ("push", [option]) => {
                words(option).map_err(|error| line.error(error.to_string()))?;
                if option.contains(',') {
                    return Err(line.error("push: an option can not contain a comma"));
                }
                self.pushes.push((*option).to_owned());
            }
            ("client-config-dir", [path]) => {
                self.client_folder = Some(reader.late_folder.join(path));
            }
            ("ccd-exclusive", []) => self.is_client_file_required = true,
            ("client-to-client", []) => self.is_client_to_client = true,
            ("duplicate-cn", []) => self.is_duplicate_name_allowed = true,
            ("max-clients", [count]) => self.max_clients = value(line, count)?,
            // Key agreement uses elliptic curves only.
            ("dh", ["none"]) => {}
            ("verify-client-cert", [] | ["require"]) => {}
            ("verify-client-cert", _) => {
                return Err(line.error("verify-client-cert: only `require` is supported"));
            }
            ("tls-crypt-v2", [_] | [_, "force-cookie"]) | ("tls-crypt-v2", [])
                if line.block.is_some() || !line.arguments.is_empty() =>
            {
                self.tls_crypt_v2 = line.contents(&reader.folder)?;
            }
            ("tls-crypt-v2", _) => {
                return Err(line.error("tls-crypt-v2: only `force-cookie` is supported"));
            }
            ("management", [path, "unix"]) => self.management = Some(reader.folder.join(path)),
            ("management", _) => {
                return Err(line
                    .error("management: only a Unix socket is supported (management FILE unix)"));
            }
            (
                "push" | "client-config-dir" | "ccd-exclusive" | "client-to-client"
                | "duplicate-cn" | "max-clients" | "mode",
                _,
            ) => return Err(malformed(line)),
            ("client" | "pull" | "remote", _) => {
                return Err(line.error(format!("{} is a client option", line.name)));
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn check(&self) -> Result<(), ProfileError> {
        let incomplete = |what| Err(ProfileError::Incomplete(what));
        let common = &self.common;
        if common.ca.is_none() || common.certificate.is_none() {
            return incomplete("`ca`, `cert` and `key` are required");
        }
        if common.tunnel.topology.is_some_and(|topology| topology != Topology::Subnet) {
            return incomplete("only `topology subnet` is supported");
        }
        if self.is_client_file_required && self.client_folder.is_none() {
            return incomplete("`ccd-exclusive` needs `client-config-dir`");
        }
        Ok(())
    }
}

/// The network of `server NETWORK MASK` or `server-ipv6 NETWORK/LENGTH`.
fn network_of(line: &Line) -> Result<Network, ProfileError> {
    let network = match &line.arguments()[..] {
        [address, mask] if line.name == "server" => {
            let length = mask_length(value(line, mask)?).ok_or_else(|| malformed(line))?;
            Network::new(std::net::IpAddr::V4(value(line, address)?), length)
                .filter(|network| (8..=29).contains(&network.prefix_length()))
        }
        [network] if line.name == "server-ipv6" => {
            let (address, length) = network.split_once('/').ok_or_else(|| malformed(line))?;
            Network::new(std::net::IpAddr::V6(value(line, address)?), value(line, length)?)
                .filter(|network| (64..=112).contains(&network.prefix_length()))
        }
        _ => None,
    };
    network.ok_or_else(|| malformed(line))
}
