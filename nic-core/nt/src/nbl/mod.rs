//! NET_BUFFER_LISTs: packets from and to the IP stack.

mod receive;
mod transmit;

pub use crate::interface::IpVersion;
pub use receive::{ReceiveChain, ReceivePacket, ReceivePath};
pub use transmit::{TransmitPacket, TransmitPath, TransmitQueue};
