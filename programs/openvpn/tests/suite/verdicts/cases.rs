//! The cases: changes of a valid chain, and options.

use rcgen::{
    BasicConstraints, CustomExtension, ExtendedKeyUsagePurpose as Eku, IsCa, KeyUsagePurpose as Ku,
    date_time_ymd,
};
use tunic_openvpn::Role;

use super::chain::{Chain, Intermediates, Revocations, Root, ca, eku, tlv};

/// A case.
pub(crate) struct Case {
    pub(crate) name: String,
    /// The role of the peer that has the chain.
    pub(crate) peer: Role,
    pub(crate) chain: Chain,
    /// Options of the program that verifies it.
    pub(crate) options: String,
}

type Change = fn(&mut Chain, Role);

const fn limit(limit: u8) -> IsCa {
    IsCa::Ca(BasicConstraints::Constrained(limit))
}

fn other(role: Role) -> Eku {
    match role {
        Role::Server => Eku::ClientAuth,
        Role::Client => Eku::ServerAuth,
    }
}

fn netscape(chain: &mut Chain, bits: u8) {
    let identifier = [2, 16, 840, 1, 113_730, 1, 1];
    let extension = CustomExtension::from_oid_content(&identifier, vec![3, 2, 0, bits]);
    chain.leaf.custom_extensions.push(extension);
}

/// Changes of a valid chain.
const CHANGES: &[(&str, Change)] = &[
    ("valid", |_, _| {}),
    ("leaf without key usage", |c, _| c.leaf.key_usages.clear()),
    ("leaf keyEncipherment", |c, _| c.leaf.key_usages = vec![Ku::KeyEncipherment]),
    ("leaf keyAgreement", |c, _| c.leaf.key_usages = vec![Ku::KeyAgreement]),
    ("leaf keyCertSign", |c, _| c.leaf.key_usages = vec![Ku::KeyCertSign]),
    ("leaf cRLSign", |c, _| c.leaf.key_usages = vec![Ku::CrlSign]),
    ("leaf dataEncipherment", |c, _| c.leaf.key_usages = vec![Ku::DataEncipherment]),
    ("leaf nonRepudiation", |c, _| c.leaf.key_usages = vec![Ku::ContentCommitment]),
    ("leaf without purpose", |c, _| c.leaf.extended_key_usages.clear()),
    ("leaf other purpose", |c, role| c.leaf.extended_key_usages = vec![other(role)]),
    ("leaf both purposes", |c, role| c.leaf.extended_key_usages = vec![other(role), eku(role)]),
    ("leaf any purpose", |c, _| c.leaf.extended_key_usages = vec![Eku::Any]),
    ("leaf code signing", |c, _| c.leaf.extended_key_usages = vec![Eku::CodeSigning]),
    ("leaf without extensions", |c, _| {
        c.leaf.key_usages.clear();
        c.leaf.extended_key_usages.clear();
    }),
    ("leaf is a CA", |c, _| c.leaf.is_ca = IsCa::Ca(BasicConstraints::Unconstrained)),
    ("leaf explicitly no CA", |c, _| c.leaf.is_ca = IsCa::ExplicitNoCa),
    ("leaf expired", |c, _| c.leaf.not_after = date_time_ymd(2020, 1, 1)),
    ("leaf not yet valid", |c, _| c.leaf.not_before = date_time_ymd(2200, 1, 1)),
    ("leaf Netscape client", |c, _| netscape(c, 0x80)),
    ("leaf Netscape server", |c, _| netscape(c, 0x40)),
    ("intermediate unknown critical extension", |c, _| {
        let mut extension = CustomExtension::from_oid_content(&[1, 2, 3, 4], vec![5, 0]);
        extension.set_criticality(true);
        c.intermediates[0].custom_extensions.push(extension);
    }),
    ("intermediate without key usage", |c, _| c.intermediates[0].key_usages.clear()),
    ("intermediate cRLSign", |c, _| c.intermediates[0].key_usages = vec![Ku::CrlSign]),
    ("intermediate digitalSignature", |c, _| {
        c.intermediates[0].key_usages = vec![Ku::DigitalSignature];
    }),
    ("intermediate without constraints", |c, _| c.intermediates[0].is_ca = IsCa::NoCa),
    ("intermediate explicitly no CA", |c, _| c.intermediates[0].is_ca = IsCa::ExplicitNoCa),
    ("intermediate right purpose", |c, role| {
        c.intermediates[0].extended_key_usages = vec![eku(role)];
    }),
    ("intermediate other purpose", |c, role| {
        c.intermediates[0].extended_key_usages = vec![other(role)];
    }),
    ("intermediate any purpose", |c, _| c.intermediates[0].extended_key_usages = vec![Eku::Any]),
    ("intermediate path length 0", |c, _| c.intermediates[0].is_ca = limit(0)),
    ("intermediate expired", |c, _| c.intermediates[0].not_after = date_time_ymd(2020, 1, 1)),
    ("two intermediates", |c, _| c.intermediates.push(ca("second"))),
    ("two intermediates, path length 0", |c, _| {
        c.intermediates[0].is_ca = limit(0);
        c.intermediates.push(ca("second"));
    }),
    ("intermediate in ca", |c, _| c.intermediates_are = Intermediates::Trusted),
    ("intermediate in ca, cRLSign", |c, _| {
        c.intermediates_are = Intermediates::Trusted;
        c.intermediates[0].key_usages = vec![Ku::CrlSign];
    }),
    ("intermediate in ca without root", |c, _| {
        c.intermediates_are = Intermediates::Trusted;
        c.root_is = Root::Missing;
    }),
    ("intermediate missing", |c, _| c.intermediates_are = Intermediates::Missing),
    ("no intermediate", |c, _| c.intermediates.clear()),
    ("other root", |c, _| c.root_is = Root::Other),
    ("root without key usage", |c, _| c.root.key_usages.clear()),
    ("root cRLSign", |c, _| c.root.key_usages = vec![Ku::CrlSign]),
    ("root without constraints", |c, _| c.root.is_ca = IsCa::NoCa),
    ("root without extensions", |c, _| {
        c.root.is_ca = IsCa::NoCa;
        c.root.key_usages.clear();
    }),
    ("root explicitly no CA", |c, _| c.root.is_ca = IsCa::ExplicitNoCa),
    ("root right purpose", |c, role| c.root.extended_key_usages = vec![eku(role)]),
    ("root other purpose", |c, role| c.root.extended_key_usages = vec![other(role)]),
    ("root path length 0", |c, _| c.root.is_ca = limit(0)),
    ("root path length 1", |c, _| c.root.is_ca = limit(1)),
    ("root expired", |c, _| c.root.not_after = date_time_ymd(2020, 1, 1)),
    ("root not yet valid", |c, _| c.root.not_before = date_time_ymd(2200, 1, 1)),
];

