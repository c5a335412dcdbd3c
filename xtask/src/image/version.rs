//! The version resource: its version is that of the package.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use object::LittleEndian as LE;
use object::pe::RT_VERSION;
use object::read::pe::ResourceDirectoryEntryData;

use super::file::Image;

/// The signature of VS_FIXEDFILEINFO; the versions of file and product follow after 4 bytes, 8
/// each.
const SIGNATURE: [u8; 4] = 0xfeef_04bd_u32.to_le_bytes();

/// Compares the versions of file and product with the expected one.
pub(crate) fn check(image: &Image<'_>, wanted: [u16; 4]) -> Result<Vec<String>> {
    let Some(data) = version_resource(image)? else {
        return Ok(vec!["it has no version resource".into()]);
    };
    let start = data
        .windows(4)
        .position(|window| window == SIGNATURE)
        .context("a version resource without a version")?;
    let mut faults = Vec::new();
    for (offset, what) in [(8, "file"), (16, "product")] {
        let field = start + offset;
        let version =
            data.get(field..field + 8).map(version).context("a truncated version resource")?;
        if version != wanted {
            faults.push(format!("its {what} version is {version:?}, and the package's {wanted:?}"));
        }
    }
    Ok(faults)
}

/// Four 16-bit numbers in two 32-bit ones, the upper half first.
fn version(field: &[u8]) -> [u16; 4] {
    let word = |at: usize| u16::from_le_bytes([field[at], field[at + 1]]);
    [word(2), word(0), word(6), word(4)]
}

/// The data of the first resource of type RT_VERSION.
fn version_resource<'a>(image: &Image<'a>) -> Result<Option<&'a [u8]>> {
    let sections = image.pe.section_table();
    let data = image.pe.data();
    let Some(directory) = image.pe.data_directories().resource_directory(data, &sections)? else {
        return Ok(None);
    };
    let mut table = directory.root()?;
    // By type, by name, by language.
    for wanted in [Some(RT_VERSION), None, None] {
        let mut entries = table.entries.iter();
        let found = entries.find(|entry| wanted.is_none() || entry.name_or_id().id() == wanted);
        let Some(found) = found else { return Ok(None) };
        match found.data(directory)? {
            ResourceDirectoryEntryData::Table(below) => table = below,
            ResourceDirectoryEntryData::Data(data) => {
                let bytes = image.data_at(data.offset_to_data.get(LE))?;
                return Ok(bytes.get(..data.size.get(LE) as usize));
            }
        }
    }
    Ok(None)
}

/// The version in an INF's `DriverVer = month/day/year,version`.
pub(crate) fn of_inf(inf: &Path) -> Result<[u16; 4]> {
    let bytes = fs::read(inf).with_context(|| inf.display().to_string())?;
    let text = match bytes.strip_prefix(&[0xff, 0xfe]) {
        Some(utf16) => {
            let words: Vec<u16> =
                utf16.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
            String::from_utf16_lossy(&words)
        }
        None => String::from_utf8_lossy(&bytes).into_owned(),
    };
    let missing = || format!("{} has no DriverVer with a version", inf.display());
    let line = text
        .lines()
        .find_map(|line| line.trim().strip_prefix("DriverVer"))
        .with_context(missing)?;
    let version = line.split([',', ';']).nth(1).with_context(missing)?;
    crate::driver::version::quadruple(version.trim()).with_context(missing)
}
