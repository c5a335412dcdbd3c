//! Pages of memory from Linux. Large blocks on the heap would fragment it.

use core::ptr;

/// Zeroed pages, which are unmapped when this is dropped.
#[derive(Debug)]
pub(crate) struct Pages {
    address: usize,
    bytes: usize,
}

impl Pages {
    /// Maps this many bytes, which must not be 0. Returns `None` if there is no memory.
    pub(crate) fn new(bytes: usize) -> Option<Self> {
        // SAFETY: an anonymous mapping at an address of the kernel's choice touches nothing that
        // exists.
        let address = unsafe {
            libc::mmap(
                ptr::null_mut(),
                bytes,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        (address != libc::MAP_FAILED).then(|| Self { address: address.expose_provenance(), bytes })
    }

    /// The address of the first byte.
    pub(crate) fn address(&self) -> usize {
        self.address
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: mapped by `new`, and no longer in use.
        unsafe { libc::munmap(ptr::with_exposed_provenance_mut(self.address), self.bytes) };
    }
}
