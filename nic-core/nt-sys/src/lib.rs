//! Raw declarations of the NT, NDIS 6 and WSK items that Tunic uses.
//!
//! One file for each of Microsoft's headers. Every struct has its size and offsets asserted for 64-bit targets.
#![no_std]
#![allow(non_camel_case_types, non_snake_case, non_upper_case_globals)]

mod import;
