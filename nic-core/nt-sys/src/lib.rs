//! Raw declarations of the NT, NDIS 6 and WSK items that Tunic uses.
//!
//! One file for each of Microsoft's headers, or part of one: `wdm.h` and `ntddk.h` are split by the prefix of the
//! functions (Ke, Ex, Io, Mm, Ob, Ps, Rtl). C names and C spelling are kept. Every struct has its size and its offsets
//! asserted for 64-bit targets. Types are those of LLP64 on every target: a `ULONG` has 32 bits on Linux, too.
#![no_std]
#![expect(
    non_camel_case_types,
    non_snake_case,
    non_upper_case_globals,
    missing_docs,
    reason = "names are those of the C headers, and what they mean is in Microsoft's pages for them"
)]

#[macro_use]
mod import;
#[macro_use]
mod layout;

pub mod cng;
pub mod ex;
pub mod io;
pub mod ke;
pub mod mm;
pub mod ndis;
pub mod netioapi;
pub mod ntdef;
pub mod ob;
pub mod ps;
pub mod rtl;
pub mod status;
pub mod wsk;
