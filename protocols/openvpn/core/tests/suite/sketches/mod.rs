//! Protocols that the engine's traits can express, and that are not built yet.

mod over_tcp;
