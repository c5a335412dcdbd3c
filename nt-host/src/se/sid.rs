//! Security identifiers, of the well-known groups that device objects are guarded by.

/// A security identifier: the authority and the subauthorities.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sid {
    pub(crate) authority: u8,
    pub(crate) subauthorities: Vec<u32>,
}

/// The abbreviations of SDDL (Win32 documentation, "SID Strings").
const NAMES: &[(&str, u8, &[u32])] = &[
    ("WD", 1, &[0]),
    ("IU", 5, &[4]),
    ("AU", 5, &[11]),
    ("RC", 5, &[12]),
    ("SY", 5, &[18]),
    ("BA", 5, &[32, 544]),
    ("BU", 5, &[32, 545]),
    ("ME", 16, &[0x2000]),
    ("HI", 16, &[0x3000]),
    ("SI", 16, &[0x4000]),
];

impl Sid {
    /// The identifier that SDDL abbreviates so.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let (_, authority, subauthorities) = NAMES.iter().find(|(known, ..)| *known == name)?;
        Some(Self { authority: *authority, subauthorities: subauthorities.to_vec() })
    }

    /// Reads an identifier at the beginning of `bytes` (Windows protocols, MS-DTYP 2.4.2.2).
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let count = usize::from(*bytes.get(1)?);
        let authority = bytes.get(2..8)?;
        if bytes[0] != nt_sys::se::SID_REVISION || count > 15 || authority[..5] != [0; 5] {
            return None;
        }
        let words = bytes.get(8..8 + 4 * count)?.chunks_exact(4);
        let subauthorities =
            words.map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]])).collect();
        Some(Self { authority: authority[5], subauthorities })
    }
}
