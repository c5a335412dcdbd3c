//! Mm: memory.

pub mod mdl;
