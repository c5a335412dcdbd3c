//! The NT kernel, NDIS and WSK for Linux.
mod export;
