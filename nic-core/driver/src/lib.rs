//! The Tunic NDIS miniport.
