//! Per-client options: the files in `client-config-dir`.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

use crate::options::{Network, mask_length};
use crate::profile::{Line, ProfileError, lines};

/// File name for clients without a file of their own.
const DEFAULT: &str = "DEFAULT";

/// Options of one client.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct ClientFile {
    /// The client may not connect.
    pub is_disabled: bool,
    /// Its address (`ifconfig-push`).
    pub address: Option<Ipv4Addr>,
    /// Its IPv6 address (`ifconfig-ipv6-push`).
    pub address_v6: Option<Ipv6Addr>,
    /// The networks behind it (`iroute`, `iroute-ipv6`).
    pub networks: Vec<Network>,
    /// Additional pushed options (`push`).
    pub pushes: Vec<String>,
    /// Omits the server's pushed options (`push-reset`).
    pub is_push_reset: bool,
    /// Prefixes of pushed options to omit (`push-remove`).
    pub removed_pushes: Vec<String>,
    /// It is the file of clients without one of their own.
    pub is_default: bool,
}

impl ClientFile {
    /// Reads a client's file, else the default file; `None` if neither exists.
    ///
    /// # Errors
    ///
    /// When a file can't be read or is invalid.
    pub fn load(folder: &Path, common_name: &str) -> Result<Option<Self>, ProfileError> {
        for name in [file_name(common_name).as_deref(), Some(DEFAULT)].into_iter().flatten() {
            let path = folder.join(name);
            match std::fs::read_to_string(&path) {
                Ok(text) => {
                    // Also for a client that is called so.
                    return Ok(Some(Self { is_default: name == DEFAULT, ..Self::parse(&text)? }));
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(ProfileError::File(path, error)),
            }
        }
        Ok(None)
    }

    /// Parses such a file.
    ///
    /// # Errors
    ///
    /// When it is invalid.
    pub fn parse(text: &str) -> Result<Self, ProfileError> {
        let mut file = Self::default();
        for line in lines(text, 1)? {
            file.option(&line)?;
        }
        Ok(file)
    }

    fn option(&mut self, line: &Line) -> Result<(), ProfileError> {
        let malformed = || line.error(format!("malformed option: {}", line.text()));
        match (line.name.as_str(), &line.arguments()[..]) {
            ("disable", []) => self.is_disabled = true,
            ("ifconfig-push", [address, _, ..]) => {
                self.address = Some(address.parse().map_err(|_| malformed())?);
            }
            ("ifconfig-ipv6-push", [address, ..]) => {
                let (address, _) = address.split_once('/').ok_or_else(malformed)?;
                self.address_v6 = Some(address.parse().map_err(|_| malformed())?);
            }
            ("iroute", [address, rest @ ..]) if rest.len() <= 1 => {
                let address: Ipv4Addr = address.parse().map_err(|_| malformed())?;
                let mask: Ipv4Addr = match rest.first() {
                    None => Ipv4Addr::BROADCAST,
                    Some(mask) => mask.parse().map_err(|_| malformed())?,
                };
                let network =
                    mask_length(mask).and_then(|length| Network::new(IpAddr::V4(address), length));
                self.networks.push(network.ok_or_else(malformed)?);
            }
            ("iroute-ipv6", [network]) => {
                let (address, length) = network.split_once('/').ok_or_else(malformed)?;
                let address: Ipv6Addr = address.parse().map_err(|_| malformed())?;
                let length = length.parse().map_err(|_| malformed())?;
                let network = Network::new(IpAddr::V6(address), length);
                self.networks.push(network.ok_or_else(malformed)?);
            }
            ("push", [option]) if !option.contains(',') => {
                self.pushes.push((*option).to_owned());
            }
            ("push-reset", []) => self.is_push_reset = true,
            ("push-remove", [beginning]) => self.removed_pushes.push((*beginning).to_owned()),
            _ => return Err(line.error(format!("option not supported: {}", line.text()))),
        }
        Ok(())
    }
}

/// The file name for a common name; `None` for names that would leave the folder.
fn file_name(common_name: &str) -> Option<String> {
    // As stock: other replacements would let two names share a file.
    let name = common_name.replace(|c: char| c == '/' || c.is_ascii_control(), "_");
    (!matches!(name.as_str(), "" | "." | "..")).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_says_what_a_client_gets() {
        let text = "# branch office\nifconfig-push 10.8.0.9 255.255.255.0\n\
                    iroute 192.168.4.0 255.255.255.0\niroute-ipv6 2001:db8:4::/48\n\
                    push \"route 10.9.0.0 255.255.0.0\"\npush-remove dhcp-option\n";
        let file = ClientFile::parse(text).unwrap();
        assert_eq!(file.address, Some(Ipv4Addr::new(10, 8, 0, 9)));
        let networks: Vec<_> = file.networks.iter().map(ToString::to_string).collect();
        assert_eq!(networks, ["192.168.4.0/24", "2001:db8:4::/48"]);
        assert_eq!(file.pushes, ["route 10.9.0.0 255.255.0.0"]);
        for (text, message) in [
            ("iroute 1.2.3.4 255.0.255.0", "line 1: malformed option: iroute 1.2.3.4 255.0.255.0"),
            ("\nup ./script", "line 2: option not supported: up ./script"),
        ] {
            assert_eq!(ClientFile::parse(text).unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn no_name_leaves_the_folder() {
        assert_eq!(file_name("alice@example.org").as_deref(), Some("alice@example.org"));
        assert_eq!(file_name("../etc/passwd").as_deref(), Some(".._etc_passwd"));
        assert_eq!(file_name("alice smith").as_deref(), Some("alice smith"));
        assert_eq!(file_name("Gr\u{fc}n+\n").as_deref(), Some("Gr\u{fc}n+_"));
        assert_eq!(file_name(".."), None);
        assert_eq!(file_name(""), None);
    }
}
