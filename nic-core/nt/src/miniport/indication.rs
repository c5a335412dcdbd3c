//! Status indications: NdisMIndicateStatusEx.

use core::mem::MaybeUninit;

use nt_sys::ndis::{
    NDIS_DEFAULT_PORT_NUMBER, NDIS_OBJECT_HEADER, NDIS_OBJECT_TYPE_STATUS_INDICATION,
    NDIS_SIZEOF_STATUS_INDICATION_REVISION_1, NDIS_STATUS, NDIS_STATUS_INDICATION,
    NDIS_STATUS_INDICATION_REVISION_1, NDIS_STATUS_LINK_STATE,
    NDIS_STATUS_TASK_OFFLOAD_CURRENT_CONFIG, NdisMIndicateStatusEx,
};
use nt_sys::ntdef::ULONG;

use super::{AdapterHandle, attributes};
use crate::checksums::ReceiveChecksums;

impl AdapterHandle {
    /// Indicates that the link is up or down.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    pub fn indicate_link(&self, is_connected: bool, bits_per_second: u64) {
        let mut state = attributes::link_state(is_connected, bits_per_second);
        self.indicate(NDIS_STATUS_LINK_STATE, &mut state);
    }

    /// Indicates the receive checksum offloads that are enabled from now on.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    pub fn indicate_receive_checksums(&self, checksums: ReceiveChecksums) {
        let mut place = MaybeUninit::uninit();
        let offload = attributes::offload(&mut place, self.ndis_version, checksums);
        self.indicate(NDIS_STATUS_TASK_OFFLOAD_CURRENT_CONFIG, offload);
    }

    fn indicate<T>(&self, code: NDIS_STATUS, content: &mut T) {
        // SAFETY: a NDIS_STATUS_INDICATION consists of integers and pointers, for which zeros are
        // valid values.
        let zeroed: NDIS_STATUS_INDICATION = unsafe { core::mem::zeroed() };
        let indication = NDIS_STATUS_INDICATION {
            Header: NDIS_OBJECT_HEADER {
                Type: NDIS_OBJECT_TYPE_STATUS_INDICATION,
                Revision: NDIS_STATUS_INDICATION_REVISION_1,
                Size: NDIS_SIZEOF_STATUS_INDICATION_REVISION_1,
            },
            SourceHandle: self.handle,
            PortNumber: NDIS_DEFAULT_PORT_NUMBER,
            StatusCode: code,
            StatusBuffer: (&raw mut *content).cast(),
            StatusBufferSize: size_of::<T>() as ULONG,
            ..zeroed
        };
        // SAFETY: the handle is the adapter's; the pointers are to the stack.
        unsafe { NdisMIndicateStatusEx(self.handle, &raw const indication) };
    }
}
