//! A certificate's subject: who it is for.

use std::fmt::Write as _;

use rustls::pki_types::CertificateDer;

/// The names of a subject, in the certificate's order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subject(Vec<(&'static str, String)>);

/// Object identifiers of attributes (RFC 5280 appendix A, PKCS #9), DER-encoded, and OpenSSL's
/// short names.
const ATTRIBUTES: [(&[u8], &str); 13] = [
    (&[0x55, 4, 3], "CN"),
    (&[0x55, 4, 4], "SN"),
    (&[0x55, 4, 5], "serialNumber"),
    (&[0x55, 4, 6], "C"),
    (&[0x55, 4, 7], "L"),
    (&[0x55, 4, 8], "ST"),
    (&[0x55, 4, 10], "O"),
    (&[0x55, 4, 11], "OU"),
    (&[0x55, 4, 12], "title"),
    (&[0x55, 4, 41], "name"),
    (&[0x55, 4, 42], "GN"),
    (&[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 9, 1], "emailAddress"),
    (&[0x09, 0x92, 0x26, 0x89, 0x93, 0xF2, 0x2C, 0x64, 1, 25], "DC"),
];

// DER tags (X.690).
const OBJECT_IDENTIFIER: u8 = 0x06;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;

impl Subject {
    /// The subject of a certificate; `None` where it can't be read.
    pub fn of(certificate: &CertificateDer<'_>) -> Option<Self> {
        let certificate = webpki::EndEntityCert::try_from(certificate).ok()?;
        Self::decode(certificate.subject())
    }

    /// Reads a distinguished name: a sequence of sets of (type, value), as webpki gives it, without
    /// the outer tag.
    fn decode(mut name: &[u8]) -> Option<Self> {
        let mut names = Vec::new();
        while !name.is_empty() {
            let mut set = element(&mut name, SET)?;
            while !set.is_empty() {
                let mut attribute = element(&mut set, SEQUENCE)?;
                let kind = element(&mut attribute, OBJECT_IDENTIFIER)?;
                let (_, value) = any_element(&mut attribute)?;
                let known = ATTRIBUTES.into_iter().find(|(identifier, _)| *identifier == kind);
                names.push((
                    known.map_or("?", |(_, name)| name),
                    // Control characters would let a name draw on a terminal.
                    String::from_utf8_lossy(value).replace(char::is_control, "?"),
                ));
            }
        }
        Some(Self(names))
    }

    /// The common name.
    pub fn common_name(&self) -> Option<&str> {
        self.0.iter().find(|(kind, _)| *kind == "CN").map(|(_, value)| value.as_str())
    }
}

/// As OpenVPN writes it: `C=KG, ST=NA, CN=Server-1`.
impl std::fmt::Display for Subject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, (kind, value)) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            f.write_str(kind)?;
            f.write_char('=')?;
            f.write_str(value)?;
        }
        Ok(())
    }
}

/// Takes an element of this tag off, and gives its contents.
fn element<'d>(bytes: &mut &'d [u8], tag: u8) -> Option<&'d [u8]> {
    any_element(bytes).filter(|(found, _)| *found == tag).map(|(_, contents)| contents)
}

/// Takes an element off: its tag, and its contents of less than 64 KiB.
fn any_element<'d>(bytes: &mut &'d [u8]) -> Option<(u8, &'d [u8])> {
    let (length, start) = match **bytes {
        [_, length @ 0..=0x7F, ..] => (usize::from(length), 2),
        [_, 0x81, length, ..] => (usize::from(length), 3),
        [_, 0x82, high, low, ..] => (usize::from(u16::from_be_bytes([high, low])), 4),
        _ => return None,
    };
    let tag = *bytes.first()?;
    let contents = bytes.get(start..start + length)?;
    *bytes = &bytes[start + length..];
    Some((tag, contents))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// C=DE, CN=a
    const NAME: &[u8] =
        b"\x31\x0b\x30\x09\x06\x03\x55\x04\x06\x13\x02DE\x31\x0a\x30\x08\x06\x03\x55\x04\x03\x0c\
            \x01a";

    #[test]
    fn names_are_read() {
        let subject = Subject::decode(NAME).unwrap();
        assert_eq!(subject.common_name(), Some("a"));
        assert_eq!(subject.to_string(), "C=DE, CN=a");
        assert_eq!(Subject::decode(b"").unwrap().common_name(), None);
    }

    #[test]
    fn cut_names_are_refused() {
        for length in (1..NAME.len()).filter(|length| *length != 13) {
            assert_eq!(Subject::decode(&NAME[..length]), None, "{length}");
        }
    }
}
