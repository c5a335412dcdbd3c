//! Security descriptors as text, in SDDL: the part that device objects and registry values use
//! (windows-driver-docs, "SDDL for Device Objects").

use nt_sys::io::{
    FILE_ALL_ACCESS, FILE_GENERIC_EXECUTE, FILE_GENERIC_READ, FILE_GENERIC_WRITE, GENERIC_ALL,
    GENERIC_EXECUTE, GENERIC_READ, GENERIC_WRITE,
};
use nt_sys::ntdef::ACCESS_MASK;
use nt_sys::se::{
    GENERIC_MAPPING, SYSTEM_MANDATORY_LABEL_NO_EXECUTE_UP, SYSTEM_MANDATORY_LABEL_NO_READ_UP,
    SYSTEM_MANDATORY_LABEL_NO_WRITE_UP,
};

use super::descriptor::{Ace, Descriptor, Label};
use super::sid::Sid;
use super::token::Token;

/// The rights of files, which are those of devices.
pub(crate) const FILE_MAPPING: GENERIC_MAPPING = GENERIC_MAPPING {
    GenericRead: FILE_GENERIC_READ,
    GenericWrite: FILE_GENERIC_WRITE,
    GenericExecute: FILE_GENERIC_EXECUTE,
    GenericAll: FILE_ALL_ACCESS,
};

/// Replaces generic rights by specific ones (wdm.h, RtlMapGenericMask).
pub(crate) fn map(mask: ACCESS_MASK, mapping: &GENERIC_MAPPING) -> ACCESS_MASK {
    let generic = GENERIC_READ | GENERIC_WRITE | GENERIC_EXECUTE | GENERIC_ALL;
    [
        (GENERIC_READ, mapping.GenericRead),
        (GENERIC_WRITE, mapping.GenericWrite),
        (GENERIC_EXECUTE, mapping.GenericExecute),
        (GENERIC_ALL, mapping.GenericAll),
    ]
    .into_iter()
    .filter(|(right, _)| mask & right != 0)
    .fold(mask & !generic, |mask, (_, rights)| mask | rights)
}

/// Whether a descriptor in self-relative form is the one of this text, whose generic rights are
/// those of files.
///
/// # Errors
/// What is wrong with one of them.
pub fn is_same(bytes: &[u8], text: &str) -> Result<bool, &'static str> {
    Ok(Descriptor::read(bytes)? == parse(text)?)
}

/// Whether the descriptor of this text grants a token the access.
pub(crate) fn grants(text: &str, token: &Token, access: ACCESS_MASK) -> Result<bool, &'static str> {
    let descriptor = parse(text)?;
    let access = map(access, &FILE_MAPPING);
    // A caller without any right cannot open the device, not even for no access.
    let named = descriptor.aces.iter().filter(|ace| ace.allows);
    let has_any = named.into_iter().any(|ace| token.groups.contains(&ace.sid));
    Ok(has_any && descriptor.grants(token, access, &FILE_MAPPING))
}

/// Parses `O:..D:P(..)(..)S:(ML;;..;;;..)`. Generic rights become those of files.
pub(crate) fn parse(text: &str) -> Result<Descriptor, &'static str> {
    let mut descriptor =
        Descriptor { owner: None, is_protected: false, aces: Vec::new(), label: None };
    let mut rest = text;
    if let Some(owner) = rest.strip_prefix("O:") {
        let name = owner.get(..2).ok_or("SDDL: the owner is missing")?;
        descriptor.owner = Some(Sid::named(name).ok_or("SDDL: an unknown owner")?);
        rest = &owner[2..];
    }
    rest = rest.strip_prefix("D:").ok_or("SDDL: there is no DACL")?;
    if let Some(after) = rest.strip_prefix('P') {
        descriptor.is_protected = true;
        rest = after;
    }
    let (dacl, sacl) = rest.split_once("S:").map_or((rest, ""), |(dacl, sacl)| (dacl, sacl));
    for [kind, flags, rights, object, inherited, sid] in fields(dacl)? {
        let sid = Sid::named(sid).ok_or("SDDL: an unknown trustee")?;
        if !(flags.is_empty() && object.is_empty() && inherited.is_empty()) {
            return Err("SDDL: an entry with flags or GUIDs");
        }
        let allows = match kind {
            "A" => true,
            "D" => false,
            _ => return Err("SDDL: an unknown type of entry"),
        };
        descriptor.aces.push(Ace { allows, mask: map(mask(rights)?, &FILE_MAPPING), sid });
    }
    for [kind, _, policy, _, _, sid] in fields(sacl)? {
        let sid = Sid::named(sid).ok_or("SDDL: an unknown label")?;
        let level = sid.subauthorities.first().copied().ok_or("SDDL: an empty label")?;
        if kind != "ML" || sid.authority != 16 {
            return Err("SDDL: an entry of the SACL that is no mandatory label");
        }
        descriptor.label = Some(Label { policy: mask(policy)?, level });
    }
    Ok(descriptor)
}

/// The six fields of each entry.
fn fields(text: &str) -> Result<Vec<[&str; 6]>, &'static str> {
    let entries = text.split(')').filter(|entry| !entry.is_empty());
    entries
        .map(|entry| {
            let entry = entry.strip_prefix('(').ok_or("SDDL: text between entries")?;
            let fields: Vec<&str> = entry.split(';').collect();
            <[&str; 6]>::try_from(fields).map_err(|_| "SDDL: an entry without six fields")
        })
        .collect()
}

/// The rights of an entry: two letters each, or a hexadecimal number.
fn mask(letters: &str) -> Result<ACCESS_MASK, &'static str> {
    if let Some(digits) = letters.strip_prefix("0x") {
        return ACCESS_MASK::from_str_radix(digits, 16).map_err(|_| "SDDL: a wrong number");
    }
    letters.as_bytes().chunks(2).try_fold(0, |mask, pair| {
        let right = match pair {
            b"GA" => GENERIC_ALL,
            b"GR" => GENERIC_READ,
            b"GW" => GENERIC_WRITE,
            b"GX" => GENERIC_EXECUTE,
            b"FA" => FILE_ALL_ACCESS,
            b"FR" => FILE_GENERIC_READ,
            b"FW" => FILE_GENERIC_WRITE,
            b"FX" => FILE_GENERIC_EXECUTE,
            b"NW" => SYSTEM_MANDATORY_LABEL_NO_WRITE_UP,
            b"NR" => SYSTEM_MANDATORY_LABEL_NO_READ_UP,
            b"NX" => SYSTEM_MANDATORY_LABEL_NO_EXECUTE_UP,
            _ => return Err("SDDL: an unknown right"),
        };
        Ok(mask | right)
    })
}
