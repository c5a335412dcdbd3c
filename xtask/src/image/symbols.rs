//! The PDB: it belongs to this image, and is named without a path.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use object::Object;

use super::file::Image;

/// The signature of a PDB, a file of streams ("MSF 7.00").
const MAGIC: &[u8] = b"Microsoft C/C++ MSF 7.00\r\n\x1aDS\0\0\0";

pub(crate) fn check(image: &Image<'_>, pdb: &Path) -> Result<Vec<String>> {
    let Some(code_view) = image.pe.pdb_info()? else { return Ok(vec!["it names no PDB".into()]) };
    let mut faults = Vec::new();
    let name = String::from_utf8_lossy(code_view.path());
    if name != "tunic.pdb" {
        faults.push(format!("it names the PDB {name} rather than tunic.pdb"));
    }
    if !pdb.is_file() {
        faults.push(format!("there is no {}", pdb.display()));
        return Ok(faults);
    }
    let bytes = fs::read(pdb)?;
    let guid = guid_offset(&bytes).with_context(|| format!("{} is not a PDB", pdb.display()))?;
    if bytes[guid..guid + 16] != code_view.guid() {
        faults.push(format!("{} belongs to another image", pdb.display()));
    }
    Ok(faults)
}

/// The offset of a PDB's GUID: 12 bytes into stream 1 (LLVM's "The PDB File Format").
pub(crate) fn guid_offset(pdb: &[u8]) -> Option<usize> {
    let number = |at: usize| {
        let field = pdb.get(at..at.checked_add(4)?)?;
        Some(u32::from_le_bytes(field.try_into().ok()?) as usize)
    };
    if !pdb.starts_with(MAGIC) {
        return None;
    }
    let [block_bytes, directory_bytes, map_block] = [number(32)?, number(44)?, number(52)?];
    // The directory's blocks, then the directory: the number of streams, the length of each, the
    // blocks of each.
    let mut directory = Vec::new();
    for index in 0..directory_bytes.div_ceil(block_bytes) {
        let block = number(map_block.checked_mul(block_bytes)? + 4 * index)?;
        let start = block.checked_mul(block_bytes)?;
        directory.extend_from_slice(pdb.get(start..start.checked_add(block_bytes)?)?);
    }
    let entry = |index: usize| {
        let field = directory.get(4 * index..4 * index + 4)?;
        Some(u32::from_le_bytes(field.try_into().ok()?))
    };
    let streams = entry(0)? as usize;
    // The length of a deleted stream.
    let length = entry(1)?;
    let blocks_before =
        if length == u32::MAX { 0 } else { (length as usize).div_ceil(block_bytes) };
    let block = entry(1 + streams + blocks_before)? as usize;
    let field = block.checked_mul(block_bytes)? + 12;
    pdb.get(field..field + 16).map(|_| field)
}
