//! The cases: changes of a valid chain, and options.

use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose as Eku, GeneralSubtree, IsCa, KeyUsagePurpose as Ku, NameConstraints,
    PKCS_ECDSA_P384_SHA384, PKCS_ED25519, SanType, date_time_ymd,
};
use tunic_openvpn::Role;
use tunic_openvpn::tls::{Subject, certificates};

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

fn add_extension(to: &mut CertificateParams, identifier: &[u64], value: &[u8]) {
    let extension = CustomExtension::from_oid_content(identifier, value.to_vec());
    to.custom_extensions.push(extension);
}

fn add_critical(to: &mut CertificateParams) {
    add_extension(to, &[1, 2, 3, 4], &[5, 0]);
    to.custom_extensions[0].set_criticality(true);
}

/// Sets the key usage to this encoding.
fn key_usage(of: &mut CertificateParams, value: &[u8]) {
    of.key_usages.clear();
    add_extension(of, &[2, 5, 29, 15], value);
}

/// Netscape's "server gated crypto".
fn step_up() -> Eku {
    Eku::Other(vec![2, 16, 840, 1, 113_730, 4, 1])
}

fn permit(chain: &mut Chain, subtree: GeneralSubtree) {
    chain.intermediates[0].name_constraints =
        Some(NameConstraints { permitted_subtrees: vec![subtree], excluded_subtrees: Vec::new() });
}

fn name(common: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common);
    name
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
    ("leaf key usage without bits", |c, _| key_usage(&mut c.leaf, &[3, 1, 0])),
    ("leaf decipherOnly", |c, _| key_usage(&mut c.leaf, &[3, 3, 7, 0, 0x80])),
    ("leaf decipherOnly and keyAgreement", |c, _| key_usage(&mut c.leaf, &[3, 3, 7, 8, 0x80])),
    ("leaf key usage is malformed", |c, _| key_usage(&mut c.leaf, &[4, 1, 0x80])),
    ("leaf purposes are empty", |c, _| {
        c.leaf.extended_key_usages.clear();
        add_extension(&mut c.leaf, &[2, 5, 29, 37], &[0x30, 0]);
    }),
    ("leaf Netscape step-up", |c, _| c.leaf.extended_key_usages = vec![step_up()]),
    ("intermediate Netscape step-up", |c, _| {
        c.intermediates[0].extended_key_usages = vec![step_up()];
    }),
    ("intermediate key usage without bits", |c, _| {
        key_usage(&mut c.intermediates[0], &[3, 1, 0]);
    }),
    ("intermediate purposes are empty", |c, _| {
        add_extension(&mut c.intermediates[0], &[2, 5, 29, 37], &[0x30, 0]);
    }),
    ("intermediate Netscape object signing", |c, _| {
        let identifier = [2, 16, 840, 1, 113_730, 1, 1];
        add_extension(&mut c.intermediates[0], &identifier, &[3, 2, 0, 0x10]);
    }),
    ("root Netscape object signing", |c, _| {
        add_extension(&mut c.root, &[2, 16, 840, 1, 113_730, 1, 1], &[3, 2, 0, 0x10]);
    }),
    ("root unknown critical extension", |c, _| add_critical(&mut c.root)),
    ("leaf unknown extension", |c, _| add_extension(&mut c.leaf, &[1, 2, 3, 4], &[5, 0])),
    ("intermediate permits other DNS names", |c, _| {
        c.leaf.subject_alt_names = vec![SanType::DnsName("a.example".try_into().unwrap())];
        permit(c, GeneralSubtree::DnsName("other.example".into()));
    }),
    ("intermediate permits the DNS name", |c, _| {
        c.leaf.subject_alt_names = vec![SanType::DnsName("a.example".try_into().unwrap())];
        permit(c, GeneralSubtree::DnsName("a.example".into()));
    }),
    ("intermediate permits other subjects", |c, _| {
        permit(c, GeneralSubtree::DirectoryName(name("other")));
    }),
    ("intermediate permits the subject", |c, _| {
        permit(c, GeneralSubtree::DirectoryName(name("peer")));
    }),
    ("intermediate excludes the subject", |c, _| {
        c.intermediates[0].name_constraints = Some(NameConstraints {
            permitted_subtrees: Vec::new(),
            excluded_subtrees: vec![GeneralSubtree::DirectoryName(name("peer"))],
        });
    }),
    ("intermediate has the root's name", |c, _| {
        c.intermediates[0].distinguished_name = name("root");
    }),
    ("leaf has the intermediate's name", |c, _| c.leaf.distinguished_name = name("intermediate")),
    ("same names, path length 0", |c, _| {
        c.intermediates[0].is_ca = limit(0);
        c.intermediates.push(ca("intermediate"));
    }),
    ("five intermediates", |c, _| {
        c.intermediates.extend(["2", "3", "4", "5"].map(ca));
    }),
    ("intermediates in reverse order", |c, _| {
        c.intermediates.extend(["2", "3"].map(ca));
        c.intermediates_are = Intermediates::SentReversed;
    }),
    ("leaf is its own root", |c, _| c.root_is = Root::Leaf),
    ("leaf is its own root and CA", |c, _| {
        c.root_is = Root::Leaf;
        c.leaf.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    }),
    ("leaf is its own root and may sign", |c, _| {
        c.root_is = Root::Leaf;
        c.leaf.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        c.leaf.key_usages.push(Ku::KeyCertSign);
    }),
    ("same names, identifiers of keys", |c, _| {
        c.intermediates[0].distinguished_name = name("root");
        c.intermediates[0].use_authority_key_identifier_extension = true;
        c.leaf.distinguished_name = name("root");
        c.leaf.use_authority_key_identifier_extension = true;
        c.leaf.is_ca = IsCa::ExplicitNoCa;
    }),
    ("leaf Ed25519", |c, _| c.algorithms[2] = &PKCS_ED25519),
    ("leaf P-384", |c, _| c.algorithms[2] = &PKCS_ECDSA_P384_SHA384),
    ("intermediate Ed25519", |c, _| c.algorithms[1] = &PKCS_ED25519),
    ("root P-384", |c, _| c.algorithms[0] = &PKCS_ECDSA_P384_SHA384),
    ("root is sent", |c, _| c.is_root_sent = true),
    ("another root is sent", |c, _| {
        c.root_is = Root::Other;
        c.is_root_sent = true;
    }),
];