/// Options about usages, in place of `remote-cert-tls`.
const USAGES: [&str; 8] = [
    "remote-cert-ku",
    "remote-cert-ku 80",
    "remote-cert-ku a0 88",
    "remote-cert-ku a0 80",
    "remote-cert-eku \"TLS Web Server Authentication\"",
    "remote-cert-eku \"TLS Web Client Authentication\"",
    "remote-cert-eku 1.3.6.1.5.5.7.3.1",
    "remote-cert-eku \"Code Signing\"",
];

const REVOCATIONS: [(&str, Revocations); 5] = [
    ("nothing revoked", Revocations::None),
    ("leaf revoked", Revocations::Leaf),
    ("intermediate revoked", Revocations::Intermediate),
    ("list of the root only", Revocations::OnlyRoot),
    ("lists expired", Revocations::Expired),
];

// Encoded object identifiers.
const COMMON_NAME: &[u8] = &[0x55, 4, 3];
const ORGANIZATION: &[u8] = &[0x55, 4, 10];
const PSEUDONYM: &[u8] = &[0x55, 4, 65];
const UNKNOWN: &[u8] = &[0x2A, 3, 4];

fn attribute(identifier: &[u8], tag: u8, value: &[u8]) -> Vec<u8> {
    tlv(0x30, &[tlv(0x06, identifier), tlv(tag, value)].concat())
}

