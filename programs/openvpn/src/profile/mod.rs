//! Client profiles (`.ovpn`) and server configurations.

mod connection;
mod error;
mod lines;
mod parse;
mod process;
mod server;
mod session;
mod without_effect;

use std::fmt;
use std::time::Duration;

use zeroize::Zeroizing;

pub use error::ProfileError;
pub(crate) use lines::{Line, lines};
pub use process::{LogFile, ProcessOptions};
pub use server::ServerProfile;

use crate::Suite;
use crate::data_channel::DataFormat;
use crate::options::TunnelOptions;
use crate::tls::{NameRule, RequiredUsage, RevocationSource};

/// The options of a profile. Referenced files are read together with it: fields hold contents.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Profile {
    /// The servers, in the order of attempts.
    pub remotes: Vec<Remote>,
    /// Tries them in random order (`remote-random`).
    pub is_remote_random: bool,
    /// The local port (`lport`, `port`); any by default.
    pub local_port: Option<u16>,
    /// The local address (`local`).
    pub local_address: Option<std::net::IpAddr>,
    /// The interface's name (`dev tun3`); `None` selects any.
    pub device: Option<String>,
    /// Trusted CA certificates, in PEM.
    pub ca: Option<String>,
    /// Our certificate and its intermediates, in PEM.
    pub certificate: Option<String>,
    /// Our private key, in PEM.
    pub private_key: Option<Zeroizing<String>>,
    /// The password of the private key (`askpass FILE`). Prompted for if needed and `None`.
    pub key_password: Option<Zeroizing<String>>,
    /// Protection of control packets.
    pub control_wrap: Option<ControlWrap>,
    /// Required purpose of the peer's certificate (`remote-cert-tls`).
    pub remote_certificate_use: Option<CertificateUse>,
    /// Required usages of the peer's certificate (`remote-cert-tls`, `remote-cert-ku`,
    /// `remote-cert-eku`).
    pub remote_usage: RequiredUsage,
    /// Required subject of the peer's certificate (`verify-x509-name`).
    pub remote_name: Option<NameRule>,
    /// Revocation information (`crl-verify`).
    pub revocations: Option<RevocationSource>,
    /// Source of username and password (`auth-user-pass`).
    pub credentials: Option<CredentialSource>,
    /// Retries after a failed authentication (`auth-retry`).
    pub is_auth_retried: bool,
    /// Accepted ciphers of the data channel, in order of preference; empty for the default.
    pub data_ciphers: Vec<Suite>,
    /// The cipher if the server names none (`data-ciphers-fallback`, `cipher`).
    pub fallback_cipher: Option<Suite>,
    /// The minimum TLS version (`tls-version-min`).
    pub tls_version_min: Option<TlsVersion>,
    /// The maximum TLS version (`tls-version-max`).
    pub tls_version_max: Option<TlsVersion>,
    /// Interval of key renewals (`reneg-sec`); zero disables.
    pub renegotiate_after: Option<Duration>,
    /// Limit for a handshake (`hand-window`).
    pub handshake_window: Option<Duration>,
    /// How long an old key still decrypts packets (`tran-window`).
    pub transition_window: Option<Duration>,
    /// Delay between connection attempts, and the limit of its doubling (`connect-retry`).
    pub connect_retry: Option<(Duration, Duration)>,
    /// Maximum of rounds through all remotes (`connect-retry-max`).
    pub connect_retry_max: Option<u32>,
    /// Limit for a server's first reply (`server-poll-timeout`, `connect-timeout`).
    pub server_poll_timeout: Option<Duration>,
    /// How long to retry a name that does not resolve (`resolv-retry`); `None` is unlimited.
    pub resolve_retry: Option<Duration>,
    /// Maximum UDP payload to which TCP segments in the tunnel are clamped (`mssfix`); zero
    /// disables.
    pub mssfix: Option<u32>,
    /// Notifies the server on exit (`explicit-exit-notify`).
    pub is_exit_notified: bool,
    /// A server sends its clients to their next server on exit (`explicit-exit-notify 2`).
    pub is_exit_to_next_remote: bool,
    /// Ignores pushed routes, gateways and name servers (`route-nopull`).
    pub is_route_nopull: bool,
    /// Filters for pushed options (`pull-filter`), in order.
    pub pull_filters: Vec<PullFilter>,
    /// Additional peer-info for the server (`setenv UV_...`, and all with `push-peer-info`).
    pub peer_info: Vec<(String, String)>,
    /// Keeps the interface, its addresses and routes while connecting anew (`persist-tun`).
    pub is_tunnel_kept: bool,
    /// How the program runs.
    pub process: ProcessOptions,
    /// Tunnel options of the profile itself.
    pub tunnel: TunnelOptions,
    /// Warnings for the user about options without effect.
    pub warnings: Vec<String>,
}

