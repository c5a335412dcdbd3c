//! The packages of a workspace, as `cargo metadata` lists them.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// A package, and which packages of the workspace it depends on.
pub(super) struct Package {
    pub(super) name: String,
    /// Its folder, from the workspace's root on.
    pub(super) folder: String,
    pub(super) dependencies: Vec<Dependency>,
    /// The root files of its library and programs.
    pub(super) targets: Vec<PathBuf>,
}

/// A dependency by path.
pub(super) struct Dependency {
    pub(super) folder: String,
    /// Whether only tests, examples and benches have it.
    pub(super) is_dev: bool,
}

/// Reads the workspace at `root`.
pub(super) fn read(root: &Path) -> Result<Vec<Package>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--no-deps", "--format-version", "1", "--manifest-path"])
        .arg(root.join("Cargo.toml"))
        .output()
        .context("cargo")?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "cargo metadata: {errors}");
    let metadata: Value = serde_json::from_slice(&output.stdout).context("cargo metadata")?;
    let mut packages = list(&metadata, "packages")
        .map(|package| Package::parse(root, package))
        .collect::<Result<Vec<_>>>()?;
    packages.sort_by(|left, right| left.folder.cmp(&right.folder));
    Ok(packages)
}

impl Package {
    fn parse(root: &Path, package: &Value) -> Result<Self> {
        let manifest = Path::new(text(package, "manifest_path")?);
        let mut dependencies = Vec::new();
        for dependency in list(package, "dependencies") {
            // One without a path is from a registry.
            if let Ok(path) = text(dependency, "path") {
                let is_dev = dependency["kind"] == "dev";
                dependencies.push(Dependency { folder: within(root, Path::new(path))?, is_dev });
            }
        }
        let mut targets = Vec::new();
        for target in list(package, "targets") {
            if list(target, "kind").any(|kind| kind == "lib" || kind == "bin") {
                targets.push(text(target, "src_path")?.into());
            }
        }
        Ok(Self {
            name: text(package, "name")?.to_owned(),
            folder: within(root, manifest.parent().unwrap_or(manifest))?,
            dependencies,
            targets,
        })
    }
}

fn within(root: &Path, folder: &Path) -> Result<String> {
    let outside = || format!("{} is outside of the workspace", folder.display());
    Ok(folder.strip_prefix(root).with_context(outside)?.display().to_string())
}

fn list<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value[key].as_array().into_iter().flatten()
}

fn text<'a>(value: &'a Value, key: &str) -> Result<&'a str> {
    value[key].as_str().with_context(|| format!("cargo metadata has no {key}"))
}
