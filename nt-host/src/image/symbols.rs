//! The names of an image's functions, from the linker's map (`/MAP`).

use std::fs::File;
use std::io::{self, Write};

use rustc_demangle::demangle;

use super::module::Module;

/// Names by their offsets in the image.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Symbols {
    names: Vec<(usize, String)>,
}

impl Symbols {
    /// Parses a map, if it has the time stamp of the image. The map of a reproducible build has
    /// none.
    ///
    /// A line with a symbol has its section and offset, its name, and its address at the linked
    /// base.
    pub(super) fn parse(map: &str, timestamp: u32) -> Option<Self> {
        let word = |start: &str| {
            let line = map.lines().find_map(|line| line.trim().strip_prefix(start))?;
            u64::from_str_radix(line.split_whitespace().next()?, 16).ok()
        };
        let stamp = word("Timestamp is ")?;
        if stamp != 0 && stamp != u64::from(timestamp) {
            return None;
        }
        let base = word("Preferred load address is ")?;
        let mut names: Vec<(usize, String)> = map
            .lines()
            .filter_map(|line| {
                let mut words = line.split_whitespace();
                let (place, name, address) = (words.next()?, words.next()?, words.next()?);
                // Symbols of section 0 are not in the image.
                if !place.contains(':') || place.starts_with("0000:") || address.len() != 16 {
                    return None;
                }
                let address = u64::from_str_radix(address, 16).ok()?.checked_sub(base)?;
                Some((usize::try_from(address).ok()?, name.to_owned()))
            })
            .collect();
        names.sort_by_key(|(start, _)| *start);
        Some(Self { names })
    }

    /// The name of the function at an offset, with the distance from its start.
    pub(super) fn name(&self, offset: usize) -> Option<String> {
        let place = self.names.partition_point(|(start, _)| *start <= offset).checked_sub(1)?;
        let (start, name) = self.names.get(place)?;
        Some(format!("{:#}+{:#x}", demangle(name), offset - start))
    }

    /// Writes the names for `perf`, which reads `/tmp/perf-PID.map`: the start, size and name of
    /// each, in hexadecimal.
    pub(super) fn write_for_perf(&self, module: &Module) -> io::Result<()> {
        let path = format!("/tmp/perf-{}.map", std::process::id());
        let mut file = io::BufWriter::new(File::options().create(true).append(true).open(path)?);
        let range = module.range();
        let ends = self.names.iter().skip(1).map(|(start, _)| *start).chain([range.len()]);
        for ((start, name), end) in self.names.iter().zip(ends) {
            let address = range.start + start;
            writeln!(file, "{address:x} {:x} {:#}", end.saturating_sub(*start), demangle(name))?;
        }
        file.flush()
    }
}
