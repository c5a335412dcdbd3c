//! Packets that the stack wants sent.
//!
//! The stack hands over NET_BUFFER_LISTs, each of one or more NET_BUFFERs; a packet is one
//! NET_BUFFER. A list is completed when the last of its packets is: its MiniportReserved counts
//! them. Completed lists gather on the adapter's [`TransmitPath`] and go back to NDIS, many by one
//! call, with [`TransmitPath::flush`]: never from a packet's drop, which may happen under a lock
//! that the stack's completion handler would need.
//!
//! What the reserved fields hold (ndis/nbl.h gives them to the miniport that has the packet):
//!
//! | field | content |
//! |---|---|
//! | `NET_BUFFER_LIST::MiniportReserved[0]` | packets not done yet |
//! | `NET_BUFFER_LIST::MiniportReserved[1]` | the [`TransmitPath`] |
//! | `NET_BUFFER::MiniportReserved[0]` | next packet of a queue |
//! | `NET_BUFFER::MiniportReserved[1]` | the packet's NET_BUFFER_LIST |
//! | `NET_BUFFER::MiniportReserved[2]` | the owner's time stamp |
//! | `NET_BUFFER::MiniportReserved[3]` | the head: in place, or our copy of it (bit 0 set) |

mod list;
mod packet;
mod path;
mod queue;

pub use packet::TransmitPacket;
pub use path::TransmitPath;
pub use queue::TransmitQueue;
