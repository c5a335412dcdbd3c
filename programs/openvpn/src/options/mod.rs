//! Options of a tunnel, pushed by a server or written in a profile.

mod dns;
mod network;
mod words;

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

pub use dns::DnsOptions;
pub(crate) use dns::is_domain;
pub use network::{Network, Route, RouteGateway, RouteNetwork, mask_length};
pub use words::{WordsError, words};

use crate::Suite;

/// Options of a tunnel. `None` or empty: not given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TunnelOptions {
    /// Decides the meaning of `ifconfig`'s second word.
    pub topology: Option<Topology>,
    /// Our address, and the mask (topology subnet) or the peer's address (net30, p2p).
    pub ifconfig: Option<(Ipv4Addr, Ipv4Addr)>,
    /// Our IPv6 address, its prefix length, and the peer's address.
    pub ifconfig_v6: Option<(Ipv6Addr, u8, Option<Ipv6Addr>)>,
    /// Default gateway of routes, inside the tunnel.
    pub route_gateway: Option<Ipv4Addr>,
    /// Default gateway of IPv6 routes.
    pub route_gateway_v6: Option<Ipv6Addr>,
    /// Default metric of routes.
    pub route_metric: Option<u32>,
    /// Routes of both address families.
    pub routes: Vec<Route>,
    /// Redirection of the default route.
    pub redirect_gateway: Option<RedirectGateway>,
    /// The interface's MTU.
    pub tun_mtu: Option<u32>,
    /// Interval of pings; zero disables.
    pub ping: Option<Duration>,
    /// Receive timeout after which the client reconnects; zero disables.
    pub ping_restart: Option<Duration>,
    /// Receive timeout after which the program exits.
    pub ping_exit: Option<Duration>,
    /// Name servers and search domains.
    pub dns: DnsOptions,
    /// Peer id of data packets to the server.
    pub peer_id: Option<u32>,
    /// The data channel's cipher.
    pub cipher: Option<Suite>,
    /// Data keys are derived by the TLS exporter.
    pub is_exporter: bool,
    /// Data packets use the epoch format.
    pub is_epoch: bool,
    /// Renegotiations use dynamic tls-crypt.
    pub is_dynamic_tls_crypt: bool,
    /// The peer accepts `EXIT` over the control channel.
    pub is_exit_by_control: bool,
    /// Token that replaces the password from now on.
    pub auth_token: Option<AuthToken>,
    /// Options that were accepted but have no effect.
    pub ignored: Vec<String>,
}

/// Addressing of the tunnel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Topology {
    /// A /30 for each client.
    #[default]
    Net30,
    /// Point-to-point.
    P2p,
    /// All clients in one subnet.
    Subnet,
}

/// `redirect-gateway` and its flags.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RedirectGateway {
    /// Adds two /1 routes beside the default route (`def1`).
    pub is_def1: bool,
    /// The server is on link: adds no host route to it (`local`).
    pub is_local: bool,
    /// Redirects IPv6 too (`ipv6`).
    pub is_ipv6: bool,
    /// Does not redirect IPv4 (`!ipv4`).
    pub is_not_ipv4: bool,
}

/// A token that replaces the password. Zeroized on drop.
#[derive(Clone, PartialEq, Eq, zeroize::Zeroize, zeroize::ZeroizeOnDrop)]
pub struct AuthToken {
    /// The token.
    pub token: String,
    /// The username for the token, if it differs from the given one.
    pub username: Option<String>,
}

impl fmt::Debug for AuthToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AuthToken(..)")
    }
}

/// Why an option can't be applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OptionError {
    /// The option is malformed.
    Malformed(String),
    /// The option is not supported, and the tunnel would not work without it.
    Unsupported(String),
}

impl fmt::Display for OptionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(option) => write!(f, "malformed option: {option}"),
            Self::Unsupported(option) => write!(f, "option not supported: {option}"),
        }
    }
}

impl std::error::Error for OptionError {}

