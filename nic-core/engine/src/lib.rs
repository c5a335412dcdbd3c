//! The crypto-NIC: peers, routes, batches, queues and the Protocol trait.
