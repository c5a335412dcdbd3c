//! The names of an image's functions, from the linker's map.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use rustc_demangle::demangle;

/// Names by address relative to the image. The linker folds equal functions into one, which then
/// has several names.
pub(crate) struct Names(BTreeMap<u32, Vec<String>>);

impl Names {
    /// Reads a map. Its lines of symbols are `section:offset name address object`.
    pub(crate) fn parse(map: &str) -> Result<Self> {
        let base =
            map.lines().find_map(|line| line.trim().strip_prefix("Preferred load address is "));
        let base = base
            .and_then(|base| u64::from_str_radix(base.trim(), 16).ok())
            .context("a map without an address")?;
        let mut names: BTreeMap<u32, Vec<String>> = BTreeMap::new();
        for line in map.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            let [place, name, address, ..] = &words[..] else { continue };
            let is_symbol = place.len() == 13 && place.as_bytes().get(4) == Some(&b':');
            let Ok(address) = u64::from_str_radix(address, 16) else { continue };
            if !is_symbol || address < base {
                continue;
            }
            let name = format!("{:#}", demangle(name));
            let known = names.entry(u32::try_from(address - base)?).or_default();
            if !known.contains(&name) {
                known.push(name);
            }
        }
        Ok(Self(names))
    }

    /// The names of the symbols at an address.
    pub(crate) fn all(&self, address: u32) -> &[String] {
        self.0.get(&address).map_or(&[], Vec::as_slice)
    }

    /// The names of the last symbols at or before an address.
    pub(crate) fn before(&self, address: u32) -> &[String] {
        self.0.range(..=address).next_back().map_or(&[], |(_, names)| names)
    }

    /// One name of a symbol at an address, or the address.
    pub(crate) fn one(&self, address: u32) -> String {
        self.all(address).first().cloned().unwrap_or_else(|| format!("{address:#x}"))
    }

    /// The addresses of all symbols.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = u32> + use<'_> {
        self.0.keys().copied()
    }
}
