//! Packets that a miniport indicates, as an edge receives them.

use std::cell::RefCell;

use nt_sys::ndis::{
    NDIS_TCP_IP_CHECKSUM_NET_BUFFER_LIST_INFO, NET_BUFFER, NET_BUFFER_LIST,
    TcpIpChecksumNetBufferListInfo, TcpRecvSegCoalesceInfo,
};

use super::net_buffer::Pieces;

const FUNCTION: &str = "NdisMIndicateReceiveNetBufferLists";

/// The lists of one indication.
pub struct ReceivedBatch<'a> {
    pub(super) first: &'a NET_BUFFER_LIST,
    pub(super) lists: usize,
}

/// An indicated packet.
#[derive(Clone, Copy, Debug)]
pub struct ReceivedPacket<'a> {
    /// The packet.
    pub data: &'a [u8],
    /// The checksum flags that the miniport has set.
    pub checksum: NDIS_TCP_IP_CHECKSUM_NET_BUFFER_LIST_INFO,
    /// The number of TCP segments that were coalesced into it; 0 if it was not coalesced.
    pub coalesced_segments: u16,
}

impl ReceivedBatch<'_> {
    /// The number of NET_BUFFER_LISTs.
    #[must_use]
    pub fn lists(&self) -> usize {
        self.lists
    }

    /// Calls `f` for each packet, in order. Data in more than one MDL is copied together.
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
            // SAFETY: the stack owns the list, which was checked when it was indicated.
            while let Some(current) = unsafe { net_buffer.as_ref() } {
                with_contiguous(current, |data| {
                    f(ReceivedPacket { data, checksum, coalesced_segments });
                });
                net_buffer = current.Next;
            }
            // SAFETY: the stack owns the chain.
            next = unsafe { nbl.Next.as_ref() };
        }
    }
}

thread_local! {
    static GATHERED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Calls `f` with the data of a packet.
fn with_contiguous(net_buffer: &NET_BUFFER, f: impl FnOnce(&[u8])) {
    // SAFETY: the stack owns the packet during the call.
    let mut pieces = unsafe { Pieces::of(FUNCTION, net_buffer) };
    let Some((start, bytes)) = pieces.next() else {
        return f(&[]);
    };
    if bytes == net_buffer.DataLength as usize {
        // SAFETY: the stack owns the MDL's memory.
        return f(unsafe { std::slice::from_raw_parts(start, bytes) });
    }
    let mut gathered = GATHERED.take();
    gathered.clear();
    for (start, bytes) in std::iter::once((start, bytes)).chain(pieces) {
        // SAFETY: the stack owns the MDL's memory.
        gathered.extend_from_slice(unsafe { std::slice::from_raw_parts(start, bytes) });
    }
    f(&gathered);
    GATHERED.set(gathered);
}
