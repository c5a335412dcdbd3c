//! Received packets, and chains of them.
//!
//! # Safety conditions
//! 1. The packet or chain owns the NET_BUFFER_LIST, and with it its NET_BUFFER, MDL and
//!    data. No other thread accesses them.
//! 2. MiniportReserved holds what `SizeClass::allocate` stored there. The size class outlives its
//!    packets, which its drop asserts.

use core::mem::ManuallyDrop;
use core::ptr::{self, NonNull};

use nt_sys::ndis::{
    NDIS_NBL_FLAGS_IS_IPV4, NDIS_NBL_FLAGS_IS_IPV6, NET_BUFFER_LIST, NetBufferListFrameType,
    TcpIpChecksumNetBufferListInfo,
};

use super::size_class::SizeClass;
use crate::checksums::ReceiveChecksums;
use crate::interface::IpVersion;
use crate::status::{Result, Status};

/// An owned packet that is to be filled and indicated.
pub struct ReceivePacket {
    list: NonNull<NET_BUFFER_LIST>,
}

impl ReceivePacket {
    /// Makes a packet of a list that [`SizeClass`] prepared and owns.
    pub(super) fn of(list: NonNull<NET_BUFFER_LIST>) -> Self {
        Self { list }
    }

    /// The data buffer. It is initialized, but its content is undefined: it may be that of an
    /// earlier packet.
    pub fn data_mut(&mut self) -> &mut [u8] {
        let Some(class) = self.class() else { return &mut [] };
        // SAFETY: 1.
        let data = unsafe { (*self.list.as_ptr()).MiniportReserved[1] };
        // SAFETY: 1, 2. The pool allocated this many bytes for each of its lists.
        unsafe { core::slice::from_raw_parts_mut(data.cast(), class.data_bytes as usize) }
    }

    /// Sets the length of the IP packet that was filled in, its version, and which of its checksums
    /// are right. Fails if `length` exceeds the buffer.
    pub fn set_content(
        &mut self,
        length: usize,
        version: IpVersion,
        checksums: ReceiveChecksums,
    ) -> Result<()> {
        let length = u32::try_from(length).map_err(|_| Status::INVALID_PARAMETER)?;
        if self.class().is_none_or(|class| length > class.data_bytes) {
            return Err(Status::INVALID_PARAMETER);
        }
        let raw = self.list.as_ptr();
        // Flags and frame type of packets without a link header: ndis/nbl.h.
        let (flag, frame_type) = match version {
            IpVersion::V4 => (NDIS_NBL_FLAGS_IS_IPV4, 0x0800_u16),
            IpVersion::V6 => (NDIS_NBL_FLAGS_IS_IPV6, 0x86dd_u16),
        };
        // SAFETY: 1.
        unsafe { (*raw).NblFlags = flag };
        // SAFETY: 1. Every supported version of NDIS has these slots.
        unsafe {
            (*raw).NetBufferListInfo[NetBufferListFrameType] =
                ptr::without_provenance_mut(usize::from(frame_type.to_be()));
        };
        // SAFETY: 1.
        unsafe {
            (*raw).NetBufferListInfo[TcpIpChecksumNetBufferListInfo] =
                ptr::without_provenance_mut(checksums.info(version));
        };
        // SAFETY: 1.
        let buffer = unsafe { (*raw).FirstNetBuffer };
        // SAFETY: 1.
        unsafe { (*buffer).DataLength = length };
        Ok(())
    }

    fn class(&self) -> Option<&SizeClass> {
        // SAFETY: 1.
        let class = unsafe { (*self.list.as_ptr()).MiniportReserved[0] };
        // SAFETY: 2.
        unsafe { class.cast::<SizeClass>().as_ref() }
    }
}

impl Drop for ReceivePacket {
    fn drop(&mut self) {
        if let Some(class) = self.class() {
            class.give_back(self.list);
        }
    }
}

// SAFETY: 1, on any thread.
unsafe impl Send for ReceivePacket {}
// SAFETY: a shared packet has no methods.
unsafe impl Sync for ReceivePacket {}

/// Filled packets in order, to be indicated together. Dropping the chain drops them.
pub struct ReceiveChain {
    pub(super) first: *mut NET_BUFFER_LIST,
    last: Option<NonNull<NET_BUFFER_LIST>>,
    pub(super) length: usize,
}

impl ReceiveChain {
    /// Makes a chain of packets that NDIS has returned, of which only the links are known.
    pub(super) fn returned(first: *mut NET_BUFFER_LIST) -> Self {
        Self { first, last: None, length: 0 }
    }

    /// No packets.
    pub const fn new() -> Self {
        Self { first: ptr::null_mut(), last: None, length: 0 }
    }

    /// Adds a packet at the end.
    pub fn push_back(&mut self, packet: ReceivePacket) {
        let list = ManuallyDrop::new(packet).list;
        // SAFETY: 1.
        unsafe { (*list.as_ptr()).Next = ptr::null_mut() };
        match self.last.replace(list) {
            // SAFETY: 1.
            Some(last) => unsafe { (*last.as_ptr()).Next = list.as_ptr() },
            None => self.first = list.as_ptr(),
        }
        self.length = self.length.wrapping_add(1);
    }

    /// The number of packets.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether the chain is empty.
    pub fn is_empty(&self) -> bool {
        self.first.is_null()
    }

    /// Removes the first packet, without regard to `last` and `length`.
    pub(super) fn pop_unchecked(&mut self) -> Option<ReceivePacket> {
        let list = NonNull::new(self.first)?;
        // SAFETY: 1.
        self.first = unsafe { (*list.as_ptr()).Next };
        // SAFETY: 1.
        unsafe { (*list.as_ptr()).Next = ptr::null_mut() };
        Some(ReceivePacket { list })
    }
}

impl Default for ReceiveChain {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for ReceiveChain {
    fn drop(&mut self) {
        while let Some(packet) = self.pop_unchecked() {
            drop(packet);
        }
    }
}

// SAFETY: 1, on any thread.
unsafe impl Send for ReceiveChain {}