/// Options about usages, in place of `remote-cert-tls`.
const USAGES: [&str; 19] = [
    "remote-cert-ku",
    "remote-cert-ku 80",
    "remote-cert-ku a0 88",
    "remote-cert-ku a0 80",
    "remote-cert-eku \"TLS Web Server Authentication\"",
    "remote-cert-eku \"TLS Web Client Authentication\"",
    "remote-cert-eku 1.3.6.1.5.5.7.3.1",
    "remote-cert-eku \"Code Signing\"",
    "remote-cert-eku \"tls web server authentication\"",
    "remote-cert-eku serverAuth",
    "remote-cert-eku 1.3.6.1.5.5.7.3.2",
    "remote-cert-tls server",
    "remote-cert-tls client",
    "remote-cert-tls server\nremote-cert-eku \"TLS Web Client Authentication\"",
    "remote-cert-eku \"TLS Web Client Authentication\"\nremote-cert-tls server",
    "remote-cert-tls client\nremote-cert-ku 20",
    "remote-cert-ku 20\nremote-cert-tls client",
    "remote-cert-ku 0",
    "remote-cert-ku 20 0 180",
];

const REVOCATIONS: [(&str, Revocations); 10] = [
    ("nothing revoked", Revocations::None),
    ("leaf revoked", Revocations::Leaf),
    ("intermediate revoked", Revocations::Intermediate),
    ("list of the root only", Revocations::OnlyRoot),
    ("lists expired", Revocations::Expired),
    ("list of the intermediate only", Revocations::OnlyIntermediate),
    ("other serial revoked", Revocations::Other),
    ("lists are not valid yet", Revocations::Early),
    ("lists of another key", Revocations::Forged),
    ("leaf revoked in the second list", Revocations::LeafInSecond),
];

// Encoded object identifiers.
const COMMON_NAME: &[u8] = &[0x55, 4, 3];
const ORGANIZATION: &[u8] = &[0x55, 4, 10];
const PSEUDONYM: &[u8] = &[0x55, 4, 65];
const UNKNOWN: &[u8] = &[0x2A, 3, 4];

