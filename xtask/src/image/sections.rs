//! The sections and their memory protection. HVCI refuses writable code and executable data.

use anyhow::Result;
use object::LittleEndian as LE;
use object::pe::{
    IMAGE_DIRECTORY_ENTRY_IAT, IMAGE_DIRECTORY_ENTRY_IMPORT, IMAGE_SCN_MEM_DISCARDABLE,
    IMAGE_SCN_MEM_EXECUTE, IMAGE_SCN_MEM_NOT_PAGED, IMAGE_SCN_MEM_WRITE,
};

use super::file::{Image, section_name};

/// Checks that no section is writable and executable (Driver Verifier's 0x2003), that each has
/// attributes (it would not load: microsoft/windows-drivers-rs#182), and that no import table is in
/// an executable section (0x2005).
pub(crate) fn check(image: &Image<'_>) -> Result<Vec<String>> {
    let mut faults = Vec::new();
    for section in image.sections() {
        let name = section_name(section);
        let flags = section.characteristics.get(LE);
        if flags == 0 {
            faults.push(format!("section {name} has no attributes"));
        }
        if flags & IMAGE_SCN_MEM_WRITE != 0 && flags & IMAGE_SCN_MEM_EXECUTE != 0 {
            faults.push(format!("section {name} is writable and executable"));
        }
    }
    for (directory, what) in [
        (IMAGE_DIRECTORY_ENTRY_IMPORT, "import directory"),
        (IMAGE_DIRECTORY_ENTRY_IAT, "import address table"),
    ] {
        let address = image.directory(directory).map_or(0, |entry| entry.virtual_address.get(LE));
        match image.section_at(address) {
            Some(section) if section.characteristics.get(LE) & IMAGE_SCN_MEM_EXECUTE != 0 => {
                faults.push(format!(
                    "its {what} is in the executable section {}",
                    section_name(section)
                ));
            }
            Some(_) => {}
            None => faults.push(format!("its {what} is in no section")),
        }
    }
    Ok(faults)
}

/// Checks that nothing that a callback at DISPATCH_LEVEL may touch is pageable.
pub(crate) fn check_paging(image: &Image<'_>) -> Result<Vec<String>> {
    let mut faults = Vec::new();
    for section in image.sections() {
        let name = section_name(section);
        let flags = section.characteristics.get(LE);
        let may_go =
            name.starts_with("PAGE") || name == "INIT" || flags & IMAGE_SCN_MEM_DISCARDABLE != 0;
        if flags != 0 && flags & IMAGE_SCN_MEM_NOT_PAGED == 0 && !may_go {
            faults.push(format!("section {name} is pageable"));
        }
        if flags & IMAGE_SCN_MEM_DISCARDABLE != 0 && !matches!(&*name, ".rsrc" | ".reloc" | "INIT")
        {
            faults.push(format!("section {name} is discarded after DriverEntry"));
        }
    }
    Ok(faults)
}
