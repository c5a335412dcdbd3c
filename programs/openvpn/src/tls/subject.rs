//! A certificate's subject, formatted as stock OpenVPN does.

use std::fmt::{self, Write as _};

use rustls::pki_types::CertificateDer;

use super::attributes::short_name;
use super::der::{self, BIT_STRING, Der, OBJECT_IDENTIFIER, SEQUENCE, SET};

/// The longest common name, in bytes (2.6: `TLS_USERNAME_LEN`).
const MAX_COMMON_NAME_BYTES: usize = 64;

/// A distinguished name: relative distinguished names, each with one or more attributes, in the
/// certificate's order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subject(Vec<Vec<Attribute>>);

/// An attribute: the short name of its type, else the object identifier, and the value.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Attribute {
    name: String,
    value: String,
    /// The type of the value is a character string.
    is_text: bool,
}

// Tags of character strings (X.680), and how OpenSSL decodes them.
const UTF8_STRING: u8 = 0x0C;
const NUMERIC_STRING: u8 = 0x12;
const PRINTABLE_STRING: u8 = 0x13;
const T61_STRING: u8 = 0x14;
const IA5_STRING: u8 = 0x16;
const UNIVERSAL_STRING: u8 = 0x1C;
const BMP_STRING: u8 = 0x1E;

impl Subject {
    /// The subject of a certificate; `None` if it is empty or malformed. Stock rejects such
    /// certificates.
    pub fn of(certificate: &CertificateDer<'_>) -> Option<Self> {
        let certificate = webpki::EndEntityCert::try_from(certificate).ok()?;
        Self::decode(certificate.subject()).filter(|subject| !subject.0.is_empty())
    }

    /// Decodes a distinguished name without the outer tag, as webpki returns it.
    fn decode(name: &[u8]) -> Option<Self> {
        let mut name = Der::new(name);
        let mut subject = Vec::new();
        while !name.is_empty() {
            let mut set = name.nested(SET)?;
            let mut attributes = Vec::new();
            while !set.is_empty() {
                let mut attribute = set.nested(SEQUENCE)?;
                let dotted = der::dotted(attribute.element(OBJECT_IDENTIFIER)?)?;
                let name = short_name(&dotted).map_or(dotted, str::to_owned);
                attributes.push(Attribute::decode(name, attribute)?);
            }
            subject.push(attributes);
        }
        Some(Self(subject))
    }

    /// The common name: the last one, as in stock, with control characters replaced by `_`. `None`
    /// if the certificate has none that stock accepts, or if it contains NUL, where stock cuts it.
    pub fn common_name(&self) -> Option<String> {
        let last = self.0.iter().flatten().rfind(|attribute| attribute.name == "CN")?;
        let is_valid =
            last.is_text && !last.value.contains('\0') && last.value.len() <= MAX_COMMON_NAME_BYTES;
        is_valid.then(|| last.value.replace(|c: char| c.is_ascii_control(), "_"))
    }
}

impl Attribute {
    /// Decodes a value. OpenSSL refuses certificates whose names have other types.
    fn decode(name: String, mut value: Der<'_>) -> Option<Self> {
        let (encoding, tag, contents) = value.any_encoded()?;
        let latin1 = |bytes: &[u8]| bytes.iter().map(|byte| char::from(*byte)).collect();
        let value = match tag {
            UTF8_STRING => String::from_utf8(contents.to_vec()).ok()?,
            NUMERIC_STRING | PRINTABLE_STRING | T61_STRING | IA5_STRING => latin1(contents),
            BMP_STRING => {
                let (units, []) = contents.as_chunks::<2>() else { return None };
                let characters = units.iter().map(|unit| u16::from_be_bytes(*unit).into());
                characters.map(char::from_u32).collect::<Option<String>>()?
            }
            UNIVERSAL_STRING => {
                let (units, []) = contents.as_chunks::<4>() else { return None };
                let characters = units.iter().map(|unit| u32::from_be_bytes(*unit));
                characters.map(char::from_u32).collect::<Option<String>>()?
            }
            // The bytes after the number of unused bits.
            BIT_STRING => latin1(contents.get(1..)?),
            SEQUENCE => latin1(encoding),
            _ => return None,
        };
        let is_text = !matches!(tag, BIT_STRING | SEQUENCE);
        Some(Self { name, value, is_text })
    }
}

