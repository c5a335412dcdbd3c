//! The shape of an import, the same on Windows and on nt-host.

/// Declares functions that a kernel module exports.
///
/// On Windows they become `raw-dylib` imports of that module, so that no WDK import library is
/// needed. They are `extern "C"` there, which has the same convention, allows variadic functions,
/// and is supported by `raw-dylib`. Elsewhere they are plain symbols, which `nt-host` defines.
#[macro_export]
macro_rules! import {
    ($module:literal; $($function:tt)*) => {
        #[cfg(windows)]
        #[link(name = $module, kind = "raw-dylib", modifiers = "+verbatim")]
        unsafe extern "C" { $($function)* }
        #[cfg(not(windows))]
        unsafe extern "efiapi" { $($function)* }
    };
}