impl TunnelOptions {
    /// Applies an option. Returns `Ok(false)`, without a change, if it is not a tunnel option.
    ///
    /// # Errors
    ///
    /// When it is a tunnel option that is malformed or not supported.
    pub fn apply(&mut self, words: &[&str]) -> Result<bool, OptionError> {
        let Some((&name, arguments)) = words.split_first() else { return Ok(false) };
        let malformed = || OptionError::Malformed(words.join(" "));
        let unsupported = || OptionError::Unsupported(words.join(" "));
        match (name, arguments) {
            ("topology", [topology]) => {
                self.topology = Some(match *topology {
                    "net30" => Topology::Net30,
                    "p2p" => Topology::P2p,
                    "subnet" => Topology::Subnet,
                    _ => return Err(malformed()),
                });
            }
            ("ifconfig", [local, second]) => {
                self.ifconfig = Some((parse(local, malformed)?, parse(second, malformed)?));
            }
            ("ifconfig-ipv6", [local, rest @ ..]) => {
                let (address, prefix) = local.split_once('/').unwrap_or((local, "64"));
                let prefix: u8 = parse(prefix, malformed)?;
                if prefix > 128 {
                    return Err(malformed());
                }
                let remote = rest.first().map(|text| parse(text, malformed)).transpose()?;
                self.ifconfig_v6 = Some((parse(address, malformed)?, prefix, remote));
            }
            // `route-gateway dhcp` is not a tunnel option here.
            ("route-gateway", [gateway]) if *gateway != "dhcp" => {
                self.route_gateway = Some(parse(gateway, malformed)?);
            }
            ("route-ipv6-gateway", [gateway]) => {
                self.route_gateway_v6 = Some(parse(gateway, malformed)?);
            }
            ("route-metric", [metric]) => self.route_metric = Some(parse(metric, malformed)?),
            ("route", arguments) => {
                self.routes.push(Route::parse_v4(arguments).ok_or_else(malformed)?);
            }
            ("route-ipv6", arguments) => {
                self.routes.push(Route::parse_v6(arguments).ok_or_else(malformed)?);
            }
            ("redirect-gateway", flags) => {
                let mut redirect = RedirectGateway::default();
                for flag in flags {
                    match *flag {
                        "def1" => redirect.is_def1 = true,
                        "local" => redirect.is_local = true,
                        "ipv6" => redirect.is_ipv6 = true,
                        "!ipv4" => redirect.is_not_ipv4 = true,
                        "autolocal" | "bypass-dhcp" | "bypass-dns" | "block-local" => {
                            self.ignored.push(format!("redirect-gateway {flag}"));
                        }
                        _ => return Err(malformed()),
                    }
                }
                self.redirect_gateway = Some(redirect);
            }
            ("tun-mtu", [mtu, rest @ ..]) => {
                self.tun_mtu = Some(parse(mtu, malformed)?);
                if !rest.is_empty() {
                    self.ignored.push("second word of tun-mtu".into());
                }
            }
            ("ping", [seconds]) => self.ping = Some(seconds_of(seconds, malformed)?),
            ("ping-restart", [seconds]) => {
                self.ping_restart = Some(seconds_of(seconds, malformed)?);
            }
            ("ping-exit", [seconds]) => self.ping_exit = Some(seconds_of(seconds, malformed)?),
            ("dhcp-option", arguments) => {
                if !self.dns.apply_dhcp(arguments) {
                    self.ignored.push(words.join(" "));
                }
            }
            ("dns", arguments) => {
                if !self.dns.apply_dns(arguments) {
                    self.ignored.push(words.join(" "));
                }
            }
            ("peer-id", [id]) => {
                let id = parse(id, malformed)?;
                // 24 bits; all ones mean "no peer id".
                if id >= 0xFF_FFFF {
                    return Err(malformed());
                }
                self.peer_id = Some(id);
            }
            ("cipher", [name]) => self.cipher = Some(name.parse().map_err(|_| unsupported())?),
            // Of servers for clients before 2.4.
            ("tun-ipv6", []) => {}
            ("key-derivation", ["tls-ekm"]) => self.is_exporter = true,
            ("protocol-flags", flags) => {
                for flag in flags {
                    match *flag {
                        "tls-ekm" => self.is_exporter = true,
                        "aead-epoch" => self.is_epoch = true,
                        "cc-exit" => self.is_exit_by_control = true,
                        "dyn-tls-crypt" => self.is_dynamic_tls_crypt = true,
                        _ => self.ignored.push(format!("protocol-flags {flag}")),
                    }
                }
            }
            ("auth-token", [token]) => {
                let username = self.auth_token.take().and_then(|mut old| old.username.take());
                self.auth_token = Some(AuthToken { token: (*token).to_owned(), username });
            }
            ("auth-token-user", [base64]) => self.apply_auth_token_user(base64, malformed)?,
            ("comp-lzo" | "compress", arguments) => match arguments {
                []
                | ["no" | "stub" | "stub-v2" | "lzo" | "lz4" | "lz4-v2" | "yes" | "adaptive"] => {
                    return Err(unsupported());
                }
                ["migrate"] => self.ignored.push(words.join(" ")),
                _ => return Err(malformed()),
            },
            ("fragment", _) => return Err(unsupported()),
            (
                "topology" | "ifconfig" | "tun-mtu" | "ping" | "ping-restart" | "ping-exit"
                | "cipher" | "peer-id" | "auth-token" | "route-metric",
                _,
            ) => return Err(malformed()),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn apply_auth_token_user(
        &mut self,
        base64: &str,
        malformed: impl Fn() -> OptionError,
    ) -> Result<(), OptionError> {
        use base64::Engine;
        let bytes = base64::prelude::BASE64_STANDARD.decode(base64).map_err(|_| malformed())?;
        let username = String::from_utf8(bytes).map_err(|_| malformed())?;
        let token = self
            .auth_token
            .take()
            .map_or_else(String::new, |mut old| std::mem::take(&mut old.token));
        self.auth_token = Some(AuthToken { token, username: Some(username) });
        Ok(())
    }

    /// The topology in effect.
    pub fn topology(&self) -> Topology {
        self.topology.unwrap_or_default()
    }
}

/// Parses a word.
fn parse<V: std::str::FromStr>(
    word: &str,
    malformed: impl FnOnce() -> OptionError,
) -> Result<V, OptionError> {
    word.parse().map_err(|_| malformed())
}

fn seconds_of(
    word: &str,
    malformed: impl FnOnce() -> OptionError,
) -> Result<Duration, OptionError> {
    // The driver takes whole seconds in 32 bits.
    Ok(Duration::from_secs(parse::<u32>(word, malformed)?.into()))
}
