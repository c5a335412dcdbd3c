//! The Tunic SDK.
