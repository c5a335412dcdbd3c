//! An image as a file.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use object::LittleEndian as LE;
use object::pe::{
    IMAGE_FILE_MACHINE_AMD64, IMAGE_FILE_MACHINE_ARM64, ImageDataDirectory, ImageNtHeaders64,
    ImageSectionHeader,
};
use object::read::pe::{Import, PeFile64};

use crate::arch::Arch;

/// The bytes of an image.
pub(crate) struct ImageFile {
    pub(crate) path: PathBuf,
    pub(crate) bytes: Vec<u8>,
}

impl ImageFile {
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let bytes = fs::read(path).with_context(|| path.display().to_string())?;
        Ok(Self { path: path.into(), bytes })
    }

    /// Parses the bytes.
    pub(crate) fn parse(&self) -> Result<Image<'_>> {
        let pe = PeFile64::parse(&*self.bytes)
            .with_context(|| format!("{} is not a 64-bit PE image", self.path.display()))?;
        let machine = pe.nt_headers().file_header.machine.get(LE);
        let arch = match machine {
            IMAGE_FILE_MACHINE_AMD64 => Arch::X64,
            IMAGE_FILE_MACHINE_ARM64 => Arch::Arm64,
            _ => bail!("{} is for an unsupported machine ({machine:#x})", self.path.display()),
        };
        Ok(Image { file: self, arch, pe })
    }
}

/// One function that an image imports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ImportedFunction {
    pub(crate) module: String,
    pub(crate) name: String,
}

/// A parsed image.
pub(crate) struct Image<'a> {
    pub(crate) file: &'a ImageFile,
    pub(crate) arch: Arch,
    pub(crate) pe: PeFile64<'a>,
}

impl<'a> Image<'a> {
    pub(crate) fn headers(&self) -> &'a ImageNtHeaders64 {
        self.pe.nt_headers()
    }

    pub(crate) fn sections(&self) -> impl Iterator<Item = &'a ImageSectionHeader> + use<'a> {
        self.pe.section_table().iter()
    }

    /// The section that contains an address relative to the image.
    pub(crate) fn section_at(&self, address: u32) -> Option<&'a ImageSectionHeader> {
        self.sections().find(|section| {
            let start = section.virtual_address.get(LE);
            (start..start.saturating_add(section.virtual_size.get(LE))).contains(&address)
        })
    }

    /// The file's data from an address to the end of its section.
    pub(crate) fn data_at(&self, address: u32) -> Result<&'a [u8]> {
        self.pe
            .section_table()
            .pe_data_at(self.pe.data(), address)
            .with_context(|| format!("nothing is at {address:#x}"))
    }

    /// A data directory, if the image has it.
    pub(crate) fn directory(&self, index: usize) -> Option<&'a ImageDataDirectory> {
        self.pe.data_directories().get(index)
    }

    /// All imports. An import by ordinal has the ordinal as its name.
    pub(crate) fn imports(&self) -> Result<Vec<ImportedFunction>> {
        let mut functions = Vec::new();
        let Some(table) = self.pe.import_table()? else { return Ok(functions) };
        let mut descriptors = table.descriptors()?;
        while let Some(descriptor) = descriptors.next()? {
            let module = text(table.name(descriptor.name.get(LE))?);
            let mut thunks = table.thunks(descriptor.original_first_thunk.get(LE))?;
            while let Some(thunk) = thunks.next::<ImageNtHeaders64>()? {
                let name = match table.import::<ImageNtHeaders64>(thunk)? {
                    Import::Name(_, name) => text(name),
                    Import::Ordinal(number) => format!("#{number}"),
                };
                functions.push(ImportedFunction { module: module.clone(), name });
            }
        }
        Ok(functions)
    }
}

/// The name of a section.
pub(crate) fn section_name(section: &ImageSectionHeader) -> String {
    text(section.raw_name())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