/// Subjects: a name, the encoding, and what `verify-x509-name` is tried with.
fn subjects() -> Vec<(&'static str, Vec<u8>, Vec<&'static str>)> {
    let one = |identifier, tag, value: &[u8]| tlv(0x31, &attribute(identifier, tag, value));
    let cn = |tag, value: &[u8]| one(COMMON_NAME, tag, value);
    vec![
        (
            "two names",
            [one(ORGANIZATION, 12, b"o"), cn(12, b"first"), cn(12, b"last")].concat(),
            vec!["'O=o, CN=first, CN=last' subject", "first name", "last name", "la name-prefix"],
        ),
        (
            "multi-valued",
            tlv(
                0x31,
                &[attribute(ORGANIZATION, 12, b"o"), attribute(COMMON_NAME, 12, b"n")].concat(),
            ),
            vec!["'O=o + CN=n' subject", "'O=o, CN=n' subject", "n name"],
        ),
        (
            "BMPString",
            cn(30, &[0, 0x47, 0, 0xfc, 0x20, 0xac]),
            vec!["'CN=G\u{fc}\u{20ac}' subject", "G\u{fc}\u{20ac} name"],
        ),
        (
            "T61String",
            cn(20, b"G\xfc"),
            vec!["CN=G\u{fc} subject", "G\u{fc} name", "G name-prefix"],
        ),
        (
            "escapes",
            cn(12, b"a\nb\\c,+=\"#"),
            vec![r##"'CN=a\0Ab\\c,+="#' subject"##, r##"'a_b\c,+="#' name"##, "a_b name-prefix"],
        ),
        (
            "uncommon attributes",
            [one(PSEUDONYM, 12, b"p"), one(UNKNOWN, 12, b"u"), cn(22, b"n")].concat(),
            vec!["'pseudonym=p, 1.2.3.4=u, CN=n' subject", "'?=p, ?=u, CN=n' subject"],
        ),
        ("without common name", one(ORGANIZATION, 12, b"o"), vec!["O=o subject", "o name"]),
        ("64 bytes", cn(12, &[b'x'; 64]), vec!["x name-prefix"]),
        ("65 bytes", cn(12, &[b'x'; 65]), vec!["x name-prefix"]),
        ("NUL", cn(12, b"a\0b"), vec![r"'CN=a\00b' subject", "a name", "a_b name"]),
        ("VisibleString", cn(26, b"v"), vec!["v name"]),
        ("BIT STRING", cn(3, b"\0v"), vec!["CN=v subject", "v name"]),
        ("invalid UTF-8", cn(12, b"a\xff"), vec!["a name-prefix"]),
        ("empty value", cn(12, b""), vec!["CN= subject"]),
        ("empty subject", Vec::new(), vec!["a name"]),
    ]
}

/// All cases.
pub(crate) fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    for peer in [Role::Server, Role::Client] {
        let word = match peer {
            Role::Server => "server",
            Role::Client => "client",
        };
        let mut add = |name: String, chain, options: String| {
            cases.push(Case { name: format!("{word}: {name}"), peer, chain, options });
        };
        let with = |change: Change| {
            let mut chain = Chain::valid(peer);
            change(&mut chain, peer);
            chain
        };
        for (name, change) in CHANGES {
            add((*name).into(), with(*change), String::new());
            let options = format!("remote-cert-tls {word}");
            add(format!("{name}, remote-cert-tls"), with(*change), options);
        }
        for options in USAGES {
            add(format!("valid, {options}"), Chain::valid(peer), options.into());
            let bare: Change = |c, _| {
                c.leaf.key_usages.clear();
                c.leaf.extended_key_usages.clear();
            };
            add(format!("leaf without extensions, {options}"), with(bare), options.into());
        }
        for (name, revocations) in REVOCATIONS {
            let chain = Chain { revocations, ..Chain::valid(peer) };
            add(format!("crl-verify, {name}"), chain, String::new());
        }
        for (name, subject, rules) in subjects() {
            let chain = || Chain { subject: Some(subject.clone()), ..Chain::valid(peer) };
            add(format!("subject {name}"), chain(), String::new());
            for rule in rules {
                let options = format!("verify-x509-name {rule}");
                add(format!("subject {name}, {options}"), chain(), options);
            }
        }
    }
    cases
}
