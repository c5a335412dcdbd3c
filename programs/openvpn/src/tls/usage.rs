//! Checks of key usage, extended key usage and basic constraints along a verified path (RFC 5280,
//! sections 4.2.1.3, 4.2.1.9, 4.2.1.12 and 6.1.4), with the result of stock OpenVPN.
//!
//! webpki checks signatures, validity, basic constraints and extended key usage of the certificates
//! that the peer sends. It checks neither key usage nor any extension of the trust anchor.

use std::fmt;

use super::der;
use super::extensions::Extensions;
use crate::Role;

// RFC 5280, section 4.2.1.12.
const SERVER_AUTH: &[u8] = &[0x2B, 6, 1, 5, 5, 7, 3, 1];
const CLIENT_AUTH: &[u8] = &[0x2B, 6, 1, 5, 5, 7, 3, 2];

// Bits of the key usage: RFC 5280, section 4.2.1.3.
const DIGITAL_SIGNATURE: u8 = 0x80;
const KEY_ENCIPHERMENT: u8 = 0x20;
const KEY_AGREEMENT: u8 = 0x08;
const KEY_CERT_SIGN: u8 = 0x04;

// Bits of Netscape's certificate type.
const NETSCAPE_CLIENT: u8 = 0x80;
const NETSCAPE_SERVER: u8 = 0x40;

/// Names of extended key usages that `remote-cert-eku` accepts besides object identifiers: those of
/// OpenSSL.
const PURPOSES: [(&str, &str); 12] = [
    ("TLS Web Server Authentication", "1.3.6.1.5.5.7.3.1"),
    ("TLS Web Client Authentication", "1.3.6.1.5.5.7.3.2"),
    ("Code Signing", "1.3.6.1.5.5.7.3.3"),
    ("E-mail Protection", "1.3.6.1.5.5.7.3.4"),
    ("IPSec End System", "1.3.6.1.5.5.7.3.5"),
    ("IPSec Tunnel", "1.3.6.1.5.5.7.3.6"),
    ("IPSec User", "1.3.6.1.5.5.7.3.7"),
    ("Time Stamping", "1.3.6.1.5.5.7.3.8"),
    ("OCSP Signing", "1.3.6.1.5.5.7.3.9"),
    ("ipsec Internet Key Exchange", "1.3.6.1.5.5.7.3.17"),
    ("Microsoft Smartcard Login", "1.3.6.1.4.1.311.20.2.2"),
    ("Any Extended Key Usage", "2.5.29.37.0"),
];

/// What a peer's own certificate must state (`remote-cert-tls`, `remote-cert-ku`,
/// `remote-cert-eku`), besides what its role requires of present extensions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequiredUsage {
    /// Key usage must be present, and contain all bits of one of these values. Without a value,
    /// presence is enough.
    pub key_usage: Option<Vec<u32>>,
    /// Extended key usage must be present and contain this purpose.
    pub extended_key_usage: Option<Purpose>,
}

/// An extended key usage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Purpose(Vec<u8>);

impl RequiredUsage {
    /// The requirements of `remote-cert-tls` on a peer in this role.
    pub fn of_peer(role: Role) -> Self {
        Self { key_usage: Some(Vec::new()), extended_key_usage: Some(Purpose::of_peer(role)) }
    }

    /// Checks a peer's own certificate.
    fn check(&self, leaf: &Extensions) -> Result<(), UsageError> {
        if let Some(accepted) = &self.key_usage {
            let usage = leaf.key_usage.ok_or(UsageError::NoKeyUsage)?;
            let has_all = |bits: &u32| *bits != 0 && u32::from(usage) & bits == *bits;
            if !accepted.is_empty() && !accepted.iter().any(has_all) {
                return Err(UsageError::KeyUsage);
            }
        }
        if let Some(purpose) = &self.extended_key_usage {
            let usage = leaf.extended_key_usage.as_ref();
            if !usage.ok_or(UsageError::NoExtendedKeyUsage)?.contains(&purpose.0) {
                return Err(UsageError::ExtendedKeyUsage);
            }
        }
        Ok(())
    }
}

impl Purpose {
    /// TLS server or client authentication.
    pub fn of_peer(role: Role) -> Self {
        Self(purpose(role).to_vec())
    }

    /// Parses the argument of `remote-cert-eku`: OpenSSL's name of a purpose, or a dotted object
    /// identifier.
    pub fn parse(text: &str) -> Option<Self> {
        let known = PURPOSES.iter().find(|(name, _)| *name == text);
        der::object_identifier(known.map_or(text, |(_, dotted)| dotted)).map(Self)
    }
}

/// The purpose that TLS requires of a peer in this role.
pub(super) const fn purpose(role: Role) -> &'static [u8] {
    match role {
        Role::Server => SERVER_AUTH,
        Role::Client => CLIENT_AUTH,
    }
}

