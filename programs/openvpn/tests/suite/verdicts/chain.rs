//! Generated certificate chains.

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DnType,
    ExtendedKeyUsagePurpose as Eku, IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose as Ku,
    PKCS_ECDSA_P256_SHA256, RevokedCertParams, SerialNumber, SignatureAlgorithm, SigningKey,
    date_time_ymd,
};
use tunic_openvpn::Role;

/// Parameters of a chain.
pub(crate) struct Chain {
    pub(crate) root: CertificateParams,
    pub(crate) intermediates: Vec<CertificateParams>,
    pub(crate) leaf: CertificateParams,
    /// The leaf's subject in DER, in place of the one in its parameters.
    pub(crate) subject: Option<Vec<u8>>,
    /// What becomes of the certificates between leaf and root.
    pub(crate) intermediates_are: Intermediates,
    pub(crate) root_is: Root,
    /// Of the keys of root, intermediates and leaf.
    pub(crate) algorithms: [&'static SignatureAlgorithm; 3],
    /// The root is sent with the leaf, behind the others.
    pub(crate) is_root_sent: bool,
    pub(crate) revocations: Revocations,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Intermediates {
    Sent,
    SentReversed,
    Trusted,
    Missing,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Root {
    Trusted,
    /// `ca` has another root.
    Other,
    /// `ca` has the intermediates only.
    Missing,
    /// The leaf is self-signed, and `ca` has the leaf.
    Leaf,
}

/// The revocation lists of `crl-verify`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Revocations {
    NotChecked,
    None,
    Leaf,
    Intermediate,
    /// The intermediate has no list.
    OnlyRoot,
    Expired,
    OnlyIntermediate,
    /// Each has another certificate's serial number.
    Other,
    /// Their times of issue are in the future.
    Early,
    /// Their signatures are of other keys.
    Forged,
    /// The intermediate has two, in this order: one without entries, one with the leaf.
    LeafInSecond,
}

/// A chain in PEM.
pub(crate) struct Issued {
    /// For `ca`.
    pub(crate) trusted: String,
    /// The leaf, and the certificates that are sent with it.
    pub(crate) sent: String,
    pub(crate) key: String,
    pub(crate) revocation_lists: Option<String>,
}

pub(crate) fn parameters(name: &str) -> CertificateParams {
    let mut parameters = CertificateParams::new([]).unwrap();
    parameters.distinguished_name = rcgen::DistinguishedName::new();
    parameters.distinguished_name.push(DnType::CommonName, name);
    parameters
}

pub(crate) fn ca(name: &str) -> CertificateParams {
    let mut parameters = parameters(name);
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    parameters.key_usages = vec![Ku::KeyCertSign, Ku::CrlSign];
    parameters
}

/// The extended key usage of a peer in this role.
pub(crate) fn eku(role: Role) -> Eku {
    match role {
        Role::Server => Eku::ServerAuth,
        Role::Client => Eku::ClientAuth,
    }
}

impl Chain {
    /// A valid chain for a peer in this role.
    pub(crate) fn valid(role: Role) -> Self {
        let mut leaf = parameters("peer");
        leaf.key_usages = vec![Ku::DigitalSignature];
        leaf.extended_key_usages = vec![eku(role)];
        leaf.serial_number = Some(SerialNumber::from(77_u64));
        let mut intermediate = ca("intermediate");
        intermediate.serial_number = Some(SerialNumber::from(55_u64));
        Self {
            root: ca("root"),
            intermediates: vec![intermediate],
            leaf,
            subject: None,
            intermediates_are: Intermediates::Sent,
            root_is: Root::Trusted,
            algorithms: [&PKCS_ECDSA_P256_SHA256; 3],
            is_root_sent: false,
            revocations: Revocations::NotChecked,
        }
    }

    pub(crate) fn issue(self) -> Issued {
        let key = || KeyPair::generate().unwrap();
        let [root_key, intermediate_key, leaf_key] =
            self.algorithms.map(|algorithm| move || KeyPair::generate_for(algorithm).unwrap());
        let mut issuers = vec![CertifiedIssuer::self_signed(self.root, root_key()).unwrap()];
        for parameters in self.intermediates {
            let issuer = issuers.last().unwrap();
            issuers
                .push(CertifiedIssuer::signed_by(parameters, intermediate_key(), issuer).unwrap());
        }
        let issuer = issuers.last().unwrap();
        let leaf_key = leaf_key();
        let leaf = match self.root_is {
            Root::Leaf => self.leaf.self_signed(&leaf_key).unwrap(),
            _ => self.leaf.signed_by(&leaf_key, issuer).unwrap(),
        };
        let mut sent = match &self.subject {
            None => leaf.pem(),
            Some(subject) => pem(&with_subject(leaf.der(), subject, issuer.key())),
        };
        let mut trusted = match self.root_is {
            Root::Trusted => issuers[0].pem(),
            Root::Other => CertifiedIssuer::self_signed(ca("other root"), key()).unwrap().pem(),
            Root::Missing => String::new(),
            Root::Leaf => sent.clone(),
        };
        let mut intermediates: Vec<_> = issuers[1..].iter().rev().collect();
        if self.intermediates_are == Intermediates::SentReversed {
            intermediates.reverse();
        }
        for intermediate in intermediates {
            match self.intermediates_are {
                Intermediates::Sent | Intermediates::SentReversed => sent += &intermediate.pem(),
                Intermediates::Trusted => trusted += &intermediate.pem(),
                Intermediates::Missing => {}
            }
        }
        if self.is_root_sent {
            sent += &issuers[0].pem();
        }
        let years = (2020, 2200);
        let lists = |revoked: [Option<u64>; 2], years| {
            let pairs = issuers.iter().zip(revoked);
            pairs.map(|(issuer, serial)| revocation_list(issuer, serial, years)).collect()
        };
        let revocation_lists = match self.revocations {
            Revocations::NotChecked => None,
            Revocations::None => Some(lists([None, None], years)),
            Revocations::Leaf => Some(lists([None, Some(77)], years)),
            Revocations::Intermediate => Some(lists([Some(55), None], years)),
            Revocations::OnlyRoot => Some(revocation_list(&issuers[0], None, years)),
            Revocations::OnlyIntermediate => Some(revocation_list(&issuers[1], None, years)),
            Revocations::Expired => Some(lists([None, None], (2020, 2021))),
            Revocations::Other => Some(lists([Some(77), Some(55)], years)),
            Revocations::Early => Some(lists([None, None], (2199, 2200))),
            Revocations::Forged => {
                let of = |name| CertifiedIssuer::self_signed(ca(name), key()).unwrap();
                let forged = ["root", "intermediate"].map(of);
                Some(forged.iter().map(|issuer| revocation_list(issuer, None, years)).collect())
            }
            Revocations::LeafInSecond => {
                Some(lists([None, None], years) + &revocation_list(&issuers[1], Some(77), years))
            }
        };
        Issued { trusted, sent, key: leaf_key.serialize_pem(), revocation_lists }
    }
}

fn revocation_list(
    issuer: &CertifiedIssuer<'_, KeyPair>,
    revoked: Option<u64>,
    (year, next_year): (i32, i32),
) -> String {
    let entry = |serial: u64| RevokedCertParams {
        serial_number: SerialNumber::from(serial),
        revocation_time: date_time_ymd(2020, 1, 1),
        reason_code: None,
        invalidity_date: None,
    };
    let parameters = CertificateRevocationListParams {
        this_update: date_time_ymd(year, 1, 1),
        next_update: date_time_ymd(next_year, 1, 1),
        crl_number: SerialNumber::from(1_u64),
        issuing_distribution_point: None,
        revoked_certs: revoked.map(entry).into_iter().collect(),
        key_identifier_method: KeyIdMethod::Sha256,
    };
    parameters.signed_by(issuer).unwrap().pem().unwrap()
}

/// Replaces the subject of a certificate and signs it again.
fn with_subject(certificate: &[u8], subject: &[u8], key: &KeyPair) -> Vec<u8> {
    let body = elements(contents(certificate))[0];
    // Version, serial number, algorithm, issuer, validity, subject, ...
    let mut fields: Vec<Vec<u8>> = elements(contents(body)).iter().map(|f| f.to_vec()).collect();
    fields[5] = tlv(0x30, subject);
    let body = tlv(0x30, &fields.concat());
    let signature = [&[0][..], &key.sign(&body).unwrap()].concat();
    tlv(0x30, &[&body[..], &fields[2], &tlv(0x03, &signature)].concat())
}

/// Header and contents of an element.
fn header_bytes(element: &[u8]) -> (usize, usize) {
    match element[1] {
        short @ 0..=0x7F => (2, short.into()),
        0x81 => (3, element[2].into()),
        _ => (4, u16::from_be_bytes([element[2], element[3]]).into()),
    }
}

fn contents(element: &[u8]) -> &[u8] {
    &element[header_bytes(element).0..]
}

fn elements(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut elements = Vec::new();
    while !bytes.is_empty() {
        let (header, length) = header_bytes(bytes);
        let (element, rest) = bytes.split_at(header + length);
        elements.push(element);
        bytes = rest;
    }
    elements
}

fn pem(certificate: &[u8]) -> String {
    use base64::Engine as _;
    let text = base64::prelude::BASE64_STANDARD.encode(certificate);
    let lines: Vec<_> =
        text.as_bytes().chunks(64).map(|l| std::str::from_utf8(l).unwrap()).collect();
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
}

/// An element of DER.
pub(crate) fn tlv(tag: u8, contents: &[u8]) -> Vec<u8> {
    let length = contents.len().to_be_bytes();
    let length = &length[length.iter().take_while(|byte| **byte == 0).count()..];
    match contents.len() {
        short @ 0..0x80 => [&[tag, short as u8], contents].concat(),
        _ => [&[tag, 0x80 | length.len() as u8], length, contents].concat(),
    }
}
