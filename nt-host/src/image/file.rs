//! The file of an image: its headers, checked.

use core::ops::Range;

use nt_sys::mm::PAGE_SIZE;
use object::LittleEndian as LE;
use object::pe::{
    IMAGE_DIRECTORY_ENTRY_BASERELOC, IMAGE_DIRECTORY_ENTRY_COM_DESCRIPTOR,
    IMAGE_DIRECTORY_ENTRY_DELAY_IMPORT, IMAGE_DIRECTORY_ENTRY_EXCEPTION,
    IMAGE_DIRECTORY_ENTRY_IMPORT, IMAGE_DIRECTORY_ENTRY_TLS, IMAGE_FILE_MACHINE_AMD64,
    IMAGE_FILE_RELOCS_STRIPPED, IMAGE_SCN_MEM_EXECUTE, IMAGE_SCN_MEM_READ, IMAGE_SCN_MEM_WRITE,
    IMAGE_SUBSYSTEM_NATIVE, ImageSectionHeader,
};
use object::read::pe::PeFile64;

use super::error::Malformed;
use super::mapping::Access;

/// The largest accepted image.
const MAX_BYTES: usize = 256 << 20;

/// The checked headers of an image, with its sections.
pub(super) struct ImageFile<'a> {
    pub(super) base: u64,
    pub(super) timestamp: u32,
    pub(super) entry: u32,
    size_bytes: usize,
    headers: &'a [u8],
    sections: Vec<Section<'a>>,
    relocations: Range<usize>,
    imports: Option<u32>,
    functions: Range<usize>,
}

struct Section<'a> {
    /// Its pages in the image.
    range: Range<usize>,
    bytes: &'a [u8],
    access: Access,
}

impl<'a> ImageFile<'a> {
    /// Checks the headers of an image.
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let file = PeFile64::parse(bytes)?;
        let headers = file.nt_headers();
        let machine = headers.file_header.machine.get(LE);
        if machine != IMAGE_FILE_MACHINE_AMD64 {
            return Err(Malformed::Machine(machine));
        }
        if headers.file_header.characteristics.get(LE) & IMAGE_FILE_RELOCS_STRIPPED != 0 {
            return Err(Malformed::RelocationsStripped);
        }
        let header = &headers.optional_header;
        let subsystem = header.subsystem.get(LE);
        if subsystem != IMAGE_SUBSYSTEM_NATIVE {
            return Err(Malformed::Subsystem(subsystem));
        }
        let size_bytes = header.size_of_image.get(LE) as usize;
        if size_bytes == 0 || size_bytes > MAX_BYTES || !size_bytes.is_multiple_of(PAGE_SIZE) {
            return Err(Malformed::format("the size of the image is none that it can have"));
        }
        let header_bytes = header.size_of_headers.get(LE) as usize;
        let header_end = header_bytes.next_multiple_of(PAGE_SIZE);
        let sections = sections(bytes, file.section_table().iter(), header_end, size_bytes)?;
        let entry = header.address_of_entry_point.get(LE);
        let is_code = |section: &Section<'_>| {
            section.access == Access::Execute && section.range.contains(&(entry as usize))
        };
        if !sections.iter().any(is_code) {
            return Err(Malformed::Entry(entry));
        }
        let directory = |index| -> Result<Range<usize>, Malformed> {
            let Some(directory) = file.data_directory(index) else { return Ok(0..0) };
            let (start, length) = directory.address_range();
            let range = start as usize..start as usize + length as usize;
            if range.end > size_bytes {
                return Err(Malformed::format("a data directory reaches beyond the image"));
            }
            Ok(range)
        };
        for index in [
            IMAGE_DIRECTORY_ENTRY_TLS,
            IMAGE_DIRECTORY_ENTRY_DELAY_IMPORT,
            IMAGE_DIRECTORY_ENTRY_COM_DESCRIPTOR,
        ] {
            if !directory(index)?.is_empty() {
                return Err(Malformed::Directory(index));
            }
        }
        let imports = directory(IMAGE_DIRECTORY_ENTRY_IMPORT)?;
        Ok(Self {
            base: header.image_base.get(LE),
            timestamp: headers.file_header.time_date_stamp.get(LE),
            entry,
            size_bytes,
            headers: bytes
                .get(..header_bytes)
                .ok_or(Malformed::format("the headers reach beyond the file"))?,
            sections,
            relocations: directory(IMAGE_DIRECTORY_ENTRY_BASERELOC)?,
            imports: (!imports.is_empty()).then_some(imports.start as u32),
            functions: directory(IMAGE_DIRECTORY_ENTRY_EXCEPTION)?,
        })
    }

    /// The size of the image in memory, in bytes.
    pub(super) fn size_bytes(&self) -> usize {
        self.size_bytes
    }

    /// The base relocations: their range in the image.
    pub(super) fn relocations(&self) -> Range<usize> {
        self.relocations.clone()
    }

    /// The offset of the import descriptors in the image.
    pub(super) fn imports(&self) -> Option<u32> {
        self.imports
    }

    /// The function table (`.pdata`): its range in the image.
    pub(super) fn functions(&self) -> Range<usize> {
        self.functions.clone()
    }

    /// Copies the headers and the sections to their offsets in a zeroed image.
    pub(super) fn lay_out(&self, image: &mut [u8]) {
        let headers = [(0, self.headers)];
        let sections = self.sections.iter().map(|section| (section.range.start, section.bytes));
        for (start, bytes) in headers.into_iter().chain(sections) {
            if let Some(place) = image.get_mut(start..start + bytes.len()) {
                place.copy_from_slice(bytes);
            }
        }
    }

    /// The access of each part of the image. The gaps between them are inaccessible.
    pub(super) fn accesses(&self) -> impl Iterator<Item = (Range<usize>, Access)> {
        let headers = (0..self.headers.len().next_multiple_of(PAGE_SIZE), Access::Read);
        let sections = self.sections.iter().map(|section| (section.range.clone(), section.access));
        core::iter::once(headers).chain(sections)
    }
}

