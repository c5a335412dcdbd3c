//! An image's identity: the time stamp by which symbol servers find it, and the GUID that links it
//! to its PDB.
//!
//! The linker derives both from a hash that covers the PDB, and so the paths of this machine. Here
//! they are derived from the image alone, so that equal sources make equal bytes everywhere.

use std::fs;

use anyhow::{Context, Result};
use object::LittleEndian as LE;
use object::pe::IMAGE_DIRECTORY_ENTRY_DEBUG;
use sha2::{Digest, Sha256};

use super::Image;
use crate::image::file::ImageFile;
use crate::image::headers::{checksum, checksum_offset};
use crate::image::symbols;

/// The size of IMAGE_DEBUG_DIRECTORY, whose time stamp is at offset 4.
const DEBUG_ENTRY_BYTES: usize = 28;
/// From the time stamp of the headers to the checksum: the rest of the COFF header, and 64 bytes of
/// the optional header.
const TIME_STAMP_TO_CHECKSUM: usize = 16 + 64;

/// Gives an image and its PDB an identity.
pub(crate) fn assign(image: &Image) -> Result<()> {
    let mut file = ImageFile::read(&image.sys)?;
    let mut pdb = fs::read(&image.pdb).with_context(|| image.pdb.display().to_string())?;
    let in_pdb = symbols::guid_offset(&pdb).context("the linker's PDB")?;
    let guid: [u8; 16] = pdb[in_pdb..in_pdb + 16].try_into()?;
    let checksum_field = checksum_offset(&file.bytes);
    let mut time_stamps = vec![checksum_field - TIME_STAMP_TO_CHECKSUM];
    let directory = debug_directory(&file)?;
    time_stamps.extend(directory.step_by(DEBUG_ENTRY_BYTES).map(|entry| entry + 4));
    let guid_field = file
        .bytes
        .windows(guid.len())
        .position(|window| window == guid)
        .context("the image's GUID")?;

    let bytes = &mut file.bytes;
    for field in &time_stamps {
        bytes[*field..field + 4].fill(0);
    }
    bytes[guid_field..guid_field + 16].fill(0);
    bytes[checksum_field..checksum_field + 4].fill(0);
    let hash = Sha256::digest(&*bytes);
    for field in time_stamps {
        bytes[field..field + 4].copy_from_slice(&hash[16..20]);
    }
    bytes[guid_field..guid_field + 16].copy_from_slice(&hash[..16]);
    pdb[in_pdb..in_pdb + 16].copy_from_slice(&hash[..16]);
    let sum = checksum(bytes);
    bytes[checksum_field..checksum_field + 4].copy_from_slice(&sum.to_le_bytes());
    fs::write(&image.sys, &file.bytes)?;
    fs::write(&image.pdb, pdb)?;
    Ok(())
}

/// The range of the debug directory in the file.
fn debug_directory(file: &ImageFile) -> Result<std::ops::Range<usize>> {
    let image = file.parse()?;
    let directory = image.directory(IMAGE_DIRECTORY_ENTRY_DEBUG).context("no debug directory")?;
    let address = directory.virtual_address.get(LE);
    let section = image.section_at(address).context("a debug directory in no section")?;
    let offset = address - section.virtual_address.get(LE) + section.pointer_to_raw_data.get(LE);
    Ok(offset as usize..(offset + directory.size.get(LE)) as usize)
}
