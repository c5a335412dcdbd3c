//! Packets to be sent.
//!
//! NDIS hands over NET_BUFFER_LISTs, each of one or more NET_BUFFERs; a packet is one NET_BUFFER. A
//! list is completed when its last packet is finished: its MiniportReserved counts them. Completed
//! lists are collected on the adapter's [`TransmitPath`]. [`TransmitPath::flush`] returns them to
//! NDIS by one call. A packet's drop never does, as it may happen under a lock that the completion
//! handler of an overlying driver would need.
//!
//! Contents of the reserved fields, which belong to the miniport that has the packet (ndis/nbl.h):
//!
//! | field | content |
//! |---|---|
//! | `NET_BUFFER_LIST::MiniportReserved[0]` | the number of unfinished packets |
//! | `NET_BUFFER_LIST::MiniportReserved[1]` | the adapter's completed lists |
//! | `NET_BUFFER::MiniportReserved[0]` | the next packet of a queue |
//! | `NET_BUFFER::MiniportReserved[1]` | the packet's NET_BUFFER_LIST |
//! | `NET_BUFFER::MiniportReserved[2]` | the owner's time stamp |
//! | `NET_BUFFER::MiniportReserved[3]` | the head: in place, or a copy of it (bit 0 set) |

mod list;
mod packet;
mod path;
mod queue;

pub use packet::TransmitPacket;
pub use path::TransmitPath;
pub use queue::TransmitQueue;
