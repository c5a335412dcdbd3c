//! Profiles: `.ovpn` files.

mod connection;
mod error;
mod lines;
mod parse;
mod server;
mod session;
mod without_effect;

use std::fmt;
use std::time::Duration;

use zeroize::Zeroizing;

pub use error::ProfileError;
pub(crate) use lines::{Line, lines};
pub use server::ServerProfile;

use crate::Suite;
use crate::data_channel::DataFormat;
use crate::options::TunnelOptions;
use crate::tls::{NameRule, RevocationSource};

/// What a profile says. Files that it names are read when it is: everything here is contents.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Profile {
    /// Where the server is, in the order to try.
    pub remotes: Vec<Remote>,
    /// Try them in any order.
    pub is_remote_random: bool,
    /// The local port (`lport`, `port`); any by default.
    pub local_port: Option<u16>,
    /// The local address (`local`).
    pub local_address: Option<std::net::IpAddr>,
    /// The interface's name (`dev tun3`); `None` where it is any.
    pub device: Option<String>,
    /// Certificates that we trust, in PEM.
    pub ca: Option<String>,
    /// Our certificate and what is between it and the CA, in PEM.
    pub certificate: Option<String>,
    /// Our private key, in PEM.
    pub private_key: Option<Zeroizing<String>>,
    /// The password that it is encrypted by (`askpass FILE`); where there is none and it is needed,
    /// the user is asked.
    pub key_password: Option<Zeroizing<String>>,
    /// What goes around control packets.
    pub control_wrap: Option<ControlWrap>,
    /// What the other side's certificate must be for (`remote-cert-tls`).
    pub remote_certificate_use: Option<CertificateUse>,
    /// Whose the other side's certificate must be (`verify-x509-name`).
    pub remote_name: Option<NameRule>,
    /// Certificates that are believed no more (`crl-verify`).
    pub revocations: Option<RevocationSource>,
    /// Where username and password come from (`auth-user-pass`).
    pub credentials: Option<CredentialSource>,
    /// A wrong password is not final (`auth-retry`).
    pub is_auth_retried: bool,
    /// The data channel's ciphers that we can agree to, the best first; empty for the default.
    pub data_ciphers: Vec<Suite>,
    /// The cipher when the server names none (`data-ciphers-fallback`, `cipher`).
    pub fallback_cipher: Option<Suite>,
    /// The oldest TLS.
    pub tls_version_min: Option<TlsVersion>,
    /// The newest TLS.
    pub tls_version_max: Option<TlsVersion>,
    /// How long until keys are renewed (`reneg-sec`); zero is never.
    pub renegotiate_after: Option<Duration>,
    /// How long a handshake may take (`hand-window`).
    pub handshake_window: Option<Duration>,
    /// How long an old key opens packets (`tran-window`).
    pub transition_window: Option<Duration>,
    /// Between two attempts to connect, and the most that doubling makes of it (`connect-retry`).
    pub connect_retry: Option<(Duration, Duration)>,
    /// How many rounds through all remotes (`connect-retry-max`).
    pub connect_retry_max: Option<u32>,
    /// How long to wait for a server's first answer (`server-poll-timeout`, `connect-timeout`).
    pub server_poll_timeout: Option<Duration>,
    /// How often to try a name that does not resolve (`resolv-retry`); `None` is for ever.
    pub resolve_retry: Option<Duration>,
    /// The longest UDP payload of the tunnel that TCP connections in it are held to (`mssfix`);
    /// zero is off.
    pub mssfix: Option<u32>,
    /// Say goodbye to the server when we leave (`explicit-exit-notify`).
    pub is_exit_notified: bool,
    /// Pushed routes, addresses of gateways and name servers don't count (`route-nopull`).
    pub is_route_nopull: bool,
    /// Which pushed options don't count (`pull-filter`), in order.
    pub pull_filters: Vec<PullFilter>,
    /// What is told to the server in peer-info (`setenv UV_...`, and all with `push-peer-info`).
    pub peer_info: Vec<(String, String)>,
    /// What would otherwise be pushed.
    pub tunnel: TunnelOptions,
    /// The interface's MTU in bytes is `tunnel.tun_mtu`. What the profile says that has no effect
    /// here, for people.
    pub warnings: Vec<String>,
}

/// The longest UDP payload with an inner TCP segment where `mssfix` does not say: what fits into
/// 1492 bytes with IPv6's and UDP's headers, as OpenVPN's default is.
const DEFAULT_MSSFIX: u32 = 1492 - 48;

/// IPv4's and TCP's headers.
const INNER_HEADERS: u32 = 40;

impl Profile {
    /// The TCP MSS, of IPv4, that `mssfix` comes to; 0 is none.
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

/// A server's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remote {
    /// Its name or address.
    pub host: String,
    /// Its UDP port.
    pub port: u16,
    /// Its family, where one was named (`udp4`, `udp6`).
    pub family: Option<Family>,
}

/// A family of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// Keys of [`crate::wrap`], as they are in the profile.
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

/// What a certificate is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertificateUse {
    /// A server's.
    Server,
    /// A client's.
    Client,
}

/// Where username and password come from.
#[derive(Clone)]
pub enum CredentialSource {
    /// The user is asked.
    Prompt,
    /// They were in a file or inline; without a password, it is asked for.
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

/// A version of TLS.
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
    /// What becomes of options that begin so.
    pub action: PullAction,
    /// How they begin.
    pub prefix: String,
}

/// What becomes of a pushed option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PullAction {
    /// It counts.
    Accept,
    /// It does not.
    Ignore,
    /// The connection is given up.
    Reject,
}
