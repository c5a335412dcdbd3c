//! Received packets for the IP stack.
//!
//! A [`ReceivePacket`] is a NET_BUFFER_LIST with one NET_BUFFER, MDL and data, all from one NDIS
//! pool. It is filled, chained and indicated. MiniportReturnNetBufferLists returns it, and it is
//! kept for its next use.
//!
//! | field | content |
//! |---|---|
//! | `NET_BUFFER_LIST::MiniportReserved[0]` | the [`SizeClass`] |
//! | `NET_BUFFER_LIST::MiniportReserved[1]` | the address of the data |

mod packet;
mod size_class;

use core::mem::ManuallyDrop;

use nt_sys::ndis::{
    NDIS_DEFAULT_PORT_NUMBER, NDIS_HANDLE, NDIS_RECEIVE_FLAGS_DISPATCH_LEVEL, NET_BUFFER_LIST,
    NdisMIndicateReceiveNetBufferLists,
};

pub use packet::{ReceiveChain, ReceivePacket};

use crate::irql::Passive;
use crate::processor;
use crate::rundown::Rundown;
use crate::shared::Shared;
use crate::status::{Result, Status};
use size_class::SizeClass;

/// The data sizes of the pools, in bytes: for acknowledgements, full packets, jumbo packets, and
/// all that fits into a datagram.
const SIZES: [u32; 4] = [256, 2048, 9216, 65_536];

/// The receive path of one adapter: packet pools, and indications to NDIS.
pub struct ReceivePath {
    adapter: NDIS_HANDLE,
    classes: [SizeClass; SIZES.len()],
    /// One use for each packet that NDIS has; closed while the adapter is paused.
    indicated: Rundown,
}

impl ReceivePath {
    /// Makes the path of an adapter, which is paused.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    pub(crate) fn new(adapter: NDIS_HANDLE) -> Result<Shared<Self>> {
        let [small, full, jumbo, huge] = SIZES;
        Shared::new(Self {
            adapter,
            classes: [
                SizeClass::new(adapter, small)?,
                SizeClass::new(adapter, full)?,
                SizeClass::new(adapter, jumbo)?,
                SizeClass::new(adapter, huge)?,
            ],
            indicated: Rundown::closed()?,
        })
    }

    /// A packet with room for `bytes` bytes; one that was used before, if there is one.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    pub fn allocate(&self, bytes: usize) -> Result<ReceivePacket> {
        self.classes
            .iter()
            .find(|class| class.data_bytes as usize >= bytes)
            .ok_or(Status::INVALID_PARAMETER)?
            .allocate()
    }

    /// Starts to accept indications.
    pub fn resume(&self) {
        self.indicated.open();
    }

    /// Stops to accept indications.
    pub fn pause(&self) {
        self.indicated.close();
    }

    /// Waits until NDIS has returned all packets of a paused path.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    pub fn drain(&self, _passive: Passive) {
        self.indicated.wait();
    }

    /// Indicates a chain by one call. If the path is paused, it drops the packets and returns
    /// false.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    ///
    /// # Locks
    /// None may be held: overlying drivers send from their receive handlers.
    pub fn indicate(&self, chain: ReceiveChain) -> bool {
        let length = chain.length;
        let Ok(count) = u32::try_from(length) else { return false };
        if count == 0 {
            return true;
        }
        if !self.indicated.enter(length) {
            return false;
        }
        let flags = if processor::is_dispatch() { NDIS_RECEIVE_FLAGS_DISPATCH_LEVEL } else { 0 };
        let first = ManuallyDrop::new(chain).first;
        // SAFETY: the chain consists of filled packets, which NDIS owns until it returns them.
        unsafe {
            NdisMIndicateReceiveNetBufferLists(
                self.adapter,
                first,
                NDIS_DEFAULT_PORT_NUMBER,
                count,
                flags,
            );
        }
        true
    }

    /// Takes back packets that NDIS returns.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    ///
    /// # Safety
    /// NDIS must have passed the chain to MiniportReturnNetBufferLists of this adapter.
    pub(crate) unsafe fn take_back(&self, chain: *mut NET_BUFFER_LIST) {
        let mut length = 0_usize;
        let mut returned = ReceiveChain::returned(chain);
        while let Some(packet) = returned.pop_unchecked() {
            drop(packet);
            length = length.wrapping_add(1);
        }
        self.indicated.leave(length);
    }
}

// SAFETY: NDIS accepts the handles on any thread; all other fields are locks or atomics.
unsafe impl Send for ReceivePath {}
// SAFETY: NDIS accepts the handles on any thread; all other fields are locks or atomics.
unsafe impl Sync for ReceivePath {}
