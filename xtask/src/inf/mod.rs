//! `cargo xtask check-inf`: the rules of infverif that can be checked without Windows, and those of
//! NDIS and of the driver.

mod file;
mod install;
mod models;
mod package;
mod registry;
mod source;
mod stamp;
mod strings;
#[cfg(test)]
mod tests;
mod version;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;

pub(crate) use file::Inf;
pub(crate) use package::Package;
pub(crate) use source::{SOURCES, source};
pub(crate) use stamp::{Date, Stamp};

use crate::arch::Arch;
use crate::driver::{version as image_version, workspace};

/// What to check.
#[derive(Args)]
pub(crate) struct Options {
    /// An INF in its package [default: all of inf/, for both processors]
    path: Option<PathBuf>,
}

/// Checks one INF, or all.
pub(crate) fn run(options: &Options) -> Result<()> {
    if let Some(path) = &options.path {
        return check_packaged(path);
    }
    for (name, _) in SOURCES {
        for arch in Arch::ALL {
            let stamp = Stamp { arch, date: commit_date()?, version: package_version()? };
            let inf = stamp.apply(&source(name)?)?;
            let package = Package {
                name: format!("{name}.inf"),
                files: vec!["tunic.sys".into()],
                arch: Some(arch),
                version: stamp.version,
                keywords: driver_keywords()?,
            };
            refuse(&format!("{name}.inx for {}", arch.name()), &check(inf.as_bytes(), &package))?;
        }
    }
    println!("the INFs follow all rules");
    Ok(())
}

/// Checks an INF beside the files that it installs.
pub(crate) fn check_packaged(path: &Path) -> Result<()> {
    let inf = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let folder = path.parent().unwrap_or(Path::new("."));
    let image = fs::read(folder.join("tunic.sys"));
    let image = image.with_context(|| format!("no tunic.sys beside {}", path.display()))?;
    let mut files = Vec::new();
    for entry in fs::read_dir(if folder.as_os_str().is_empty() { Path::new(".") } else { folder })?
    {
        files.push(entry?.file_name().to_string_lossy().into_owned());
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let package = Package {
        name,
        files,
        arch: machine(&image),
        version: file_version(&image).context("tunic.sys has no version resource")?,
        keywords: driver_keywords()?,
    };
    refuse(&path.display().to_string(), &check(&inf, &package))?;
    println!("{} follows all rules", path.display());
    Ok(())
}

/// The problems of an INF; each begins with the name of its rule.
pub(crate) fn check(bytes: &[u8], package: &Package) -> Vec<String> {
    let inf = match Inf::parse(bytes) {
        Ok(inf) => inf,
        Err(error) => return vec![format!("syntax: {error}")],
    };
    let mut problems = Vec::new();
    version::check(&inf, package, &mut problems);
    models::check(&inf, package, &mut problems);
    install::check(&inf, package, &mut problems);
    registry::check(&inf, package, &mut problems);
    strings::check(&inf, &mut problems);
    problems
}

fn refuse(what: &str, problems: &[String]) -> Result<()> {
    ensure!(problems.is_empty(), "{what}:\n  {}", problems.join("\n  "));
    Ok(())
}

/// Tunic's version.
pub(crate) fn package_version() -> Result<[u16; 4]> {
    image_version::quadruple(env!("CARGO_PKG_VERSION"))
}

/// The day of the last commit, so that a package doesn't depend on when it is made.
pub(crate) fn commit_date() -> Result<Date> {
    let output = Command::new("git")
        .current_dir(workspace())
        .args(["log", "-1", "--format=%cs"])
        .output()
        .context("git tells the date of a package")?;
    if !output.status.success() {
        bail!("git can't tell the date: {}", String::from_utf8_lossy(&output.stderr));
    }
    String::from_utf8_lossy(&output.stdout).parse()
}

/// The registry values that the driver reads: the literals of `utf16!` in its sources.
pub(crate) fn driver_keywords() -> Result<Vec<String>> {
    let mut keywords = Vec::new();
    let sources = ["nic-core/miniport/src", "protocols", "driver/src"];
    let mut folders = Vec::from(sources.map(|source| workspace().join(source)));
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|kind| kind == "rs") {
                let text = fs::read_to_string(&path)?;
                let literals = text.split("utf16!(\"").skip(1);
                keywords
                    .extend(literals.filter_map(|rest| Some(rest.split_once('"')?.0.to_owned())));
            }
        }
    }
    Ok(keywords)
}

/// The processor of an image, from its COFF header (PE format specification, 2.3.1).
fn machine(image: &[u8]) -> Option<Arch> {
    let header = u32::from_le_bytes(image.get(0x3c..0x40)?.try_into().ok()?) as usize;
    match image.get(header..header.checked_add(6)?)? {
        [b'P', b'E', 0, 0, 0x64, 0x86] => Some(Arch::X64),
        [b'P', b'E', 0, 0, 0x64, 0xaa] => Some(Arch::Arm64),
        _ => None,
    }
}

/// The file version in the VS_FIXEDFILEINFO of an image, which is found by its signature.
pub(crate) fn file_version(image: &[u8]) -> Option<[u16; 4]> {
    let signature = 0xfeef_04bd_u32.to_le_bytes();
    let start = image.windows(4).position(|bytes| bytes == signature)?;
    let word = |place: usize| {
        let bytes = image.get(start + place..start + place + 2)?;
        Some(u16::from_le_bytes([bytes[0], bytes[1]]))
    };
    Some([word(10)?, word(8)?, word(14)?, word(12)?])
}
