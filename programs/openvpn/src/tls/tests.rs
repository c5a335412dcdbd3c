//! Verdicts on generated chains.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, CustomExtension, DnType,
    ExtendedKeyUsagePurpose as Eku, IsCa, KeyPair, KeyUsagePurpose as Ku, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, UnixTime};

use super::verify::{ExpectedPeer, Verifier};
use super::{Purpose, RequiredUsage};
use crate::Role;

/// Parameters of the certificates of a chain, and the requirements.
struct Chain {
    root: CertificateParams,
    intermediates: Vec<CertificateParams>,
    leaf: CertificateParams,
    usage: RequiredUsage,
    /// Intermediates are in `ca` instead of the peer's message.
    is_intermediate_trusted: bool,
    is_root_trusted: bool,
}

fn parameters(name: &str) -> CertificateParams {
    let mut parameters = CertificateParams::new([]).unwrap();
    parameters.distinguished_name = rcgen::DistinguishedName::new();
    parameters.distinguished_name.push(DnType::CommonName, name);
    parameters
}

fn ca(name: &str) -> CertificateParams {
    let mut parameters = parameters(name);
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    parameters.key_usages = vec![Ku::KeyCertSign, Ku::CrlSign];
    parameters
}

impl Chain {
    /// A valid chain for a peer in this role, under `remote-cert-tls`.
    fn valid(role: Role) -> Self {
        let mut leaf = parameters("peer");
        leaf.key_usages = vec![Ku::DigitalSignature];
        leaf.extended_key_usages = vec![eku(role)];
        Self {
            root: ca("root"),
            intermediates: vec![ca("intermediate")],
            leaf,
            usage: RequiredUsage::of_peer(role),
            is_intermediate_trusted: false,
            is_root_trusted: true,
        }
    }

    /// Issues the chain and verifies it. An error is the text of the log.
    fn verify(self, role: Role) -> Result<(), String> {
        let key = || KeyPair::generate().unwrap();
        let mut issuer = CertifiedIssuer::self_signed(self.root, key()).unwrap();
        let mut trusted = vec![issuer.der().clone()];
        let mut sent = Vec::new();
        for parameters in self.intermediates {
            issuer = CertifiedIssuer::signed_by(parameters, key(), &issuer).unwrap();
            sent.insert(0, issuer.der().clone());
        }
        let leaf = self.leaf.signed_by(&key(), &issuer).unwrap();
        if !self.is_root_trusted {
            trusted.clear();
        }
        if self.is_intermediate_trusted {
            trusted.append(&mut sent);
        }
        let peer = ExpectedPeer { ca: trusted, usage: self.usage, name: None, revocations: None };
        let text = |error: rustls::Error| match error {
            rustls::Error::InvalidCertificate(rustls::CertificateError::Other(error)) => {
                error.0.to_string()
            }
            other => other.to_string(),
        };
        let verifier = Verifier::new(peer, role).map_err(text)?;
        let leaf: &CertificateDer<'_> = leaf.der();
        verifier.verify(leaf, &sent, UnixTime::now()).map_err(text)
    }
}

fn eku(role: Role) -> Eku {
    match role {
        Role::Server => Eku::ServerAuth,
        Role::Client => Eku::ClientAuth,
    }
}

fn other(role: Role) -> Eku {
    match role {
        Role::Server => Eku::ClientAuth,
        Role::Client => Eku::ServerAuth,
    }
}

/// Asserts the verdict on a chain that is valid but for a change.
#[track_caller]
fn check(expected: Result<(), &str>, change: impl Fn(&mut Chain, Role)) {
    for role in [Role::Server, Role::Client] {
        let mut chain = Chain::valid(role);
        change(&mut chain, role);
        match (chain.verify(role), expected) {
            (Ok(()), Ok(())) => {}
            (Err(error), Err(reason)) if error.contains(reason) => {}
            (verdict, _) => panic!("{role:?}: {verdict:?}, not {expected:?}"),
        }
    }
}

#[test]
fn leaves_need_key_usage_and_purpose() {
    check(Ok(()), |_, _| {});
    check(Err("has no key usage"), |chain, _| chain.leaf.key_usages.clear());
    check(Err("has no extended key usage"), |chain, _| chain.leaf.extended_key_usages.clear());
    for usage in [Ku::KeyCertSign, Ku::CrlSign, Ku::DataEncipherment, Ku::ContentCommitment] {
        check(Err("key usage does not permit"), |chain, _| chain.leaf.key_usages = vec![usage]);
        // Also where `remote-cert-tls` is not given: RFC 5280, section 4.2.1.3.
        check(Err("key usage does not permit"), |chain, _| {
            chain.leaf.key_usages = vec![usage];
            chain.usage = RequiredUsage::default();
        });
    }
    check(Ok(()), |chain, _| chain.leaf.key_usages = vec![Ku::KeyAgreement, Ku::CrlSign]);
    check(Err("not trusted"), |chain, role| chain.leaf.extended_key_usages = vec![other(role)]);
    check(Err("not trusted"), |chain, _| chain.leaf.extended_key_usages = vec![Eku::Any]);
    check(Ok(()), |chain, role| chain.leaf.extended_key_usages = vec![other(role), eku(role)]);
    // Absent extensions do not restrict.
    check(Ok(()), |chain, _| {
        chain.leaf.key_usages.clear();
        chain.leaf.extended_key_usages.clear();
        chain.usage = RequiredUsage::default();
    });
    // Key encipherment is a use of servers only.
    for (role, is_accepted) in [(Role::Server, true), (Role::Client, false)] {
        let mut chain = Chain::valid(role);
        chain.leaf.key_usages = vec![Ku::KeyEncipherment];
        assert_eq!(chain.verify(role).is_ok(), is_accepted);
    }
}

