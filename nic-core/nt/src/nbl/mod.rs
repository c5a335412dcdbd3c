//! NET_BUFFER_LISTs: packets from and to the IP stack.

mod receive;
mod transmit;

pub use receive::{IpVersion, ReceiveChain, ReceivePacket, ReceivePath};
pub use transmit::{TransmitPacket, TransmitPath, TransmitQueue};
