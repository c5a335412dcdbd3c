//! `cargo xtask check-stack`: what the driver's functions take of the kernel's 24 KiB of stack, by the bytes that ship.
//!
//! Frames are what the image's own unwind data says. Calls are what its instructions are; those through pointers lead to
//! whom `nic-core/driver/stack.tsv` says. ARM64's code is of the same source and is not looked at.

pub(crate) mod calls;
mod chains;
pub(crate) mod frames;
mod imports;
pub(crate) mod names;
mod rules;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use object::LittleEndian as LE;

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

const RULES: &str = include_str!("../../../nic-core/driver/stack.tsv");

#[derive(clap::Args)]
pub(crate) struct Options {
    /// The x64 image to check, with its map beside it; where none is named, that which `cargo xtask driver` built
    image: Option<PathBuf>,
    /// Also prints the deepest chains, as many
    #[arg(long, default_value_t = 1)]
    chains: usize,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let path = options.image.clone().unwrap_or_else(|| driver::Image::of(Arch::X64).sys);
    let map = path.with_extension("map");
    let map = fs::read_to_string(&map).with_context(|| map.display().to_string())?;
    let file = ImageFile::read(&path)?;
    let found = measure(&file.parse()?, &map, &Rules::parse(RULES)?)?;
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
        "{}: {} functions, no chain over {CHAIN_BYTES} bytes, no frame over {FRAME_BYTES} but those that stack.tsv excepts",
        path.display(),
        found.functions
    );
    Ok(())
}

/// What was found in an image.
struct Found {
    functions: usize,
    faults: BTreeSet<String>,
    /// Of what NT may call: how deep, and the chain; the deepest first.
    chains: Vec<(u32, Vec<(String, u32)>)>,
}

fn measure(image: &Image<'_>, map: &str, rules: &Rules) -> Result<Found> {
    if image.arch != Arch::X64 {
        bail!("only x64 images can be measured");
    }
    let names = Names::parse(map)?;
    let frames = frames::read(image)?;
    let calls = Calls::read(image, &frames, &names)?;
    let mut faults = BTreeSet::new();
    for frame in &frames {
        let limit = rules.frame_limit(names.all(frame.start), FRAME_BYTES);
        if frame.bytes > limit {
            let name = names.one(frame.start);
            faults.insert(format!(
                "{name} takes {} bytes of the stack, more than {limit}",
                frame.bytes
            ));
        }
    }

    // NT knows the entry point and what was given to it by address.
    let entry = image.headers().optional_header.address_of_entry_point.get(LE);
    let starts = calls.address_taken.iter().copied().chain([entry]);
    let mut chains = Chains::new(&calls, &names, rules);
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
    Ok(Found { functions: calls.functions.len(), faults, chains: deepest })
}
