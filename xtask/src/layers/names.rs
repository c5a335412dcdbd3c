//! `nic-core` is generic: no file of it contains the name of a protocol.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

/// The names, in lower case.
const PROTOCOLS: [&str; 3] = ["wireguard", "openvpn", "ovpn"];

/// An abbreviation of OpenVPN's data channel, as it is written. Within another word it is none:
/// `NdisReadConfiguration` has these letters, and so has "hardcoded".
const ABBREVIATIONS: [&str; 3] = ["dco", "Dco", "DCO"];

/// The files below a folder whose name or text contains a protocol's name, each with its first
/// line that does.
pub(super) fn faults(folder: &Path) -> Result<Vec<String>> {
    let mut faults = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).with_context(|| folder.display().to_string())?;
        for entry in entries {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if let Some(protocol) = protocol(&name) {
                faults.push(format!("{}: names {protocol}", path.display()));
            }
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = fs::read(&path)?;
            let text = String::from_utf8_lossy(&text);
            let mut lines = text.lines().enumerate();
            if let Some((line, protocol)) =
                lines.find_map(|(line, text)| Some((line + 1, protocol(text)?)))
            {
                faults.push(format!("{}:{line}: names {protocol}", path.display()));
            }
        }
    }
    faults.sort();
    Ok(faults)
}

/// The protocol that a line names.
fn protocol(line: &str) -> Option<&'static str> {
    let lower = line.to_lowercase();
    let protocol = PROTOCOLS.into_iter().find(|protocol| lower.contains(protocol));
    protocol.or_else(|| ABBREVIATIONS.into_iter().find(|name| has_word(line, name)))
}

/// Whether a word stands in a line: a change of case or what isn't a letter ends it.
fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(start, _)| {
        let before = line[..start].chars().next_back();
        let after = line[start + word.len()..].chars().next();
        let is_upper = word.chars().all(char::is_uppercase);
        let continues = |next: Option<char>| {
            next.is_some_and(|next| next.is_alphabetic() && next.is_uppercase() == is_upper)
        };
        let starts_upper = word.starts_with(char::is_uppercase);
        !(continues(after) || continues(before) && starts_upper == is_upper)
    })
}

#[cfg(test)]
mod tests {
    use super::protocol;

    #[test]
    fn an_abbreviation_is_a_word() {
        for line in ["a dco device", "DcoDevice", "OVPN", "the_dco", "DCO_SIZE", "WireGuard's"] {
            assert!(protocol(line).is_some(), "{line}");
        }
        for line in ["NdisReadConfiguration", "hardcoded", "FIELD_CODCOUNT", "IoCsqRemoveIrp"] {
            assert_eq!(protocol(line), None, "{line}");
        }
    }
}
