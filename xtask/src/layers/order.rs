//! The order of the folders: which package may depend on which.

use super::packages::Package;

/// A folder of packages, and the folders of the packages that they may depend on.
struct Layer {
    folder: &'static str,
    /// Besides packages of this layer.
    may_use: &'static [&'static str],
    /// Whether packages of this layer may depend on one another.
    is_open: bool,
}

/// Every layer; each uses only earlier ones, so no dependency points back.
///
/// A package belongs to the first layer whose folder contains it.
const LAYERS: &[Layer] = &[
    // Both sides of the driver's ABI depend on it.
    layer("ioctl-api", &[]),
    // Tests and tools ask it what the machine has.
    layer("tests/require", &[]),
    // The generic core. The engine knows no operating system, nt knows no networking.
    layer("nic-core/crypto", &[]),
    layer("nic-core/memory", &[]),
    layer("nic-core/engine", &["nic-core/crypto", "nic-core/memory"]),
    layer("nic-core/nt-sys", &[]),
    // It proves to nic-crypto that NT has saved the registers of wide kernels.
    layer("nic-core/nt", &["nic-core/nt-sys", "nic-core/memory", "nic-core/crypto"]),
    layer(
        "nic-core/miniport",
        &[
            "nic-core/crypto",
            "nic-core/memory",
            "nic-core/engine",
            "nic-core/nt-sys",
            "nic-core/nt",
            "ioctl-api",
        ],
    ),
    // A protocol's sans-IO core sees the engine, its adapter also the miniport. No protocol sees
    // another.
    layer("protocols/wireguard/core", SANS_IO),
    layer("protocols/wireguard", &["protocols/wireguard/core", "nic-core", "ioctl-api"]),
    layer("protocols/openvpn/core", SANS_IO),
    layer("protocols/openvpn", &["protocols/openvpn/core", "nic-core", "ioctl-api"]),
    layer("driver", &["protocols", "nic-core"]),
    open("userspace-sdk", &["ioctl-api"]),
    // The host sees declarations of NT alone, never the driver.
    layer("nt-host", &["nic-core/nt-sys"]),
    open(
        "programs",
        &["driver", "nt-host", "userspace-sdk", "ioctl-api", "nic-core/nt-sys", "nic-core/memory"],
    ),
    open(
        "tests",
        &[
            "tests/require",
            "ioctl-api",
            "nic-core",
            "protocols",
            "driver",
            "userspace-sdk",
            "nt-host",
            "programs",
        ],
    ),
    layer(
        "bench",
        &[
            "tests",
            "ioctl-api",
            "nic-core",
            "protocols",
            "driver",
            "userspace-sdk",
            "nt-host",
            "programs",
        ],
    ),
    // It builds the driver, so it must not wait for the driver to be built.
    layer("xtask", &["ioctl-api", "tests/require"]),
];

const SANS_IO: &[&str] = &["nic-core/crypto", "nic-core/memory", "nic-core/engine"];

/// What the tests of any package may use besides: the kernel's crates run on nt-host, which needs
/// none of them to be built, tests ask `require` whether they can run here, and the engine's suite
/// runs for the small protocol of docs/adding-a-protocol.md.
const DEV: &[&str] = &["nt-host", "tests/require", "tests/preshared"];

const fn layer(folder: &'static str, may_use: &'static [&'static str]) -> Layer {
    Layer { folder, may_use, is_open: false }
}

const fn open(folder: &'static str, may_use: &'static [&'static str]) -> Layer {
    Layer { folder, may_use, is_open: true }
}

/// The dependencies of a package that the order doesn't allow.
pub(super) fn faults(package: &Package) -> Vec<String> {
    let folder = &package.folder;
    let Some(layer) = LAYERS.iter().find(|layer| is_within(folder, layer.folder)) else {
        return vec![format!("{folder} is in no layer: add it to xtask/src/layers/order.rs")];
    };
    let is_allowed = |dependency: &str, is_dev: bool| {
        let is_below = |allowed: &&str| is_within(dependency, allowed);
        dependency == folder
            || layer.is_open && is_within(dependency, layer.folder)
            || layer.may_use.iter().any(is_below)
            || is_dev && DEV.iter().any(is_below)
    };
    let refused = package.dependencies.iter().filter(|it| !is_allowed(&it.folder, it.is_dev));
    refused
        .map(|dependency| {
            let kind = if dependency.is_dev { "dev-dependency" } else { "dependency" };
            format!("{folder}: {} is no {kind} of this layer (order.rs)", dependency.folder)
        })
        .collect()
}

/// Whether a folder is `layer`, or lies in it.
fn is_within(folder: &str, layer: &str) -> bool {
    let rest = folder.strip_prefix(layer);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layer_uses_only_earlier_ones() {
        for (index, layer) in LAYERS.iter().enumerate() {
            for used in layer.may_use {
                let last = LAYERS.iter().rposition(|layer| is_within(layer.folder, used));
                assert!(last.is_some_and(|last| last < index), "{} uses {used}", layer.folder);
            }
        }
    }
}