/// An arc beyond 64 bits.
const LARGE: [u8; 13] =
    [0x2A, 0x83, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01];
/// The date of birth (RFC 3739), and Microsoft's user principal name.
const BIRTH: [u8; 8] = [0x2B, 6, 1, 5, 5, 7, 9, 1];
const PRINCIPAL: [u8; 10] = [0x2B, 6, 1, 4, 1, 0x82, 0x37, 20, 2, 3];

/// The attributes of 2.5.4 up to 108, and of RFC 4519's and RFC 4524's arc up to 60.
fn every_attribute() -> Vec<u8> {
    let pilot = [0x09, 0x92, 0x26, 0x89, 0x93, 0xF2, 0x2C, 0x64, 1];
    let one = |identifier: &[u8]| tlv(0x31, &attribute(identifier, 12, b"v"));
    let x520 = (0..=108).filter(|number| *number != 3).map(|number| one(&[0x55, 4, number]));
    let pilot = (0..=60).map(|number| one(&[&pilot[..], &[number]].concat()));
    x520.chain(pilot).flatten().chain(tlv(0x31, &attribute(COMMON_NAME, 12, b"n"))).collect()
}

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
        ("leading dash", cn(12, b"-a"), vec!["-a name", "_a name", "CN=-a subject"]),
        ("leading space", cn(12, b" a "), vec!["'CN= a ' subject", "' a ' name"]),
        ("DEL and TAB", cn(12, b"a\x7fb\tc"), vec![r"'CN=a\7Fb\09c' subject", "a_b_c name"]),
        ("C1 controls", cn(12, "a\u{85}b\u{9f}".as_bytes()), vec!["a name-prefix"]),
        ("C1 controls in T61String", cn(20, b"a\x85b"), vec!["a name-prefix"]),
        ("separators", cn(12, "a\u{2028}b\u{a0}c\u{202e}".as_bytes()), vec!["a name-prefix"]),
        ("only controls", cn(12, b"\n"), vec!["_ name"]),
        ("slash and dots", cn(12, b"../a/CN=b"), vec!["../a/CN=b name", "b name"]),
        ("plane 1", cn(12, "\u{1f600}".as_bytes()), vec!["\u{1f600} name"]),
        ("UTF-8 surrogates", cn(12, b"a\xed\xa0\x80"), vec!["a name-prefix"]),
        ("UTF-8 too long", cn(12, b"a\xc0\x80"), vec!["a name-prefix"]),
        ("UTF-8 of five bytes", cn(12, b"a\xf8\x88\x80\x80\x80"), vec!["a name-prefix"]),
        ("UTF-8 beyond Unicode", cn(12, b"a\xf4\x90\x80\x80"), vec!["a name-prefix"]),
        ("BMPString surrogates", cn(30, &[0xd8, 0x3d, 0xde, 0]), vec!["x name-prefix"]),
        ("BMPString of odd length", cn(30, &[0, 0x61, 0]), vec!["a name"]),
        ("BMPString NUL", cn(30, &[0, 0x61, 0, 0, 0, 0x62]), vec!["a name"]),
        ("empty BMPString", cn(30, &[]), vec!["CN= subject"]),
        ("UniversalString", cn(28, &[0, 0, 0, 0x61, 0, 1, 0xf6, 0]), vec!["a\u{1f600} name"]),
        ("UniversalString beyond", cn(28, &[0, 0x11, 0, 0]), vec!["a name"]),
        ("NumericString", cn(18, b"12 a"), vec!["'12 a' name"]),
        ("PrintableString Latin-1", cn(19, b"a\xe9"), vec!["a\u{e9} name"]),
        ("IA5String Latin-1", cn(22, b"a\xe9"), vec!["a\u{e9} name"]),
        ("GeneralString", cn(27, b"a"), vec!["a name"]),
        ("INTEGER", cn(2, &[5]), vec!["5 name"]),
        ("BOOLEAN", cn(1, &[0xff]), vec!["a name"]),
        ("NULL", cn(5, &[]), vec!["a name"]),
        ("OBJECT IDENTIFIER", cn(6, &[0x55, 4, 3]), vec!["a name"]),
        ("ENUMERATED", cn(10, &[5]), vec!["a name"]),
        ("UTCTime", cn(23, b"300101000000Z"), vec!["a name"]),
        ("SET", cn(0x31, &[12, 1, 0x61]), vec!["a name"]),
        ("context tag", cn(0x80, b"a"), vec!["a name"]),
        ("T61String of 40 that is UTF-8 of 80", cn(20, &[0xe9; 40]), vec!["\u{e9} name-prefix"]),
        ("last name is too long", [cn(12, b"a"), cn(12, &[b'x'; 65])].concat(), vec!["a name"]),
        ("last name is a BIT STRING", [cn(12, b"a"), cn(3, b"\0b")].concat(), vec!["a name"]),
        ("last name is empty", [cn(12, b"a"), cn(12, b"")].concat(), vec!["a name"]),
        (
            "two names in one set",
            tlv(
                0x31,
                &[attribute(COMMON_NAME, 12, b"a"), attribute(COMMON_NAME, 12, b"b")].concat(),
            ),
            vec!["a name", "b name", "'CN=a + CN=b' subject"],
        ),
        (
            "set out of order",
            tlv(
                0x31,
                &[attribute(ORGANIZATION, 12, b"o"), attribute(COMMON_NAME, 12, b"a")].concat(),
            ),
            vec!["'CN=a + O=o' subject", "'O=o + CN=a' subject"],
        ),
        ("empty set", [cn(12, b"a"), tlv(0x31, &[])].concat(), vec!["a name"]),
        (
            "values with separators",
            [one(ORGANIZATION, 12, b"o, CN=a + OU=b"), cn(12, b"n")].concat(),
            vec!["'O=o, CN=a + OU=b, CN=n' subject"],
        ),
        ("large object identifier", [one(&LARGE, 12, b"x"), cn(12, b"n")].concat(), vec!["n name"]),
        (
            "malformed object identifier",
            [one(&[0x55, 0x84], 12, b"x"), cn(12, b"n")].concat(),
            vec!["n name"],
        ),
        (
            "padded object identifier",
            [one(&[0x55, 0x80, 4], 12, b"x"), cn(12, b"n")].concat(),
            vec!["n name"],
        ),
        (
            "other arcs",
            [one(&BIRTH, 12, b"x"), one(&PRINCIPAL, 12, b"y"), cn(12, b"n")].concat(),
            vec!["n name"],
        ),
        ("every X.520 attribute", every_attribute(), vec!["n name"]),
    ]
}

