//! The imports: Windows exports each of them, in the lowest version that the driver supports
//! already.

use std::collections::HashMap;

use anyhow::{Context, Result};

use super::file::{Image, ImportedFunction};
use crate::arch::Arch;

/// The lowest version of Windows: 10 version 2004, the first with ExAllocatePool2. The INF's
/// decoration says the same.
pub(crate) const MIN_WINDOWS: Version = [10, 0, 19041];

/// Major, minor, build.
pub(crate) type Version = [u32; 3];

const EXPORTS: &str = include_str!("../../../nic-core/nt-sys/exports.tsv");

/// Exported functions that a driver must not use: they give executable memory, or pool that isn't
/// zeroed.
const DENIED: [(&str, &str); 5] = [
    ("ExAllocatePool", "the pool may be executable"),
    ("ExAllocatePoolWithTag", "deprecated for ExAllocatePool2"),
    ("ExAllocatePoolWithQuotaTag", "deprecated for ExAllocatePool2"),
    ("MmMapIoSpace", "the mapping is executable"),
    ("MmMapLockedPages", "the mapping is executable"),
];

pub(crate) fn check(image: &Image<'_>) -> Result<Vec<String>> {
    let exports = exports(image.arch)?;
    let mut faults = Vec::new();
    for import in image.imports()? {
        faults.extend(fault(&exports, &import));
    }
    Ok(faults)
}

/// The fault of an import, if any.
fn fault(exports: &HashMap<ImportedName, Version>, import: &ImportedFunction) -> Option<String> {
    let ImportedFunction { module, name } = import;
    if let Some((_, reason)) = DENIED.iter().find(|(denied, _)| denied == name) {
        return Some(format!("{module}!{name} must not be used: {reason}"));
    }
    let Some(first) = exports.get(&(module.clone(), name.clone())) else {
        return Some(format!(
            "{module}!{name} is not in nic-core/nt-sys/exports.tsv for this machine"
        ));
    };
    (*first > MIN_WINDOWS).then(|| {
        format!(
            "{module}!{name} exists from Windows {first:?} on, the driver supports {MIN_WINDOWS:?}"
        )
    })
}

/// Module and name.
type ImportedName = (String, String);

/// The exports of a machine, with the first version of each.
fn exports(arch: Arch) -> Result<HashMap<ImportedName, Version>> {
    let mut exports = HashMap::new();
    for line in EXPORTS.lines().filter(|line| !line.starts_with('#')) {
        let mut fields = line.split('\t');
        let mut field = || fields.next().with_context(|| format!("exports.tsv: {line}"));
        let (module, name, machine, first) = (field()?, field()?, field()?, field()?);
        if machine == "all" || machine == arch.name() {
            exports.insert((module.to_owned(), name.to_owned()), version(first)?);
        }
    }
    Ok(exports)
}

fn version(text: &str) -> Result<Version> {
    let mut version = [0; 3];
    for (number, part) in version.iter_mut().zip(text.split('.')) {
        *number = part.parse().with_context(|| format!("exports.tsv: version {text}"))?;
    }
    Ok(version)
}

#[cfg(test)]
mod tests {
    use super::{ImportedFunction, MIN_WINDOWS, exports, fault};
    use crate::arch::Arch;

    fn import(module: &str, name: &str) -> ImportedFunction {
        ImportedFunction { module: module.into(), name: name.into() }
    }

    #[test]
    fn an_import_that_the_lowest_windows_lacks() {
        let mut exports = exports(Arch::X64).unwrap();
        let import = import("ntoskrnl.exe", "ExAllocatePool2");
        assert_eq!(fault(&exports, &import), None);
        let [major, minor, build] = MIN_WINDOWS;
        exports.insert((import.module.clone(), import.name.clone()), [major, minor, build + 1]);
        assert!(fault(&exports, &import).is_some_and(|text| text.contains("ExAllocatePool2")));
    }

    #[test]
    fn machines_have_different_exports() {
        let import = import("ntoskrnl.exe", "KeGetCurrentIrql");
        assert_eq!(fault(&exports(Arch::X64).unwrap(), &import), None);
        assert!(fault(&exports(Arch::Arm64).unwrap(), &import).is_some());
    }
}
