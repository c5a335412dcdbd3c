//! The shape of an import, the same on Windows and on nt-host.

/// Declares functions that a kernel module exports.
///
/// On Windows they become `raw-dylib` imports of that module, so that no WDK import library is needed. Elsewhere they
/// are plain symbols, which `nt-host` defines.
#[macro_export]
macro_rules! import {
    ($module:literal; $( $(#[$meta:meta])* pub fn $name:ident( $($arg:ident: $ty:ty),* $(,)? ) $(-> $ret:ty)?; )*) => {
        #[cfg_attr(windows, link(name = $module, kind = "raw-dylib", modifiers = "+verbatim"))]
        unsafe extern "system" {
            $( $(#[$meta])* pub fn $name($($arg: $ty),*) $(-> $ret)?; )*
        }
    };
}
