//! `cargo xtask check-image`: what can be said of an image without loading it. Each check is a
//! file.

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
    /// Images to check; where none is named, those that `cargo xtask driver` built
    images: Vec<PathBuf>,
    /// The images are to be signed
    #[arg(long)]
    signed: bool,
    /// The INF whose DriverVer the images are to have; where none is named, they are to have the
    /// workspace's version
    #[arg(long)]
    inf: Option<PathBuf>,
    /// The images' PDB; where none is named, it is beside the image, as the linker's map is in any
    /// case
    #[arg(long)]
    pdb: Option<PathBuf>,
}

impl Options {
    /// For images in a package, their PDBs beside them.
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
        let wanted = Wanted {
            is_signed: options.signed,
            version,
            pdb: options.pdb.clone().unwrap_or_else(|| path.with_extension("pdb")),
            map: path.with_extension("map"),
            panics: panics::BUDGET,
        };
        let found = find_faults(&ImageFile::read(path)?, &wanted)?;
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

/// What an image is held against, besides the rules.
struct Wanted {
    is_signed: bool,
    version: [u16; 4],
    pdb: PathBuf,
    /// The linker's map.
    map: PathBuf,
    /// How many calls may begin a panic.
    panics: u32,
}

/// What is wrong with an image, and the check that found it.
struct Fault {
    check: &'static str,
    text: String,
}

type Check = fn(&Image<'_>, &Wanted) -> Result<Vec<String>>;

/// All checks, by name.
const CHECKS: [(&str, Check); 10] = [
    ("headers", |image, _| headers::check(image)),
    ("checksum", |image, _| headers::check_checksum(image)),
    ("sections", |image, _| sections::check(image)),
    ("paging", |image, _| sections::check_paging(image)),
    ("imports", |image, _| imports::check(image)),
    ("instructions", |image, _| instructions::check(image)),
    ("panics", |image, wanted| panics::check(image, &wanted.map, wanted.panics)),
    ("symbols", |image, wanted| symbols::check(image, &wanted.pdb)),
    ("version", |image, wanted| version::check(image, wanted.version)),
    (
        "signature",
        |image, wanted| if wanted.is_signed { signature::check(image) } else { Ok(Vec::new()) },
    ),
];

fn find_faults(file: &ImageFile, wanted: &Wanted) -> Result<Vec<Fault>> {
    let image = file.parse()?;
    let mut faults = Vec::new();
    for (check, find) in CHECKS {
        faults.extend(find(&image, wanted)?.into_iter().map(|text| Fault { check, text }));
    }
    Ok(faults)
}
