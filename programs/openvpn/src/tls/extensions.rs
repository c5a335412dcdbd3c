//! Fields of certificates that webpki does not expose: validity and usage extensions.

use super::der::{
    BIT_STRING, BOOLEAN, Der, GENERALIZED_TIME, INTEGER, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE,
    UTC_TIME,
};

// Object identifiers of extensions: RFC 5280, section 4.2.1, and Netscape's certificate type.
const SUBJECT_KEY: &[u8] = &[0x55, 0x1D, 14];
const KEY_USAGE: &[u8] = &[0x55, 0x1D, 15];
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1D, 19];
const AUTHORITY_KEY: &[u8] = &[0x55, 0x1D, 35];
const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1D, 37];
const NETSCAPE_CERT_TYPE: &[u8] = &[0x60, 0x86, 0x48, 1, 0x86, 0xF8, 0x42, 1, 1];

/// Extensions that may be critical, as OpenSSL knows them: these, further ones of RFC 5280 (names,
/// policies, distribution of revocation lists), RFC 3779 and RFC 3820.
const KNOWN: [&[u8]; 16] = [
    SUBJECT_KEY,
    KEY_USAGE,
    &[0x55, 0x1D, 17],
    BASIC_CONSTRAINTS,
    &[0x55, 0x1D, 30],
    &[0x55, 0x1D, 31],
    &[0x55, 0x1D, 32],
    &[0x55, 0x1D, 33],
    AUTHORITY_KEY,
    &[0x55, 0x1D, 36],
    EXTENDED_KEY_USAGE,
    &[0x55, 0x1D, 54],
    NETSCAPE_CERT_TYPE,
    &[0x2B, 6, 1, 5, 5, 7, 1, 7],
    &[0x2B, 6, 1, 5, 5, 7, 1, 8],
    &[0x2B, 6, 1, 5, 5, 7, 1, 14],
];

/// What a certificate states about its use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Extensions {
    /// Version 1 has no extensions.
    pub(super) is_version_1: bool,
    pub(super) is_self_issued: bool,
    /// The public key, without the outer tag.
    pub(super) key: Vec<u8>,
    /// The identifier of the certificate's key.
    subject_key: Option<Vec<u8>>,
    /// The identifier of the issuer's key.
    authority_key: Option<Vec<u8>>,
    pub(super) has_unknown_critical: bool,
    /// First and last second of validity, as `YYYYMMDDhhmmss`.
    pub(super) validity: (String, String),
    pub(super) basic_constraints: Option<BasicConstraints>,
    /// The first eight bits of the key usage, from digitalSignature (0x80) to encipherOnly (0x01).
    pub(super) key_usage: Option<u8>,
    /// Object identifiers.
    pub(super) extended_key_usage: Option<Vec<Vec<u8>>>,
    /// Bits of Netscape's certificate type, from SSL client (0x80).
    pub(super) netscape_type: Option<u8>,
}

/// RFC 5280, section 4.2.1.9.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BasicConstraints {
    pub(super) is_ca: bool,
    pub(super) path_length: Option<usize>,
}

impl Extensions {
    /// Parses a certificate; `None` if it is malformed.
    pub(super) fn of(certificate: &[u8]) -> Option<Self> {
        let mut to_be_signed = Der::new(certificate).nested(SEQUENCE)?.nested(SEQUENCE)?;
        let is_version_1 = to_be_signed.optional(0xA0)?.is_none();
        to_be_signed.element(INTEGER)?;
        to_be_signed.element(SEQUENCE)?;
        let issuer = to_be_signed.element(SEQUENCE)?;
        let mut validity = to_be_signed.nested(SEQUENCE)?;
        let validity = (time(&mut validity)?, time(&mut validity)?);
        let is_self_issued = to_be_signed.element(SEQUENCE)? == issuer;
        let key = to_be_signed.element(SEQUENCE)?.to_vec();
        let mut found = Self { is_version_1, is_self_issued, key, validity, ..Self::default() };
        // Unique identifiers of issuer and subject.
        to_be_signed.optional(0x81)?;
        to_be_signed.optional(0x82)?;
        let Some(extensions) = to_be_signed.optional(0xA3)? else { return Some(found) };
        let mut extensions = Der::new(extensions).nested(SEQUENCE)?;
        while !extensions.is_empty() {
            let mut extension = extensions.nested(SEQUENCE)?;
            let identifier = extension.element(OBJECT_IDENTIFIER)?;
            let is_critical = extension.optional(BOOLEAN)?.is_some_and(|value| value != [0]);
            found.has_unknown_critical |= is_critical && !KNOWN.contains(&identifier);
            found.extension(identifier, Der::new(extension.element(OCTET_STRING)?))?;
        }
        Some(found)
    }

