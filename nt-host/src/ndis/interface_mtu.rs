//! The MTU of the stack above an adapter.

use std::sync::atomic::{AtomicU32, Ordering};

/// A version of IP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IpVersion {
    V4,
    V6,
}

/// The MTU of the stack above an adapter, in bytes, for each version of IP.
pub(super) struct InterfaceMtu {
    v4: AtomicU32,
    v6: AtomicU32,
}

impl InterfaceMtu {
    /// The same MTU for both versions.
    pub(super) fn new(bytes: u32) -> Self {
        Self { v4: AtomicU32::new(bytes), v6: AtomicU32::new(bytes) }
    }

    /// The larger of both, which bounds the length of packets.
    pub(super) fn longest(&self) -> u32 {
        self.of(IpVersion::V4).max(self.of(IpVersion::V6))
    }

    pub(super) fn set_both(&self, bytes: u32) {
        self.set(IpVersion::V4, bytes);
        self.set(IpVersion::V6, bytes);
    }

    pub(super) fn of(&self, version: IpVersion) -> u32 {
        self.cell(version).load(Ordering::Relaxed)
    }

    pub(super) fn set(&self, version: IpVersion, bytes: u32) {
        self.cell(version).store(bytes, Ordering::Relaxed);
    }

    fn cell(&self, version: IpVersion) -> &AtomicU32 {
        match version {
            IpVersion::V4 => &self.v4,
            IpVersion::V6 => &self.v6,
        }
    }
}
