//! Imports of an image.

use object::LittleEndian as LE;
use object::pe::ImageNtHeaders64;
use object::read::pe::{Import, ImportTable};

use super::error::{LoadError, Malformed};
use super::exports;
use super::file::ImageFile;

/// Writes the address of each import to the import address table.
pub(super) fn bind(image: &mut [u8], file: &ImageFile<'_>) -> Result<(), LoadError> {
    let Some(start) = file.imports() else { return Ok(()) };
    let imports = resolve(image, start)?;
    for (place, address) in imports {
        let place = image
            .get_mut(place..)
            .and_then(<[u8]>::first_chunk_mut::<8>)
            .ok_or(Malformed::format("an address table reaches beyond the image"))?;
        *place = (address as u64).to_le_bytes();
    }
    Ok(())
}

/// The entries of the import address table, and their addresses.
fn resolve(image: &[u8], start: u32) -> Result<Vec<(usize, usize)>, LoadError> {
    // The image is laid out as in memory, as if it were one section at offset 0.
    let table = ImportTable::new(image, 0, start);
    let mut found = Vec::new();
    let mut missing = Vec::new();
    let mut descriptors = table.descriptors().map_err(Malformed::from)?;
    while let Some(descriptor) = descriptors.next().map_err(Malformed::from)? {
        let module = table.name(descriptor.name.get(LE)).map_err(Malformed::from)?;
        let module = String::from_utf8_lossy(module);
        let first = descriptor.first_thunk.get(LE);
        let names = match descriptor.original_first_thunk.get(LE) {
            0 => first,
            names => names,
        };
        let mut thunks = table.thunks(names).map_err(Malformed::from)?;
        let mut place = first as usize;
        while let Some(thunk) = thunks.next::<ImageNtHeaders64>().map_err(Malformed::from)? {
            let import = table.import::<ImageNtHeaders64>(thunk).map_err(Malformed::from)?;
            let Import::Name(_, name) = import else {
                return Err(Malformed::Ordinal(module.into_owned()).into());
            };
            let name = String::from_utf8_lossy(name);
            match exports::find(&module, &name) {
                Some(address) => found.push((place, address)),
                None => missing.push(format!("{module}!{name}")),
            }
            place += size_of::<u64>();
        }
    }
    if missing.is_empty() { Ok(found) } else { Err(LoadError::MissingImports(missing)) }
}
