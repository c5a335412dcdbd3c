//! Raw declarations of the NT, NDIS 6 and WSK items that Tunic uses.
//!
//! One file for each of Microsoft's headers, or part of one: `wdm.h` and `ntddk.h` are split by the
//! prefix of the functions (Ke, Ex, Io, Mm, Ob, Ps, Rtl). C names and C spelling are kept. The
//! table in `layouts.rs` holds every struct and union to Windows' own layouts (`cargo xtask
//! check-layouts`). Types are those of LLP64 on every target: a `ULONG` has 32 bits on Linux, too.
//!
//! Callbacks and imports of a driver are `extern "efiapi"` on every target. UEFI has Windows's
//! calling conventions (UEFI specification, 2.3.4 and 2.3.6), so this is the x64 convention of
//! Windows on x86-64, on Linux, too, and that of C on ARM64. nt-host thus calls a driver that is
//! linked with it as it calls the image that ships.
#![no_std]
#![expect(
    non_camel_case_types,
    non_snake_case,
    non_upper_case_globals,
    missing_docs,
    reason = "names are those of the C headers, and Microsoft's pages document them"
)]

#[macro_use]
mod import;
#[macro_use]
#[doc(hidden)]
pub mod layout;
mod layouts;

pub mod cng;
#[cfg(windows)]
pub mod crt;
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
pub mod se;
pub mod status;
pub mod wsk;