/// As OpenVPN prints it: `C=KG, O=Example + OU=VPN, CN=Server-1`. Control characters and
/// backslashes are escaped, other characters are not.
impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, attributes) in self.0.iter().enumerate() {
            for (position, Attribute { name, value, .. }) in attributes.iter().enumerate() {
                f.write_str(match (index, position) {
                    (0, 0) => "",
                    (_, 0) => ", ",
                    _ => " + ",
                })?;
                write!(f, "{name}=")?;
                for character in value.chars() {
                    match character {
                        '\\' => f.write_str("\\\\")?,
                        control if control.is_ascii_control() => {
                            write!(f, "\\{:02X}", u32::from(control))?;
                        }
                        other => f.write_char(other)?,
                    }
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// C=DE, CN=a
    const NAME: &[u8] = b"\x31\x0b\x30\x09\x06\x03\x55\x04\x06\x13\x02DE\
        \x31\x0a\x30\x08\x06\x03\x55\x04\x03\x0c\x01a";

    fn bytes(hex: &str) -> Vec<u8> {
        let digits = hex.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
        digits.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
    }

    fn subject(hex: &str) -> Option<Subject> {
        Subject::decode(&bytes(hex))
    }

    #[test]
    fn names_are_decoded() {
        let subject = Subject::decode(NAME).unwrap();
        assert_eq!(subject.common_name().as_deref(), Some("a"));
        assert_eq!(subject.to_string(), "C=DE, CN=a");
        assert_eq!(Subject::decode(b"").unwrap().common_name(), None);
    }

    #[test]
    fn cut_names_are_refused() {
        for length in (1..NAME.len()).filter(|length| *length != 13) {
            assert_eq!(Subject::decode(&NAME[..length]), None, "{length}");
        }
    }

    /// Expected texts from `openssl x509 -subject -nameopt
    /// utf8,esc_ctrl,sname,sep_comma_plus_space`, the flags of stock OpenVPN.
    #[test]
    fn subjects_are_printed_as_stock_does() {
        for (hex, expected) in [
            // Two common names, and a relative distinguished name of two attributes.
            (
                "310b300906035504061302444531143008060355040a0c014f300806035504030c0161\
                 310a300806035504030c0162",
                "C=DE, O=O + CN=a, CN=b",
            ),
            // BMPString, T61String, UniversalString, UTF8String, PrintableString.
            ("3113301106035504031e0a0047007200fc00df0065", "CN=Gr\u{fc}\u{df}e"),
            ("310e300c060355040314054772fcdf65", "CN=Gr\u{fc}\u{df}e"),
            ("3111300f06035504031c08000020ac00000078", "CN=\u{20ac}x"),
            ("310d300b06035504031c040001f600", "CN=\u{1f600}"),
            ("3114301206035504030c0b4772c3bcc39f6520e282ac", "CN=Gr\u{fc}\u{df}e \u{20ac}"),
            ("310b30090603550403130261e9", "CN=a\u{e9}"),
            ("310d300b0603550403120431322033", "CN=12 3"),
            // Escapes.
            ("3117301506035504030c0e610a627f5c632c2b3d223c3e3b23", r#"CN=a\0Ab\7F\\c,+="<>;#"#),
            ("310c300a06035504030c03610062", r"CN=a\00b"),
            ("310c300a06035504030c03206120310b3009060355040a0c022378", "CN= a , O=#x"),
            // Types that are not character strings.
            ("310c300a06035504030303006162", "CN=ab"),
            ("310c300a060355040330030c0161", r"CN=0\03\0C\01a"),
            ("3109300706035504030c00", "CN="),
            // An unknown attribute, and others beyond the common ones.
            ("310a300806032a03040c0178310a300806035504030c0179", "1.2.3.4=x, CN=y"),
            (
                "3111300f060a0992268993f22c6401010c0175310a3008060355042e130171\
                 31133011060b2b0601040182373c02010313024445\
                 3110300e06092a864886f70d0109020c016e310b300906035504610c026964\
                 310a30080603550403160163",
                "UID=u, dnQualifier=q, jurisdictionC=DE, unstructuredName=n, \
                 organizationIdentifier=id, CN=c",
            ),
        ] {
            assert_eq!(subject(hex).unwrap().to_string(), expected);
        }
    }

    /// OpenSSL refuses the certificates of these names.
    #[test]
    fn values_that_openssl_refuses_are_refused() {
        for hex in [
            // OCTET STRING, VisibleString, GeneralString, VideotexString.
            "310d300b060355040304046f637401",
            "310a300806035504031a0176",
            "310b300906035504031b0267e9",
            "310d300b06035504031504766964e9",
            // Surrogates and half a character in BMPString, invalid UTF-8.
            "310d300b06035504031e04d83dde00",
            "310c300a06035504031e03006100",
            "310d300b06035504030c0461fffe62",
        ] {
            assert_eq!(subject(hex), None, "{hex}");
        }
    }

    #[test]
    fn the_last_common_name_counts() {
        let name = |hex: &str| subject(hex).unwrap().common_name();
        let two = "310a300806035504030c0161310a300806035504030c0162";
        assert_eq!(name(two).as_deref(), Some("b"));
        assert_eq!(name("310c300a06035504030c03610a62").as_deref(), Some("a_b"));
        // NUL, a bit string, more than 64 bytes.
        assert_eq!(name("310c300a06035504030c03610062"), None);
        assert_eq!(name("310c300a06035504030303006162"), None);
        let long = |count: u8| {
            let header = format!("31{:02x}30{:02x}06035504030c{count:02x}", count + 9, count + 7);
            name(&(header + &"61".repeat(count.into())))
        };
        assert_eq!((long(64).map(|name| name.len()), long(65)), (Some(64), None));
    }
}