    /// Whether OpenSSL takes it for self-signed: names and identifiers of keys are those of itself,
    /// as far as they are there. OpenSSL verifies its signature with its own key then.
    pub(super) fn seems_self_signed(&self) -> bool {
        let is_other = matches!(
            (&self.authority_key, &self.subject_key),
            (Some(authority), Some(subject)) if authority != subject
        );
        self.is_self_issued && !is_other
    }

    fn extension(&mut self, identifier: &[u8], mut value: Der<'_>) -> Option<()> {
        match identifier {
            SUBJECT_KEY => self.subject_key = Some(value.element(OCTET_STRING)?.to_vec()),
            AUTHORITY_KEY => {
                let identifier = value.nested(SEQUENCE)?.optional(0x80)?;
                self.authority_key = identifier.map(<[u8]>::to_vec);
            }
            KEY_USAGE => self.key_usage = Some(bits(&mut value)?),
            NETSCAPE_CERT_TYPE => self.netscape_type = Some(bits(&mut value)?),
            BASIC_CONSTRAINTS => {
                let mut fields = value.nested(SEQUENCE)?;
                let is_ca = fields.optional(BOOLEAN)?.is_some_and(|value| value != [0]);
                let path_length = fields.optional(INTEGER)?.map(path_length);
                let path_length = path_length.map_or(Some(None), |length| length.map(Some))?;
                self.basic_constraints = Some(BasicConstraints { is_ca, path_length });
            }
            EXTENDED_KEY_USAGE => {
                let mut purposes = value.nested(SEQUENCE)?;
                let identifiers = self.extended_key_usage.get_or_insert_default();
                while !purposes.is_empty() {
                    identifiers.push(purposes.element(OBJECT_IDENTIFIER)?.to_vec());
                }
            }
            _ => {}
        }
        Some(())
    }
}

/// The first eight bits of a bit string; zero if it is empty.
fn bits(value: &mut Der<'_>) -> Option<u8> {
    let (_, bytes) = value.element(BIT_STRING)?.split_first()?;
    Some(bytes.first().copied().unwrap_or(0))
}

/// A non-negative integer. Larger than any path saturates.
fn path_length(bytes: &[u8]) -> Option<usize> {
    if bytes.first().is_none_or(|byte| byte & 0x80 != 0) {
        return None;
    }
    let append = |value: usize, byte: &u8| value.saturating_mul(256).saturating_add((*byte).into());
    Some(bytes.iter().fold(0, append))
}

/// The time from which on a revocation list is valid (RFC 5280, section 5.1), as
/// `YYYYMMDDhhmmss`; `None` if it is malformed.
pub(super) fn list_begin(list: &[u8]) -> Option<String> {
    let mut to_be_signed = Der::new(list).nested(SEQUENCE)?.nested(SEQUENCE)?;
    to_be_signed.optional(INTEGER)?;
    to_be_signed.element(SEQUENCE)?;
    to_be_signed.element(SEQUENCE)?;
    time(&mut to_be_signed)
}

/// Reads a time (RFC 5280, section 4.1.2.5) as `YYYYMMDDhhmmss`.
fn time(validity: &mut Der<'_>) -> Option<String> {
    let (tag, text) = validity.any()?;
    let digits = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    match (tag, digits.len()) {
        (UTC_TIME, 12) if digits < "50" => Some(format!("20{digits}")),
        (UTC_TIME, 12) => Some(format!("19{digits}")),
        (GENERALIZED_TIME, 14) => Some(digits.to_owned()),
        _ => None,
    }
}

/// A time in seconds since 1970 as `YYYYMMDDhhmmss`.
pub(super) fn format_time(seconds: u64) -> String {
    let (mut days, second) = (seconds / 86_400, seconds % 86_400);
    let mut year = 1970_u64;
    let is_leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    while days >= 365 + u64::from(is_leap(year)) {
        days -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let february = 28 + u64::from(is_leap(year));
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}{month:02}{:02}{hour:02}{minute:02}{second:02}", days + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_formatted() {
        for (seconds, expected) in [
            (0, "19700101000000"),
            (951_782_400, "20000229000000"),
            (1_735_689_599, "20241231235959"),
            (4_107_542_400, "21000301000000"),
        ] {
            assert_eq!(format_time(seconds), expected);
        }
        let read = |tag, text: &str| {
            let der = [&[tag, text.len() as u8], text.as_bytes()].concat();
            time(&mut Der::new(&der))
        };
        assert_eq!(read(UTC_TIME, "491231235959Z").as_deref(), Some("20491231235959"));
        assert_eq!(read(UTC_TIME, "500101000000Z").as_deref(), Some("19500101000000"));
        assert_eq!(read(GENERALIZED_TIME, "21000301000000Z").as_deref(), Some("21000301000000"));
        assert_eq!(read(UTC_TIME, "4912312359Z"), None);
    }
}
