//! `cargo xtask check-image`: checks of an image that don't load it, one file each.

pub(crate) mod file;
pub(crate) mod headers;
mod imports;
mod instructions;
mod panics;
mod sections;
mod signature;
pub(crate) mod symbols;
mod version;

#[cfg(test)]
mod tests;

use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::arch::Arch;
use crate::driver;
use file::{Image, ImageFile};

#[derive(clap::Args)]
pub(crate) struct Options {
    /// The images to check [default: those that `cargo xtask driver` built]
    images: Vec<PathBuf>,
    /// Require a signature
    #[arg(long)]
    signed: bool,
    /// Require the version of this INF's DriverVer [default: the workspace's version]
    #[arg(long)]
    inf: Option<PathBuf>,
    /// The images' PDB [default: beside the image, where the linker's map must be]
    #[arg(long)]
    pdb: Option<PathBuf>,
}

impl Options {
    /// Options for images in a package, with their PDBs beside them.
    pub(crate) fn packaged(images: Vec<PathBuf>, is_signed: bool) -> Self {
        Self { images, signed: is_signed, inf: None, pdb: None }
    }
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let mut images = options.images.clone();
    if images.is_empty() {
        images.extend(Arch::ALL.map(|arch| driver::Image::of(arch).sys));
    }
    let version = match &options.inf {
        Some(inf) => version::of_inf(inf)?,
        None => driver::version::quadruple(env!("CARGO_PKG_VERSION"))?,
    };
    let mut faults = 0;
    for path in &images {
        let expected = Expected {
            is_signed: options.signed,
            version,
            pdb: options.pdb.clone().unwrap_or_else(|| path.with_extension("pdb")),
            map: path.with_extension("map"),
            panics: panics::BUDGET,
        };
        let found = find_faults(&ImageFile::read(path)?, &expected)?;
        for fault in &found {
            eprintln!("{}: {}: {}", path.display(), fault.check, fault.text);
        }
        if found.is_empty() {
            println!("{}: {} checks passed", path.display(), CHECKS.len());
        }
        faults += found.len();
    }
    if faults > 0 {
        bail!("{faults} faults in {} images", images.len());
    }
    Ok(())
}

/// What is expected of an image, besides the rules.
struct Expected {
    is_signed: bool,
    version: [u16; 4],
    pdb: PathBuf,
    /// The linker's map.
    map: PathBuf,
    /// The number of calls that may begin a panic.
    panics: u32,
}

/// A fault of an image, and the check that found it.
struct Fault {
    check: &'static str,
    text: String,
}

type Check = fn(&Image<'_>, &Expected) -> Result<Vec<String>>;

/// All checks, by name.
const CHECKS: [(&str, Check); 10] = [
    ("headers", |image, _| headers::check(image)),
    ("checksum", |image, _| headers::check_checksum(image)),
    ("sections", |image, _| sections::check(image)),
    ("paging", |image, _| sections::check_paging(image)),
    ("imports", |image, _| imports::check(image)),
    ("instructions", |image, expected| instructions::check(image, &expected.map)),
    ("panics", |image, expected| panics::check(image, &expected.map, expected.panics)),
    ("symbols", |image, expected| symbols::check(image, &expected.pdb)),
    ("version", |image, expected| version::check(image, expected.version)),
    (
        "signature",
        |image, expected| if expected.is_signed { signature::check(image) } else { Ok(Vec::new()) },
    ),
];

fn find_faults(file: &ImageFile, expected: &Expected) -> Result<Vec<Fault>> {
    let image = file.parse()?;
    let mut faults = Vec::new();
    for (check, find) in CHECKS {
        faults.extend(find(&image, expected)?.into_iter().map(|text| Fault { check, text }));
    }
    Ok(faults)
}
