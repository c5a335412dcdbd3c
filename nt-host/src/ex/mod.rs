//! Ex: the executive: pool, reader/writer spin locks, rundown protection.

pub mod pool;
pub mod push_lock;
pub mod rundown;
pub mod spin_lock;
