//! The shape of a function that nt-host gives to a driver.

/// What one file gives to drivers: exports of one module of the kernel.
pub(crate) struct Exports {
    pub(crate) module: &'static str,
    pub(crate) exports: &'static [Export],
}

/// A function, or an object, by the name under which an image imports it.
pub(crate) struct Export {
    pub(crate) name: &'static str,
    pub(crate) address: *const (),
}

/// Defines functions of a module of the kernel under the names and with the ABI that drivers call:
/// a linked driver by their symbols, an image by the list of [`Exports`] that this makes, too.
macro_rules! export {
    ($module:literal;
        $( $(#[$meta:meta])* pub unsafe fn $name:ident( $($arg:ident: $ty:ty),* $(,)? ) $(-> $ret:ty)? $body:block )*
    ) => {
        pub(crate) const EXPORTS: $crate::export::Exports = $crate::export::Exports {
            module: $module,
            exports: &[
                $( $crate::export::Export { name: stringify!($name), address: $name as *const () } ),*
            ],
        };
        $(
            $(#[$meta])*
            #[unsafe(no_mangle)]
            pub unsafe extern "efiapi" fn $name($($arg: $ty),*) $(-> $ret)? {
                let _host = $crate::stack::leave_driver_code();
                $body
            }
        )*
    };
}