/// Reads the sections, which must be in order, disjoint and within the image.
fn sections<'a>(
    bytes: &'a [u8],
    headers: impl Iterator<Item = &'a ImageSectionHeader>,
    header_end: usize,
    size_bytes: usize,
) -> Result<Vec<Section<'a>>, Malformed> {
    let mut sections = Vec::new();
    let mut end = header_end;
    for header in headers {
        let name = || String::from_utf8_lossy(header.raw_name()).into_owned();
        let start = header.virtual_address.get(LE) as usize;
        let raw_bytes = header.size_of_raw_data.get(LE) as usize;
        // A virtual size of 0 stands for the size of the data.
        let virtual_bytes = match header.virtual_size.get(LE) as usize {
            0 => raw_bytes,
            some => some,
        };
        let range = start..(start + virtual_bytes).next_multiple_of(PAGE_SIZE);
        if start < end || !start.is_multiple_of(PAGE_SIZE) || range.end > size_bytes {
            return Err(Malformed::Sections(name()));
        }
        end = range.end;
        let raw_start = header.pointer_to_raw_data.get(LE) as usize;
        let raw = bytes.get(raw_start..raw_start + raw_bytes).filter(|_| raw_start != 0);
        // The data is padded to the file alignment.
        let bytes = match raw {
            Some(raw) => raw.get(..virtual_bytes).unwrap_or(raw),
            None if raw_bytes == 0 => &[],
            None => return Err(Malformed::Truncated(name())),
        };
        let access = access(header).ok_or_else(|| Malformed::WritableAndExecutable(name()))?;
        sections.push(Section { range, bytes, access });
    }
    Ok(sections)
}

fn access(header: &ImageSectionHeader) -> Option<Access> {
    let characteristics = header.characteristics.get(LE);
    let has = |flag| characteristics & flag != 0;
    match (has(IMAGE_SCN_MEM_WRITE), has(IMAGE_SCN_MEM_EXECUTE)) {
        (true, true) => None,
        (true, false) => Some(Access::Write),
        (false, true) => Some(Access::Execute),
        (false, false) if has(IMAGE_SCN_MEM_READ) => Some(Access::Read),
        (false, false) => Some(Access::None),
    }
}

/// Verifies the checksum of a file (PE Format, "CheckSum": validated at load for all drivers): the
/// sum of its words with carry, plus its length. The checksum field itself counts as 0.
pub(super) fn check_sum(bytes: &[u8]) -> Result<(), Malformed> {
    let file = PeFile64::parse(bytes)?;
    let stated = file.nt_headers().optional_header.check_sum.get(LE);
    // Behind the signature and the file header, at offset 64 of the optional header.
    let place = file.dos_header().nt_headers_offset() as usize + 4 + 20 + 64;
    let mut sum: u32 = 0;
    for (index, word) in bytes.chunks(2).enumerate() {
        if (place..place + 4).contains(&(index * 2)) {
            continue;
        }
        let word = [word.first().copied().unwrap_or(0), word.get(1).copied().unwrap_or(0)];
        sum += u32::from(u16::from_le_bytes(word));
        sum = (sum & 0xffff) + (sum >> 16);
    }
    let actual = sum.wrapping_add(bytes.len() as u32);
    if actual == stated { Ok(()) } else { Err(Malformed::CheckSum { stated, actual }) }
}
