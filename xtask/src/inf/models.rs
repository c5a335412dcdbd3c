//! `[Manufacturer]` and the models: supported versions of Windows, and devices.

use super::file::{Inf, Line};
use super::package::Package;
use super::source::SOURCES;
use crate::arch::Arch;

/// The end of a decoration: Windows 10 version 2004, the first that has all of tunic.sys's imports.
const MIN_WINDOWS: &str = "10.0...19041";

pub(super) fn check(inf: &Inf, package: &Package, problems: &mut Vec<String>) {
    if inf.lines("Manufacturer").is_empty() {
        problems.push("manufacturer: there is no [Manufacturer]".into());
    }
    for line in inf.lines("Manufacturer") {
        if line.values.len() < 2 {
            problems.push("decoration: models without a decoration install on any Windows".into());
        }
        for decoration in line.values.iter().skip(1) {
            check_decoration(decoration, package, problems);
            let name = format!("{}.{decoration}", line.at(0));
            match inf.section(&name) {
                None => problems.push(format!("models: there is no [{name}]")),
                Some(models) if models.lines.is_empty() => {
                    problems.push(format!("models: [{name}] is empty"));
                }
                Some(_) => {}
            }
        }
    }
    let stem = package.name.trim_end_matches(".inf");
    let wanted = SOURCES.iter().find(|(name, _)| *name == stem).map_or("Tunic", |(_, id)| id);
    for line in models(inf) {
        if line.values[1..] != [wanted] {
            let ids = line.values[1..].join(", ");
            problems.push(format!("hardware-id: {ids} rather than {wanted}"));
        }
    }
}

/// The lines of all models.
pub(super) fn models(inf: &Inf) -> impl Iterator<Item = &Line> {
    let names = inf.lines("Manufacturer").iter().flat_map(|line| {
        line.values.iter().skip(1).map(|decoration| format!("{}.{decoration}", line.at(0)))
    });
    names.flat_map(|name| inf.lines(&name))
}

impl Inf {
    /// The hardware IDs of its devices.
    pub(crate) fn hardware_ids(&self) -> Vec<&str> {
        models(self).flat_map(|line| line.values.iter().skip(1).map(String::as_str)).collect()
    }
}

fn check_decoration(decoration: &str, package: &Package, problems: &mut Vec<String>) {
    let (arch, windows) = decoration.split_once('.').unwrap_or((decoration, ""));
    let arch = match arch.to_ascii_lowercase().as_str() {
        "ntamd64" => Some(Arch::X64),
        "ntarm64" => Some(Arch::Arm64),
        _ => None,
    };
    if arch.is_none() || arch != package.arch {
        let built = package.arch.map_or("another processor", Arch::name);
        problems.push(format!("decoration: {decoration}, but tunic.sys is for {built}"));
    }
    if windows != MIN_WINDOWS {
        problems.push(format!("decoration: {decoration} doesn't end in {MIN_WINDOWS}"));
    }
}