/// Whether stock has the same common name: a rule with ours. That the subjects are equal is seen
/// in each case.
fn name_rule(subject: &[u8]) -> Option<String> {
    let chain = Chain { subject: Some(subject.to_vec()), ..Chain::valid(Role::Client) };
    let leaf = certificates(&chain.issue().sent).unwrap().swap_remove(0);
    let name = Subject::of(&leaf)?.common_name()?;
    // An option of stock's has no empty word.
    let quoted = name.replace('\\', r"\\").replace('"', r#"\""#);
    (!name.is_empty()).then(|| format!("\"{quoted}\" name"))
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
            let name = name.replace('\n', ", ");
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
        // Without the last word, the whole subject counts.
        for rule in ["peer", "CN=peer", "peer subject", "CN=peer name"] {
            let options = format!("verify-x509-name {rule}");
            add(format!("valid, {options}"), Chain::valid(peer), options);
        }
        for (name, revocations) in REVOCATIONS {
            let chain = Chain { revocations, ..Chain::valid(peer) };
            add(format!("crl-verify, {name}"), chain, String::new());
        }
        for (name, subject, rules) in subjects() {
            let chain = || Chain { subject: Some(subject.clone()), ..Chain::valid(peer) };
            add(format!("subject {name}"), chain(), String::new());
            let ours = name_rule(&subject).into_iter();
            for rule in ours.chain(rules.into_iter().map(str::to_owned)) {
                let options = format!("verify-x509-name {rule}");
                add(format!("subject {name}, {options}"), chain(), options);
            }
        }
    }
    cases
}
