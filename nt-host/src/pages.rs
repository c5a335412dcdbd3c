//! Pages of memory that Linux gives the host: not on the heap, in which blocks as large leave
//! holes.

use core::ptr;

/// Zeroed pages at an address of Linux's choice. They go when this is dropped.
#[derive(Debug)]
pub(crate) struct Pages {
    address: usize,
    bytes: usize,
}

impl Pages {
    /// So many bytes, not 0. `None` when memory ran out.
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

    /// Where they begin.
    pub(crate) fn address(&self) -> usize {
        self.address
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: mapped by `new`, and nothing uses them any more.
        unsafe { libc::munmap(ptr::with_exposed_provenance_mut(self.address), self.bytes) };
    }
}
