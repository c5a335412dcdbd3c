//! The capabilities of capabilities(7) that a process keeps.

use std::fs::File;
use std::path::Path;

use anyhow::{Context, Result};
pub use caps::Capability;
use caps::{CapSet, CapsHashSet};

/// Drops every capability but these, also from the set that bounds the programs started later.
/// Capabilities belong to a thread: call it before the process starts threads.
pub fn keep(kept: &[Capability]) -> Result<()> {
    bound(kept)?;
    let permitted = caps::read(None, CapSet::Permitted).context("capabilities")?;
    let kept: CapsHashSet =
        permitted.intersection(&kept.iter().copied().collect()).copied().collect();
    // In this order each set stays within the one that it depends on.
    if caps::runtime::ambient_set_supported().is_ok() {
        caps::clear(None, CapSet::Ambient).context("ambient capabilities")?;
    }
    let sets = [(CapSet::Inheritable, &CapsHashSet::new()), (CapSet::Effective, &kept)];
    for (set, value) in sets.into_iter().chain([(CapSet::Permitted, &kept)]) {
        caps::set(None, set, value).with_context(|| format!("{set:?} capabilities"))?;
    }
    Ok(())
}

/// Drops every capability but these from the bounding set. Without CAP_SETPCAP the set stays.
pub fn bound(kept: &[Capability]) -> Result<()> {
    if !has(Capability::CAP_SETPCAP) {
        return Ok(());
    }
    for capability in caps::runtime::thread_all_supported() {
        if !kept.contains(&capability) {
            caps::drop(None, CapSet::Bounding, capability).context("bounding set")?;
        }
    }
    Ok(())
}

/// Passes a capability that the process has on to the programs that it starts, whoever its user is.
pub fn pass_on(capability: Capability) -> Result<()> {
    if has(capability) {
        for set in [CapSet::Inheritable, CapSet::Ambient] {
            caps::raise(None, set, capability).with_context(|| format!("{set:?} capabilities"))?;
        }
    }
    Ok(())
}

/// Whether a file can be read only with a capability that overrides its permissions.
pub fn are_needed_for(file: &Path) -> bool {
    let Ok(effective) = caps::read(None, CapSet::Effective) else { return false };
    let mut without = effective.clone();
    without.remove(&Capability::CAP_DAC_OVERRIDE);
    without.remove(&Capability::CAP_DAC_READ_SEARCH);
    if caps::set(None, CapSet::Effective, &without).is_err() {
        return false;
    }
    let is_denied =
        File::open(file).is_err_and(|error| error.kind() == std::io::ErrorKind::PermissionDenied);
    // It was permitted a moment ago.
    let _ = caps::set(None, CapSet::Effective, &effective);
    is_denied
}

fn has(capability: Capability) -> bool {
    caps::has_cap(None, CapSet::Effective, capability).unwrap_or(false)
}
