//! `Se`: tokens, security descriptors, and what one grants the other.

pub mod access;
pub(crate) mod descriptor;
pub mod sddl;
pub(crate) mod sid;
pub(crate) mod token;

pub use token::Token;
