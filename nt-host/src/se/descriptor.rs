//! Security descriptors in self-relative form (MS-DTYP 2.4.6), and what they grant.

use nt_sys::io::{GENERIC_ALL, GENERIC_EXECUTE, GENERIC_READ, GENERIC_WRITE};
use nt_sys::ntdef::ACCESS_MASK;
use nt_sys::se::{
    ACCESS_ALLOWED_ACE_TYPE, ACCESS_DENIED_ACE_TYPE, ACL_REVISION, GENERIC_MAPPING,
    SE_DACL_PRESENT, SE_DACL_PROTECTED, SE_SACL_PRESENT, SE_SELF_RELATIVE,
    SECURITY_DESCRIPTOR_REVISION, SYSTEM_MANDATORY_LABEL_ACE_TYPE,
    SYSTEM_MANDATORY_LABEL_NO_EXECUTE_UP, SYSTEM_MANDATORY_LABEL_NO_READ_UP,
    SYSTEM_MANDATORY_LABEL_NO_WRITE_UP,
};

use super::sid::Sid;
use super::token::Token;

/// A security descriptor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Descriptor {
    pub(crate) owner: Option<Sid>,
    pub(crate) is_protected: bool,
    pub(crate) aces: Vec<Ace>,
    pub(crate) label: Option<Label>,
}

/// An entry that allows or denies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ace {
    pub(crate) allows: bool,
    pub(crate) mask: ACCESS_MASK,
    pub(crate) sid: Sid,
}

/// A mandatory label: what callers of a lower integrity level may not do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Label {
    pub(crate) policy: ACCESS_MASK,
    pub(crate) level: u32,
}

const GENERIC: ACCESS_MASK = GENERIC_READ | GENERIC_WRITE | GENERIC_EXECUTE | GENERIC_ALL;
/// `SECURITY_DESCRIPTOR_RELATIVE`.
const HEADER_BYTES: usize = 20;

impl Descriptor {
    /// Reads a descriptor. The error says what is wrong, or what the host doesn't know.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, &'static str> {
        let header = bytes.get(..HEADER_BYTES).ok_or("it is too short")?;
        let control = u16::from_le_bytes([header[2], header[3]]);
        if header[0] != SECURITY_DESCRIPTOR_REVISION || control & SE_SELF_RELATIVE == 0 {
            return Err("it has another revision, or is not self-relative");
        }
        if control & SE_DACL_PRESENT == 0 {
            return Err("it has no DACL, and so grants everything to everybody");
        }
        let part = |at: usize| {
            let offset = u32::from_le_bytes(header[at..at + 4].try_into().unwrap_or_default());
            (offset != 0).then(|| bytes.get(offset as usize..).unwrap_or_default())
        };
        let owner = part(4).map(|sid| Sid::read(sid).ok_or("its owner is no SID")).transpose()?;
        let dacl = part(16).ok_or("its DACL is null, and so grants everything to everybody")?;
        let mut descriptor = Self {
            owner,
            is_protected: control & SE_DACL_PROTECTED != 0,
            aces: Vec::new(),
            label: None,
        };
        for (kind, mask, sid) in entries(dacl)? {
            let allows = match kind {
                ACCESS_ALLOWED_ACE_TYPE => true,
                ACCESS_DENIED_ACE_TYPE => false,
                _ => return Err("its DACL has an entry of an unknown type"),
            };
            if mask & GENERIC != 0 {
                return Err("an entry has generic rights, which SeAccessCheck does not map");
            }
            descriptor.aces.push(Ace { allows, mask, sid });
        }
        if control & SE_SACL_PRESENT != 0 {
            let sacl = part(12).ok_or("its SACL is null")?;
            for (kind, policy, sid) in entries(sacl)? {
                let level = sid.subauthorities.first().copied();
                let (SYSTEM_MANDATORY_LABEL_ACE_TYPE, 16, Some(level)) =
                    (kind, sid.authority, level)
                else {
                    return Err("its SACL has an entry that is no mandatory label");
                };
                descriptor.label = Some(Label { policy, level });
            }
        }
        Ok(descriptor)
    }

    /// Whether it grants all of `desired`, which has no generic rights.
    pub(crate) fn grants(
        &self,
        token: &Token,
        desired: ACCESS_MASK,
        mapping: &GENERIC_MAPPING,
    ) -> bool {
        if let Some(label) = self.label.as_ref().filter(|label| token.integrity < label.level) {
            let mut forbidden = 0;
            for (policy, rights) in [
                (SYSTEM_MANDATORY_LABEL_NO_READ_UP, mapping.GenericRead),
                (SYSTEM_MANDATORY_LABEL_NO_WRITE_UP, mapping.GenericWrite),
                (SYSTEM_MANDATORY_LABEL_NO_EXECUTE_UP, mapping.GenericExecute),
            ] {
                if label.policy & policy != 0 {
                    forbidden |= rights;
                }
            }
            if desired & forbidden != 0 {
                return false;
            }
        }
        // The first entry that names a right decides on it.
        let mut missing = desired;
        for ace in self.aces.iter().filter(|ace| token.groups.contains(&ace.sid)) {
            if !ace.allows && ace.mask & missing != 0 {
                return false;
            }
            missing &= !ace.mask;
        }
        missing == 0
    }
}

/// The entries of an ACL: type, mask, SID.
fn entries(acl: &[u8]) -> Result<Vec<(u8, ACCESS_MASK, Sid)>, &'static str> {
    let header = acl.get(..8).ok_or("an ACL is too short")?;
    let bytes = usize::from(u16::from_le_bytes([header[2], header[3]]));
    let count = u16::from_le_bytes([header[4], header[5]]);
    if header[0] != ACL_REVISION || bytes % 4 != 0 {
        return Err("an ACL has another revision, or a wrong size");
    }
    let mut rest = acl.get(8..bytes).ok_or("an ACL is longer than its descriptor")?;
    let mut entries = Vec::new();
    for _ in 0..count {
        let header = rest.get(..8).ok_or("an ACL has fewer entries than it says")?;
        let bytes = usize::from(u16::from_le_bytes([header[2], header[3]]));
        let ace = rest.get(..bytes).filter(|ace| ace.len() >= 16 && ace.len() % 4 == 0);
        let ace = ace.ok_or("an entry has a wrong size")?;
        if header[1] != 0 {
            return Err("an entry has flags");
        }
        let mask = ACCESS_MASK::from_le_bytes([header[4], header[5], header[6], header[7]]);
        let sid = Sid::read(&ace[8..]).ok_or("an entry has no SID")?;
        if ace.len() != 16 + 4 * sid.subauthorities.len() {
            return Err("an entry has another size than its SID");
        }
        entries.push((header[0], mask, sid));
        rest = &rest[bytes..];
    }
    Ok(entries)
}
