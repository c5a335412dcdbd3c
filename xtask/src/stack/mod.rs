//! `cargo xtask check-stack`: how much of the kernel's 24 KiB stack the driver uses, read from the
//! image that ships.
//!
//! The size of a frame is that of the image's unwind data. Calls are read from its instructions;
//! `driver/stack.tsv` lists the possible targets of indirect calls. A rule of that file that
//! neither image needs is refused.

mod arm64;
pub(crate) mod calls;
mod chains;
mod code;
mod dataflow;
pub(crate) mod names;
mod rules;
mod switches;
#[cfg(test)]
mod tests;
mod x64;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use object::LittleEndian as LE;
use object::pe::IMAGE_DIRECTORY_ENTRY_EXCEPTION;

use crate::arch::Arch;
use crate::driver;
use crate::image::file::{Image, ImageFile};
use calls::Calls;
use chains::Chains;
use names::Names;
use rules::Rules;

/// The largest frame of a function.
const FRAME_BYTES: u32 = 2048;
/// The largest chain of calls. The rest of the stack is left to NT, NDIS and WSK.
const CHAIN_BYTES: u32 = 16 * 1024;

const RULES: &str = include_str!("../../../driver/stack.tsv");

#[derive(clap::Args)]
pub(crate) struct Options {
    /// The image to check, with its map beside it [default: those that `cargo xtask driver` built]
    image: Option<PathBuf>,
    /// Check only the image for this processor
    #[arg(long, conflicts_with = "image")]
    arch: Option<Arch>,
    /// The number of chains to print, the deepest first
    #[arg(long, default_value_t = 1)]
    chains: usize,
    /// The number of functions to print, those with the largest frames first
    #[arg(long, default_value_t = 0)]
    frames: usize,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let rules = Rules::parse(RULES)?;
    if let Some(path) = &options.image {
        return check(path, &rules, options).map(|_| ());
    }
    let mut used = BTreeSet::new();
    for arch in Arch::ALL {
        if options.arch.is_none_or(|wanted| wanted == arch) {
            used.append(&mut check(&driver::Image::of(arch).sys, &rules, options)?);
        }
    }
    // Compilers inline differently for each processor, so one image alone doesn't tell.
    if options.arch.is_none() {
        refuse_unused(&rules, &used)?;
    }
    Ok(())
}

fn refuse_unused(rules: &Rules, used: &BTreeSet<usize>) -> Result<()> {
    let unused = rules.unused(used);
    ensure!(unused.is_empty(), "unused rules:\n  {}", unused.join("\n  "));
    Ok(())
}

/// Checks one image; gives the lines of the rules that it needs.
fn check(path: &Path, rules: &Rules, options: &Options) -> Result<BTreeSet<usize>> {
    let map = path.with_extension("map");
    let map = fs::read_to_string(&map).with_context(|| map.display().to_string())?;
    let file = ImageFile::read(path)?;
    let found = measure(&file.parse()?, &map, rules)?;
    for (bytes, name) in found.frames.iter().take(options.frames) {
        println!("{bytes:7} {name}");
    }
    for (bytes, chain) in found.chains.iter().take(options.chains) {
        println!("{bytes} bytes:");
        for (name, frame) in chain {
            println!("  {frame:5} {name}");
        }
    }
    for fault in &found.faults {
        eprintln!("{}: {fault}", path.display());
    }
    if !found.faults.is_empty() {
        bail!("{} faults", found.faults.len());
    }
    println!(
        "{}: {} functions, no chain over {CHAIN_BYTES} bytes, no frame over {FRAME_BYTES}",
        path.display(),
        found.functions
    );
    Ok(found.used)
}

/// The frame of a function: the function's addresses relative to the image, and the size in bytes,
/// without the return address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Frame {
    start: u32,
    end: u32,
    bytes: u32,
}

/// All frames, by address.
fn frames(image: &Image<'_>) -> Result<Vec<Frame>> {
    match image.arch {
        Arch::X64 => x64::frames(image),
        Arch::Arm64 => arm64::frames(image),
    }
}

/// The entries of .pdata: a function each.
fn unwind_table<'i>(image: &'i Image<'_>) -> Result<&'i [u8]> {
    let directory = image.directory(IMAGE_DIRECTORY_ENTRY_EXCEPTION).context("no unwind data")?;
    let table = image.data_at(directory.virtual_address.get(LE))?;
    table.get(..directory.size.get(LE) as usize).context("unwind data that is cut")
}

/// The bytes that a call pushes.
const fn call_bytes(arch: Arch) -> u32 {
    match arch {
        Arch::X64 => x64::CALL_BYTES,
        Arch::Arm64 => arm64::CALL_BYTES,
    }
}

/// What was found in an image.
struct Found {
    functions: usize,
    faults: BTreeSet<String>,
    /// The frame of each function, the largest first.
    frames: Vec<(u32, String)>,
    /// From each function that NT may call: the bytes of the deepest chain, and the chain; the
    /// deepest first.
    chains: Vec<(u32, Vec<(String, u32)>)>,
    /// The lines of the rules that the image needs.
    used: BTreeSet<usize>,
}

fn measure(image: &Image<'_>, map: &str, rules: &Rules) -> Result<Found> {
    let names = Names::parse(map)?;
    let calls = Calls::read(image, &names)?;
    let mut faults = BTreeSet::new();
    let functions = calls.functions.iter();
    let mut largest: Vec<_> =
        functions.map(|(start, function)| (function.frame_bytes, names.one(*start))).collect();
    largest.sort_by(|left, right| right.cmp(left));
    for (bytes, name) in largest.iter().take_while(|(bytes, _)| *bytes > FRAME_BYTES) {
        faults.insert(format!("{name} has a frame of {bytes} bytes, more than {FRAME_BYTES}"));
    }

    // NT knows the entry point and what was given to it by address.
    let entry = image.headers().optional_header.address_of_entry_point.get(LE);
    let starts = calls.address_taken.iter().copied().chain([entry]);
    let mut chains = Chains::new(&calls, &names, rules, call_bytes(image.arch));
    let mut deepest = Vec::new();
    for start in starts {
        let bytes = chains.depth(start);
        let chain = chains.deepest(start);
        if bytes > CHAIN_BYTES {
            faults.insert(format!(
                "a chain of calls from {} takes {bytes} bytes, more than {CHAIN_BYTES}",
                names.one(start)
            ));
        }
        deepest.push((bytes, chain));
    }
    deepest.sort_by_key(|(bytes, _)| std::cmp::Reverse(*bytes));
    faults.append(&mut chains.faults);
    Ok(Found {
        functions: calls.functions.len(),
        faults,
        frames: largest,
        used: std::mem::take(&mut chains.used),
        chains: deepest,
    })
}