/// Default of `mssfix`, as in OpenVPN: 1492 bytes without the headers of IPv6 and UDP.
const DEFAULT_MSSFIX: u32 = 1492 - 48;

/// Headers of IPv4 and TCP.
const INNER_HEADERS: u32 = 40;

impl Profile {
    /// Drops keys and passwords, when what they are for has been made of them.
    pub(crate) fn forget_secrets(&mut self) {
        self.private_key = None;
        self.key_password = None;
        self.control_wrap = None;
        self.credentials = None;
    }

    /// The MSS of TCP over IPv4 that follows from `mssfix`; 0 disables clamping.
    pub fn mss_bytes(&self, format: DataFormat) -> u16 {
        match self.mssfix.unwrap_or(DEFAULT_MSSFIX) {
            0 => 0,
            max => {
                let bytes = max.saturating_sub(format.overhead_bytes() + INNER_HEADERS);
                u16::try_from(bytes).unwrap_or(0)
            }
        }
    }
}

/// Address of a server.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Remote {
    /// Host name or address.
    pub host: String,
    /// UDP port.
    pub port: u16,
    /// Address family, if given (`udp4`, `udp6`).
    pub family: Option<Family>,
}

/// Address families.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// Keys of [`crate::wrap`], as text.
pub enum ControlWrap {
    /// `tls-auth`: a static key's text, its direction, and the digest's name (`auth`).
    TlsAuth {
        /// `-----BEGIN OpenVPN Static key V1-----`...
        key: Zeroizing<String>,
        /// `key-direction`.
        direction: Option<u8>,
        /// SHA1 by default.
        digest: String,
    },
    /// `tls-crypt`: a static key's text.
    TlsCrypt(Zeroizing<String>),
    /// `tls-crypt-v2`: a client key's text.
    TlsCryptV2(Zeroizing<String>),
}

impl fmt::Debug for ControlWrap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TlsAuth { .. } => "TlsAuth(..)",
            Self::TlsCrypt(_) => "TlsCrypt(..)",
            Self::TlsCryptV2(_) => "TlsCryptV2(..)",
        })
    }
}

/// Purpose of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertificateUse {
    /// TLS server.
    Server,
    /// TLS client.
    Client,
}

/// Source of username and password.
#[derive(Clone)]
pub enum CredentialSource {
    /// Prompt on the terminal.
    Prompt,
    /// Given in a file or inline. A missing password is prompted for.
    Given {
        /// The username.
        username: String,
        /// The password.
        password: Option<Zeroizing<String>>,
    },
}

impl fmt::Debug for CredentialSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Prompt => "Prompt",
            Self::Given { .. } => "Given(..)",
        })
    }
}

/// TLS versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    /// 1.2
    V12,
    /// 1.3
    V13,
}

/// A `pull-filter`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullFilter {
    /// Action for matching options.
    pub action: PullAction,
    /// Prefix of matching options.
    pub prefix: String,
}

/// Action for a pushed option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PullAction {
    /// Apply it.
    Accept,
    /// Ignore it.
    Ignore,
    /// Abort the connection.
    Reject,
}
