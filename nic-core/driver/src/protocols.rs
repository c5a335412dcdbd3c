//! The protocols that an adapter can speak: one line for each.

/// What adapters speak.
pub(crate) use nic_wireguard::WireGuard as AdapterProtocol;

use crate::system::Nt;

/// An adapter's engine.
pub(crate) type Device = nic_engine::Device<AdapterProtocol, Nt>;
/// A batch to be sealed.
pub(crate) type TxBatch = nic_engine::device::TxBatch<AdapterProtocol, Nt>;
/// A batch to be opened.
pub(crate) type RxBatch = nic_engine::device::RxBatch<AdapterProtocol>;
/// A key that opens.
pub(crate) type OpenContext = <AdapterProtocol as nic_engine::Protocol>::OpenContext;
