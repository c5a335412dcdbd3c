//! The memory of an image.

use core::ops::Range;
use core::ptr;
use core::slice;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// The access to a part of an image. No part is both writable and executable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    None,
    Read,
    Write,
    Execute,
}

impl Access {
    fn flags(self) -> i32 {
        match self {
            Self::None => libc::PROT_NONE,
            Self::Read => libc::PROT_READ,
            Self::Write => libc::PROT_READ | libc::PROT_WRITE,
            Self::Execute => libc::PROT_READ | libc::PROT_EXEC,
        }
    }
}

/// Memory for one image, at an address that Linux chooses. Unmapped when dropped.
#[derive(Debug)]
pub(super) struct Mapping {
    range: Range<usize>,
    /// Whether parts have been protected, so that the whole is no longer accessible.
    protected: bool,
}

impl Mapping {
    /// Maps this many zeroed bytes, which are writable.
    pub(super) fn new(bytes: usize) -> io::Result<Self> {
        // SAFETY: an anonymous mapping at an address of the kernel's choice touches nothing that
        // exists.
        let address = unsafe {
            libc::mmap(
                ptr::null_mut(),
                bytes,
                Access::Write.flags(),
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        if address == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = address.expose_provenance();
        Ok(Self { range: start..start + bytes, protected: false })
    }

    /// Maps the content of a file. Large blocks on the heap would fragment it.
    pub(super) fn of_file(path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let length = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
        // An empty mapping is not possible.
        let mut content = Self::new(length.max(1))?;
        file.read_exact(content.bytes().get_mut(..length).unwrap_or_default())?;
        Ok(content)
    }

    /// Its addresses.
    pub(super) fn range(&self) -> Range<usize> {
        self.range.clone()
    }

    /// Its content. Empty once a part has been protected.
    pub(super) fn bytes(&mut self) -> &mut [u8] {
        if self.protected {
            return &mut [];
        }
        let start = ptr::with_exposed_provenance_mut(self.range.start);
        // SAFETY: the whole mapping is readable and writable until a part is protected, and no
        // other code uses it before that.
        unsafe { slice::from_raw_parts_mut(start, self.range.len()) }
    }

    /// Sets the access to a part, which begins and ends at a page. Parts without a set access
    /// become inaccessible.
    pub(super) fn protect(&mut self, part: Range<usize>, access: Access) -> io::Result<()> {
        if !self.protected {
            self.protected = true;
            self.set(self.range(), Access::None)?;
        }
        let part = self.range.start + part.start..self.range.start + part.end;
        if part.end > self.range.end {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        self.set(part, access)
    }

    /// Releases the memory and keeps the addresses, without access.
    pub(super) fn retire(&self) {
        let start = ptr::with_exposed_provenance_mut(self.range.start);
        // SAFETY: replaces this mapping's own pages, which are no longer in use.
        unsafe {
            libc::mmap(
                start,
                self.range.len(),
                libc::PROT_NONE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED | libc::MAP_NORESERVE,
                -1,
                0,
            )
        };
    }

    fn set(&self, part: Range<usize>, access: Access) -> io::Result<()> {
        let start = ptr::with_exposed_provenance_mut(part.start);
        // SAFETY: the part is our own.
        match unsafe { libc::mprotect(start, part.len(), access.flags()) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        let start = ptr::with_exposed_provenance_mut(self.range.start);
        // SAFETY: the range is this mapping's own, and no longer in use.
        unsafe { libc::munmap(start, self.range.len()) };
    }
}