#[test]
fn issuers_need_the_right_to_sign() {
    check(Ok(()), |chain, _| chain.intermediates[0].key_usages.clear());
    check(Ok(()), |chain, _| chain.root.key_usages.clear());
    for usages in [vec![Ku::CrlSign], vec![Ku::DigitalSignature, Ku::KeyEncipherment]] {
        check(Err("signing"), |chain, _| chain.intermediates[0].key_usages = usages.clone());
        check(Err("signing"), |chain, _| chain.root.key_usages = usages.clone());
    }
    for is_ca in [IsCa::NoCa, IsCa::ExplicitNoCa] {
        check(Err("not trusted"), |chain, _| chain.intermediates[0].is_ca = is_ca);
    }
    check(Err("not a CA's"), |chain, _| chain.root.is_ca = IsCa::ExplicitNoCa);
    check(Err("not a CA's"), |chain, _| {
        chain.root.is_ca = IsCa::NoCa;
        chain.root.key_usages.clear();
    });
    // As stock: without basic constraints, the right to sign certificates stands in for a root.
    check(Ok(()), |chain, _| chain.root.is_ca = IsCa::NoCa);
    check(Err("expired"), |chain, _| chain.root.not_after = date_time_ymd(2020, 1, 1));
    check(Err("expired"), |chain, _| chain.root.not_before = date_time_ymd(2200, 1, 1));
}

#[test]
fn extended_key_usage_of_issuers_restricts_only_where_present() {
    check(Ok(()), |chain, _| chain.intermediates[0].extended_key_usages.clear());
    check(Ok(()), |chain, role| chain.intermediates[0].extended_key_usages = vec![eku(role)]);
    check(Err("not trusted"), |chain, role| {
        chain.intermediates[0].extended_key_usages = vec![other(role)];
    });
    check(Ok(()), |chain, role| chain.root.extended_key_usages = vec![eku(role)]);
    check(Err("excludes"), |chain, role| chain.root.extended_key_usages = vec![other(role)]);
}

#[test]
fn paths_are_no_longer_than_issuers_permit() {
    let limit = |limit| IsCa::Ca(BasicConstraints::Constrained(limit));
    check(Ok(()), |chain, _| chain.root.is_ca = limit(1));
    check(Err("longer"), |chain, _| chain.root.is_ca = limit(0));
    check(Ok(()), |chain, _| chain.intermediates[0].is_ca = limit(0));
    check(Err("not trusted"), |chain, _| {
        chain.intermediates[0].is_ca = limit(0);
        chain.intermediates.push(ca("second"));
    });
}

/// As stock: a path ends at a self-signed certificate of `ca`, and those below are intermediates.
#[test]
fn paths_end_at_a_root() {
    check(Ok(()), |chain, _| chain.is_intermediate_trusted = true);
    check(Err("signing"), |chain, _| {
        chain.is_intermediate_trusted = true;
        chain.intermediates[0].key_usages = vec![Ku::CrlSign];
    });
    check(Err("no self-signed certificate"), |chain, _| {
        chain.is_intermediate_trusted = true;
        chain.is_root_trusted = false;
    });
}

#[test]
fn the_profile_can_name_usages() {
    let with = |key_usage: &'static [u32], purpose: Option<&'static str>| {
        move |chain: &mut Chain, _: Role| {
            chain.usage = RequiredUsage {
                key_usage: Some(key_usage.to_vec()),
                extended_key_usage: purpose.and_then(Purpose::parse),
            };
        }
    };
    check(Ok(()), with(&[], None));
    check(Ok(()), with(&[0x80], None));
    check(Ok(()), with(&[0xA0, 0x80], None));
    check(Err("key usage does not permit"), with(&[0xA0, 0x88], None));
    check(Err("key usage does not permit"), with(&[0x8080], None));
    check(Err("extended key usage does not permit"), with(&[], Some("Code Signing")));
    check(Err("extended key usage does not permit"), with(&[], Some("1.2.3")));
    for (role, name) in [
        (Role::Server, "TLS Web Server Authentication"),
        (Role::Server, "1.3.6.1.5.5.7.3.1"),
        (Role::Client, "TLS Web Client Authentication"),
    ] {
        let mut chain = Chain::valid(role);
        with(&[], Some(name))(&mut chain, role);
        assert_eq!(chain.verify(role), Ok(()), "{name}");
    }
    assert_eq!(Purpose::parse("no such purpose"), None);
}

/// Netscape's certificate type, if present, restricts the leaf.
#[test]
fn netscapes_certificate_type_restricts() {
    for (bits, is_server, is_client) in [(0xC0, true, true), (0x40, true, false), (7, false, false)]
    {
        for (role, is_accepted) in [(Role::Server, is_server), (Role::Client, is_client)] {
            let mut chain = Chain::valid(role);
            let identifier = [2, 16, 840, 1, 113_730, 1, 1];
            let value = vec![3, 2, 0, bits];
            let extension = CustomExtension::from_oid_content(&identifier, value);
            chain.leaf.custom_extensions.push(extension);
            assert_eq!(chain.verify(role).is_ok(), is_accepted, "{bits:x} {role:?}");
        }
    }
}
