//! The images of this process by their addresses, and names for addresses in them.

use core::fmt;
use core::ops::Range;
use core::sync::atomic::{AtomicBool, Ordering};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::file::ImageFile;
use super::mapping::{Access, Mapping};
use super::symbols::Symbols;

/// The number of unloaded images whose addresses are kept. A late call can come after any number of
/// unloads; this many cost nothing.
const KEPT: usize = 8;

/// An image that is loaded, or was unloaded.
#[derive(Debug)]
pub(crate) struct Module {
    path: PathBuf,
    name: String,
    range: Range<usize>,
    entry: usize,
    timestamp: u32,
    functions: Range<usize>,
    code: Vec<Range<usize>>,
    unloaded: AtomicBool,
}

static MODULES: Mutex<Vec<(Arc<Module>, Mapping)>> = Mutex::new(Vec::new());

/// The image that contains an address. Gives up if another thread holds the list for long, because
/// a signal handler must not wait.
pub(crate) fn find(address: usize) -> Option<Arc<Module>> {
    let modules = (0..1_000_000).find_map(|_| MODULES.try_lock().ok())?;
    let (module, _) = modules.iter().find(|(module, _)| module.range.contains(&address))?;
    Some(Arc::clone(module))
}

pub(super) fn add(module: &Arc<Module>, mapping: Mapping) {
    lock().push((Arc::clone(module), mapping));
}

/// Releases the memory of an image, and the addresses of images that were unloaded long before.
pub(super) fn retire(module: &Arc<Module>) {
    let mut modules = lock();
    module.unloaded.store(true, Ordering::Release);
    if let Some(place) = modules.iter().position(|(known, _)| Arc::ptr_eq(known, module)) {
        let (module, mapping) = modules.remove(place);
        mapping.retire();
        modules.push((module, mapping));
    }
    while modules.iter().filter(|(module, _)| module.is_unloaded()).count() > KEPT {
        let oldest = modules.iter().position(|(module, _)| module.is_unloaded());
        drop(oldest.map(|oldest| modules.remove(oldest)));
    }
}

fn lock() -> MutexGuard<'static, Vec<(Arc<Module>, Mapping)>> {
    MODULES.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Module {
    pub(super) fn new(path: &Path, file: &ImageFile<'_>, range: Range<usize>) -> Self {
        let name = path.file_name().unwrap_or(path.as_os_str());
        let code = file
            .accesses()
            .filter(|(_, access)| *access == Access::Execute)
            .map(|(part, _)| range.start + part.start..range.start + part.end)
            .collect();
        Self {
            path: path.to_owned(),
            name: name.to_string_lossy().into_owned(),
            entry: range.start + file.entry as usize,
            range,
            timestamp: file.timestamp,
            functions: file.functions(),
            code,
            unloaded: AtomicBool::new(false),
        }
    }

    /// Its address range.
    pub(crate) fn range(&self) -> Range<usize> {
        self.range.clone()
    }

    /// Whether it was unloaded.
    pub(crate) fn is_unloaded(&self) -> bool {
        self.unloaded.load(Ordering::Acquire)
    }

    pub(super) fn entry(&self) -> usize {
        self.entry
    }

    /// The executable part that contains an address, while the image is loaded.
    pub(super) fn code(&self, address: usize) -> Option<Range<usize>> {
        let part = self.code.iter().find(|part| part.contains(&address))?;
        (!self.is_unloaded()).then(|| part.clone())
    }

    /// The range of its function table, as offsets.
    pub(super) fn functions(&self) -> Range<usize> {
        self.functions.clone()
    }

    /// The offset of an address, for display.
    pub(crate) fn locate(&self, address: usize) -> ImageOffset<'_> {
        ImageOffset { module: self, offset: address.wrapping_sub(self.range.start) }
    }

    /// The name of the function at an address.
    pub(super) fn function_name(&self, symbols: &Symbols, address: usize) -> Option<String> {
        symbols.name(address.checked_sub(self.range.start)?)
    }

    /// Its symbols, if the linker's map of this build lies beside it.
    pub(super) fn symbols(&self) -> Option<Symbols> {
        let map = std::fs::read_to_string(self.path.with_extension("map")).ok()?;
        Symbols::parse(&map, self.timestamp)
    }
}

/// An offset in an image, displayed as `tunic.sys+0x1234`.
pub(crate) struct ImageOffset<'a> {
    module: &'a Module,
    offset: usize,
}

impl fmt::Display for ImageOffset<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{:#x}", self.module.name, self.offset)
    }
}
