//! The headers, as the kernel's loader requires them before it maps an image.

use anyhow::Result;
use object::LittleEndian as LE;
use object::pe::{
    IMAGE_DIRECTORY_ENTRY_BASERELOC, IMAGE_DIRECTORY_ENTRY_LOAD_CONFIG, IMAGE_DIRECTORY_ENTRY_TLS,
    IMAGE_DLLCHARACTERISTICS_DYNAMIC_BASE, IMAGE_DLLCHARACTERISTICS_FORCE_INTEGRITY,
    IMAGE_DLLCHARACTERISTICS_GUARD_CF, IMAGE_DLLCHARACTERISTICS_HIGH_ENTROPY_VA,
    IMAGE_DLLCHARACTERISTICS_NX_COMPAT, IMAGE_FILE_DLL, IMAGE_FILE_EXECUTABLE_IMAGE,
    IMAGE_FILE_RELOCS_STRIPPED, IMAGE_SUBSYSTEM_NATIVE,
};

use super::file::Image;

/// A page, to which HVCI requires sections to be aligned (Driver Verifier's 0x2004).
const PAGE_BYTES: u32 = 0x1000;

/// Checks machine, subsystem, characteristics, alignment and entry point.
pub(crate) fn check(image: &Image<'_>) -> Result<Vec<String>> {
    let mut faults = Vec::new();
    let mut want = |is_so: bool, fault: &str| {
        if !is_so {
            faults.push(fault.to_owned());
        }
    };
    let file = &image.headers().file_header;
    let optional = &image.headers().optional_header;

    let characteristics = file.characteristics.get(LE);
    want(characteristics & IMAGE_FILE_EXECUTABLE_IMAGE != 0, "it is not marked as executable");
    want(characteristics & IMAGE_FILE_DLL == 0, "it is marked as a DLL");

    want(optional.subsystem.get(LE) == IMAGE_SUBSYSTEM_NATIVE, "its subsystem is not native (1)");
    let version =
        (optional.major_operating_system_version.get(LE), optional.major_subsystem_version.get(LE));
    want(version == (10, 10), "its versions of system and subsystem are not 10");
    want(optional.section_alignment.get(LE) >= PAGE_BYTES, "its sections are not aligned to pages");

    let flags = optional.dll_characteristics.get(LE);
    for (flag, switch) in [
        (IMAGE_DLLCHARACTERISTICS_NX_COMPAT, "/NXCOMPAT"),
        (IMAGE_DLLCHARACTERISTICS_DYNAMIC_BASE, "/DYNAMICBASE"),
        (IMAGE_DLLCHARACTERISTICS_HIGH_ENTROPY_VA, "/HIGHENTROPYVA"),
        (IMAGE_DLLCHARACTERISTICS_FORCE_INTEGRITY, "/INTEGRITYCHECK"),
    ] {
        want(flags & flag != 0, &format!("it was not linked with {switch}"));
    }
    let has = |directory: usize| {
        image.directory(directory).is_some_and(|found| found.virtual_address.get(LE) != 0)
    };
    want(
        flags & IMAGE_DLLCHARACTERISTICS_GUARD_CF == 0 || has(IMAGE_DIRECTORY_ENTRY_LOAD_CONFIG),
        "it claims Control Flow Guard and has no load configuration",
    );
    want(
        characteristics & IMAGE_FILE_RELOCS_STRIPPED == 0 && has(IMAGE_DIRECTORY_ENTRY_BASERELOC),
        "it has no relocations",
    );
    want(
        !has(IMAGE_DIRECTORY_ENTRY_TLS),
        "it has thread-local storage, which the kernel doesn't give",
    );

    let entry = image.section_at(optional.address_of_entry_point.get(LE));
    want(
        entry.is_some_and(|section| {
            section.characteristics.get(LE) & object::pe::IMAGE_SCN_MEM_EXECUTE != 0
        }),
        "its entry point is in no executable section",
    );
    Ok(faults)
}

/// Checks the checksum, which the loader verifies for drivers.
pub(crate) fn check_checksum(image: &Image<'_>) -> Result<Vec<String>> {
    let stored = image.headers().optional_header.check_sum.get(LE);
    let computed = checksum(&image.file.bytes);
    Ok(if stored == computed {
        Vec::new()
    } else {
        vec![format!("its checksum is {stored:#x} and should be {computed:#x}")]
    })
}

/// The checksum's offset in a file: after the signature, the COFF header, and 64 bytes of the
/// optional header.
pub(crate) fn checksum_offset(bytes: &[u8]) -> usize {
    let start = bytes.get(0x3c..0x40).and_then(|field| field.try_into().ok());
    u32::from_le_bytes(start.unwrap_or_default()) as usize + 4 + 20 + 64
}

/// The checksum of `ImageHlp`'s CheckSumMappedFile: 16-bit words added with their carries, without
/// the field itself; and the length.
pub(crate) fn checksum(bytes: &[u8]) -> u32 {
    let field = checksum_offset(bytes);
    let mut sum: u32 = 0;
    for (index, word) in bytes.chunks(2).enumerate() {
        let offset = index * 2;
        if (field..field + 4).contains(&offset) {
            continue;
        }
        let word = u16::from_le_bytes([word[0], word.get(1).copied().unwrap_or_default()]);
        sum += u32::from(word);
        sum = (sum & 0xffff) + (sum >> 16);
    }
    (sum & 0xffff) + bytes.len() as u32
}
