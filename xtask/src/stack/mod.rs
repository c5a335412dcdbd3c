//! `cargo xtask check-stack`: what the driver's functions take of the kernel's 24 KiB of stack, by
//! the bytes that ship.
//!
//! Frames are what the image's own unwind data says. Calls are what its instructions are; those
//! through pointers lead to whom `driver/stack.tsv` says.

mod arm64;
pub(crate) mod calls;
mod chains;
mod code;
mod held;
pub(crate) mod names;
mod rules;
mod switches;
#[cfg(test)]
mod tests;
mod x64;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use object::LittleEndian as LE;
use object::pe::IMAGE_DIRECTORY_ENTRY_EXCEPTION;

use crate::arch::Arch;
use crate::driver;
use crate::image::file::{Image, ImageFile};
use calls::Calls;
use chains::Chains;
use names::Names;
use rules::Rules;

/// The most that one function may take.
const FRAME_BYTES: u32 = 2048;
/// The most that a chain of calls may take; of the rest live NT, NDIS and WSK above and below us.
const CHAIN_BYTES: u32 = 16 * 1024;

const RULES: &str = include_str!("../../../driver/stack.tsv");

#[derive(clap::Args)]
pub(crate) struct Options {
    /// The image to check, with its map beside it; where none is named, that which `cargo xtask
    /// driver` built
    image: Option<PathBuf>,
    /// The processor of the image that `cargo xtask driver` built
    #[arg(long, default_value = "x64", conflicts_with = "image")]
    arch: Arch,
    /// Also prints the deepest chains, as many
    #[arg(long, default_value_t = 1)]
    chains: usize,
    /// Also prints the functions with the largest frames, as many
    #[arg(long, default_value_t = 0)]
    frames: usize,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let path = options.image.clone().unwrap_or_else(|| driver::Image::of(options.arch).sys);
    let map = path.with_extension("map");
    let map = fs::read_to_string(&map).with_context(|| map.display().to_string())?;
    let file = ImageFile::read(&path)?;
    let found = measure(&file.parse()?, &map, &Rules::parse(RULES)?)?;
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
    Ok(())
}

/// A function that takes of the stack: its addresses relative to the image, and how many bytes,
/// without what a call of it pushes.
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

/// What a call pushes.
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
    /// What each function takes; the largest first.
    frames: Vec<(u32, String)>,
    /// Of what NT may call: how deep, and the chain; the deepest first.
    chains: Vec<(u32, Vec<(String, u32)>)>,
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
        faults.insert(format!("{name} takes {bytes} bytes of the stack, more than {FRAME_BYTES}"));
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
                "calls from {} on take {bytes} bytes of the stack",
                names.one(start)
            ));
        }
        deepest.push((bytes, chain));
    }
    deepest.sort_by_key(|(bytes, _)| std::cmp::Reverse(*bytes));
    faults.append(&mut chains.faults);
    Ok(Found { functions: calls.functions.len(), faults, frames: largest, chains: deepest })
}
