//! Packets that a miniport indicates, as its edge sees them.

use std::cell::RefCell;

use nt_sys::ndis::{
    NDIS_TCP_IP_CHECKSUM_NET_BUFFER_LIST_INFO, NET_BUFFER, NET_BUFFER_LIST,
    TcpIpChecksumNetBufferListInfo, TcpRecvSegCoalesceInfo,
};

use super::net_buffer::Pieces;

const FUNCTION: &str = "NdisMIndicateReceiveNetBufferLists";

/// What one call indicated.
pub struct ReceivedBatch<'a> {
    pub(super) first: &'a NET_BUFFER_LIST,
    pub(super) lists: usize,
}

/// A packet that was indicated.
#[derive(Clone, Copy, Debug)]
pub struct ReceivedPacket<'a> {
    /// The packet.
    pub data: &'a [u8],
    /// What the miniport says of its checksums.
    pub checksum: NDIS_TCP_IP_CHECKSUM_NET_BUFFER_LIST_INFO,
    /// How many TCP segments it was made of; 0 when it was not made of several.
    pub coalesced_segments: u16,
}

impl ReceivedBatch<'_> {
    /// How many NET_BUFFER_LISTs were indicated.
    #[must_use]
    pub fn lists(&self) -> usize {
        self.lists
    }

    /// Calls `f` for each packet, in order. Data in more than one MDL is gathered.
    pub fn for_each(&self, mut f: impl FnMut(ReceivedPacket<'_>)) {
        let mut next = Some(self.first);
        while let Some(nbl) = next {
            let info =
                |slot: usize| nbl.NetBufferListInfo.get(slot).map_or(0, |value| value.addr());
            let checksum = NDIS_TCP_IP_CHECKSUM_NET_BUFFER_LIST_INFO {
                Value: info(TcpIpChecksumNetBufferListInfo),
            };
            let coalesced_segments = (info(TcpRecvSegCoalesceInfo) & 0xffff) as u16;
            let mut net_buffer = nbl.FirstNetBuffer.cast_const();
            // SAFETY: the stack has the list; it was checked when it was indicated.
            while let Some(current) = unsafe { net_buffer.as_ref() } {
                with_contiguous(current, |data| {
                    f(ReceivedPacket { data, checksum, coalesced_segments });
                });
                net_buffer = current.Next;
            }
            // SAFETY: the stack has the chain.
            next = unsafe { nbl.Next.as_ref() };
        }
    }
}

thread_local! {
    static GATHERED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Calls `f` with the data of a packet.
fn with_contiguous(net_buffer: &NET_BUFFER, f: impl FnOnce(&[u8])) {
    // SAFETY: the stack has the packet while it looks at it.
    let mut pieces = unsafe { Pieces::of(FUNCTION, net_buffer) };
    let Some((start, bytes)) = pieces.next() else {
        return f(&[]);
    };
    if bytes == net_buffer.DataLength as usize {
        // SAFETY: the MDL's memory, which the stack has.
        return f(unsafe { std::slice::from_raw_parts(start, bytes) });
    }
    let mut gathered = GATHERED.take();
    gathered.clear();
    for (start, bytes) in std::iter::once((start, bytes)).chain(pieces) {
        // SAFETY: the MDL's memory, which the stack has.
        gathered.extend_from_slice(unsafe { std::slice::from_raw_parts(start, bytes) });
    }
    f(&gathered);
    GATHERED.set(gathered);
}
