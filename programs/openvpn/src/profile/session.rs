//! Profile options for certificate verification and the session.

use super::error::ProfileError;
use super::lines::Line;
use super::parse::{Reader, direction_of, malformed, no_effect, seconds};
use super::{CertificateUse, TlsVersion};
use crate::tls::{NameRule, Purpose, RequiredUsage, RevocationSource};
use crate::wrap::Digest;
use crate::{Role, Suite};

impl Reader {
    /// Applies such an option. Returns `false` for other options.
    pub(super) fn apply_session(&mut self, line: &Line) -> Result<bool, ProfileError> {
        let profile = &mut self.profile;
        match (line.name.as_str(), &line.arguments()[..]) {
            ("key-direction", [direction]) => {
                self.direction = Some(direction_of(line, direction)?);
            }
            ("auth", [digest]) => {
                if digest.parse::<Digest>().is_err() {
                    return Err(line.error(format!("unknown digest: {digest}")));
                }
                self.digest = Some((*digest).to_owned());
            }
            ("data-ciphers" | "ncp-ciphers", [names]) => {
                profile.data_ciphers = suites(line, names, &mut profile.warnings)?;
            }
            ("cipher" | "data-ciphers-fallback", [name]) => match name.parse::<Suite>() {
                Ok(suite) => profile.fallback_cipher = Some(suite),
                Err(error) => {
                    profile
                        .warnings
                        .push(no_effect(line, &format!("{} {name}: {error}", line.name)));
                }
            },
            ("remote-cert-tls", ["server"]) => {
                profile.remote_certificate_use = Some(CertificateUse::Server);
                profile.remote_usage = RequiredUsage::of_peer(Role::Server);
            }
            ("remote-cert-tls", ["client"]) => {
                profile.remote_certificate_use = Some(CertificateUse::Client);
                profile.remote_usage = RequiredUsage::of_peer(Role::Client);
            }
            ("remote-cert-ku", values) => {
                let values: Result<_, _> =
                    values.iter().map(|value| u32::from_str_radix(value, 16)).collect();
                profile.remote_usage.key_usage = Some(values.map_err(|_| malformed(line))?);
            }
            ("remote-cert-eku", [purpose]) => {
                let purpose = Purpose::parse(purpose).ok_or_else(|| malformed(line))?;
                profile.remote_usage.extended_key_usage = Some(purpose);
            }
            ("verify-x509-name", [name, rest @ ..]) if rest.len() <= 1 => {
                let name = (*name).to_owned();
                profile.remote_name = Some(match rest.first() {
                    None | Some(&"subject") => NameRule::Subject(name),
                    Some(&"name") => NameRule::CommonName(name),
                    Some(&"name-prefix") => NameRule::CommonNamePrefix(name),
                    Some(_) => return Err(malformed(line)),
                });
            }
            ("crl-verify", ["[inline]"]) => {}
            ("crl-verify", [path]) => {
                profile.revocations = Some(RevocationSource::File(self.late_folder.join(path)));
            }
            ("crl-verify", []) if line.block.is_some() => {
                let text = line.block.as_ref().map(|block| block.to_string());
                profile.revocations = text.map(RevocationSource::Text);
            }
            ("crl-verify", [path, "dir"]) => {
                profile.revocations = Some(RevocationSource::Folder(self.late_folder.join(path)));
            }
            ("tls-version-min", [version] | [version, "or-highest"]) => {
                profile.tls_version_min = Some(match *version {
                    // Older versions are not supported: 1.2 satisfies the option.
                    "1.0" | "1.1" | "1.2" => TlsVersion::V12,
                    "1.3" => TlsVersion::V13,
                    _ => return Err(malformed(line)),
                });
            }
            ("tls-version-max", [version]) => {
                profile.tls_version_max = Some(match *version {
                    "1.2" => TlsVersion::V12,
                    "1.3" => TlsVersion::V13,
                    _ => return Err(line.error(format!("TLS {version} is not supported"))),
                });
            }
            // The second argument randomizes the interval.
            ("reneg-sec", [after, rest @ ..]) if rest.len() <= 1 => {
                profile.renegotiate_after = Some(seconds(line, after)?);
                if !rest.is_empty() {
                    profile.warnings.push(no_effect(line, "second word of reneg-sec"));
                }
            }
            ("hand-window", [window]) => profile.handshake_window = Some(seconds(line, window)?),
            ("tran-window", [window]) => profile.transition_window = Some(seconds(line, window)?),
            ("auth-retry", [how @ ("none" | "nointeract" | "interact")]) => {
                profile.is_auth_retried = *how != "none";
                if *how == "interact" {
                    profile.warnings.push(no_effect(line, "auth-retry interact: nointeract"));
                }
            }
            (
                "key-direction"
                | "auth"
                | "data-ciphers"
                | "ncp-ciphers"
                | "cipher"
                | "data-ciphers-fallback"
                | "remote-cert-tls"
                | "remote-cert-eku"
                | "verify-x509-name"
                | "crl-verify"
                | "tls-version-min"
                | "tls-version-max"
                | "reneg-sec"
                | "hand-window"
                | "tran-window"
                | "auth-retry",
                _,
            ) => return Err(malformed(line)),
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// Parses a list of ciphers. At least one must be supported; a leading `?` marks optional ones.
fn suites(
    line: &Line,
    names: &str,
    warnings: &mut Vec<String>,
) -> Result<Vec<Suite>, ProfileError> {
    let mut suites = Vec::new();
    for name in names.split(':') {
        match name.trim_start_matches('?').parse() {
            Ok(suite) => suites.push(suite),
            Err(_) if name.starts_with('?') => {}
            Err(_) if name == "DEFAULT" => {
                suites.extend([Suite::Aes256Gcm, Suite::Aes128Gcm, Suite::ChaCha20Poly1305]);
            }
            Err(_) => warnings.push(no_effect(line, name)),
        }
    }
    match suites.is_empty() {
        true => Err(line.error(format!("none of the ciphers is supported: {names}"))),
        false => Ok(suites),
    }
}