/// Checks a path: the peer's own certificate, the intermediates from the leaf up, and the trust
/// anchor's certificate.
pub(super) fn check(
    role: Role,
    required: &RequiredUsage,
    leaf: &Extensions,
    intermediates: &[Extensions],
    anchor: &Extensions,
    now: &str,
) -> Result<(), UsageError> {
    // In `ca`, a self-signed certificate of a peer is its own anchor.
    if leaf.seems_self_signed() && leaf.key != anchor.key {
        return Err(UsageError::SelfSigned);
    }
    check_leaf(role, leaf)?;
    for issuer in intermediates {
        if issuer.seems_self_signed() {
            return Err(UsageError::SelfSigned);
        }
        check_issuer(role, issuer)?;
    }
    check_anchor(role, intermediates, anchor, now)?;
    required.check(leaf)
}

fn check_leaf(role: Role, leaf: &Extensions) -> Result<(), UsageError> {
    let (usages, netscape_type) = match role {
        Role::Server => (DIGITAL_SIGNATURE | KEY_ENCIPHERMENT | KEY_AGREEMENT, NETSCAPE_SERVER),
        Role::Client => (DIGITAL_SIGNATURE | KEY_AGREEMENT, NETSCAPE_CLIENT),
    };
    if leaf.key_usage.is_some_and(|usage| usage & usages == 0) {
        return Err(UsageError::KeyUsage);
    }
    if leaf.netscape_type.is_some_and(|bits| bits & netscape_type == 0) {
        return Err(UsageError::NetscapeType);
    }
    Ok(())
}

fn check_issuer(role: Role, issuer: &Extensions) -> Result<(), UsageError> {
    if issuer.key_usage.is_some_and(|usage| usage & KEY_CERT_SIGN == 0) {
        return Err(UsageError::NoCertSign);
    }
    // An absent extension does not restrict (RFC 5280, section 4.2.1.12).
    let expected = purpose(role);
    let mut purposes = issuer.extended_key_usage.iter();
    if purposes.any(|usage| !usage.iter().any(|purpose| purpose == expected)) {
        return Err(UsageError::IssuerExtendedKeyUsage);
    }
    Ok(())
}

/// Checks what webpki checks of intermediates, but not of anchors.
fn check_anchor(
    role: Role,
    intermediates: &[Extensions],
    anchor: &Extensions,
    now: &str,
) -> Result<(), UsageError> {
    check_issuer(role, anchor)?;
    if anchor.has_unknown_critical {
        return Err(UsageError::UnknownCritical);
    }
    let is_ca = match anchor.basic_constraints {
        Some(constraints) => constraints.is_ca,
        // Version 1 has no extensions. As stock does, the right to sign certificates stands in.
        None => anchor.is_version_1 || anchor.key_usage.is_some(),
    };
    if !is_ca {
        return Err(UsageError::NoCa);
    }
    let depth = intermediates.iter().filter(|issuer| !issuer.is_self_issued).count();
    let limit = anchor.basic_constraints.and_then(|constraints| constraints.path_length);
    if limit.is_some_and(|limit| depth > limit) {
        return Err(UsageError::PathLength);
    }
    let (first, last) = &anchor.validity;
    if now < first.as_str() || now > last.as_str() {
        return Err(UsageError::AnchorValidity);
    }
    Ok(())
}

/// Why a path is rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum UsageError {
    Malformed,
    NoKeyUsage,
    KeyUsage,
    NoExtendedKeyUsage,
    ExtendedKeyUsage,
    NetscapeType,
    NoCertSign,
    IssuerExtendedKeyUsage,
    NoCa,
    PathLength,
    AnchorValidity,
    SelfSigned,
    UnknownCritical,
}

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "malformed certificate",
            Self::NoKeyUsage => "it has no key usage",
            Self::KeyUsage => "its key usage does not permit this use",
            Self::NoExtendedKeyUsage => "it has no extended key usage",
            Self::ExtendedKeyUsage => "its extended key usage does not permit this use",
            Self::NetscapeType => "its Netscape certificate type does not permit this use",
            Self::NoCertSign => "the key usage of a CA does not permit signing certificates",
            Self::IssuerExtendedKeyUsage => "the extended key usage of a CA excludes this use",
            Self::NoCa => "the certificate in `ca` is not a CA's",
            Self::PathLength => "the path is longer than the CA permits",
            Self::SelfSigned => {
                "a certificate has its issuer's name, and no identifier of another key"
            }
            Self::UnknownCritical => "the CA's certificate has an unknown critical extension",
            Self::AnchorValidity => "the CA's certificate is expired or not yet valid",
        })
    }
}
