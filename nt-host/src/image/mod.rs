//! Images: drivers in the file format that Windows loads.
//!
//! `Image::load` does what the kernel's loader does with a `.sys` file (Microsoft's "PE Format"):
//! it maps the sections, relocates them, resolves the imports to the functions that a linked driver
//! calls, and protects each section as the file says. A file with an error is refused before any of
//! its code runs.
//!
//! An unloaded image keeps its addresses for a while, without access, so that a late call is
//! recognized.

pub(crate) mod control_region;
mod error;
mod exports;
mod file;
mod imports;
mod mapping;
mod module;
mod relocations;
mod runtime;
mod symbols;
pub(crate) mod trap;
mod unwind;

use core::mem;
use std::path::Path;
use std::sync::Arc;

use nt_sys::io::DRIVER_INITIALIZE;

pub use self::error::{LoadError, Malformed};
use self::file::ImageFile;
use self::mapping::Mapping;
use self::module::Module;
pub(crate) use self::module::find;
use crate::violation::{self, FramePrinter};

/// A mapped image. It stays mapped when this is dropped without [`Image::retire`].
#[derive(Debug)]
pub(crate) struct Image {
    module: Arc<Module>,
}

impl Image {
    /// Maps the image in a file and resolves its imports. None of its code runs.
    pub(crate) fn load(path: &Path) -> Result<Self, LoadError> {
        let mut content = Mapping::of_file(path).map_err(LoadError::Unreadable)?;
        let bytes = &*content.bytes();
        file::check_sum(bytes)?;
        let file = ImageFile::parse(bytes)?;
        let mapping = map(&file)?;
        let module = Arc::new(Module::new(path, &file, mapping.range()));
        module::add(&module, mapping);
        violation::set_frame_printer(FramePrinter {
            callers: unwind::print_callers,
            faulting: unwind::print_frames,
        });
        Ok(Self { module })
    }

    /// The image's module.
    pub(crate) fn module(&self) -> &Module {
        &self.module
    }

    /// The image's entry point.
    pub(crate) fn entry(&self) -> DRIVER_INITIALIZE {
        // SAFETY: it lies in executable memory of the image, and a driver's entry point has this
        // signature.
        unsafe { mem::transmute::<usize, DRIVER_INITIALIZE>(self.module.entry()) }
    }

    /// Writes its functions to the map file of `perf`, if the linker's map lies beside the image.
    pub(crate) fn write_perf_map(&self) {
        if let Some(symbols) = self.module.symbols()
            && let Err(error) = symbols.write_for_perf(&self.module)
        {
            eprintln!("nt-host: no map for perf: {error}");
        }
    }

    /// Unmaps the image. An access to its addresses faults from now on.
    pub(crate) fn retire(self) {
        module::retire(&self.module);
    }
}

/// Maps the file's content as it is to run.
fn map(file: &ImageFile<'_>) -> Result<Mapping, LoadError> {
    let mut mapping = Mapping::new(file.size_bytes()).map_err(LoadError::Unmappable)?;
    let base = mapping.range().start as u64;
    let place = mapping.bytes();
    file.lay_out(place);
    relocations::apply(place, file, base)?;
    imports::bind(place, file)?;
    for (range, access) in file.accesses() {
        mapping.protect(range, access).map_err(LoadError::Unmappable)?;
    }
    Ok(mapping)
}

#[cfg(test)]
mod tests;
