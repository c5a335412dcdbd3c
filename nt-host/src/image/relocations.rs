//! Base relocations: addresses in the image that depend on its base.

use object::pe::{IMAGE_REL_BASED_ABSOLUTE, IMAGE_REL_BASED_DIR64};
use object::read::pe::RelocationBlockIterator;

use super::error::Malformed;
use super::file::ImageFile;

/// Relocates the image from its linked address to `base`.
pub(super) fn apply(image: &mut [u8], file: &ImageFile<'_>, base: u64) -> Result<(), Malformed> {
    let moved = base.wrapping_sub(file.base);
    // A copy, because relocations could point into their own table.
    let table = image.get(file.relocations()).unwrap_or_default().to_vec();
    for block in RelocationBlockIterator::new(&table) {
        for relocation in block? {
            match relocation.typ {
                IMAGE_REL_BASED_ABSOLUTE => {}
                IMAGE_REL_BASED_DIR64 => {
                    let address = relocation.virtual_address;
                    let place = image
                        .get_mut(address as usize..)
                        .and_then(<[u8]>::first_chunk_mut::<8>)
                        .ok_or(Malformed::RelocationOutside(address))?;
                    *place = u64::from_le_bytes(*place).wrapping_add(moved).to_le_bytes();
                }
                other => return Err(Malformed::RelocationType(other)),
            }
        }
    }
    Ok(())
}
