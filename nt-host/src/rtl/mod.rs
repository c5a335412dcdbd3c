//! Rtl and Dbg: run-time library and debug output.

pub mod debug_print;
pub mod string;
pub mod version;
