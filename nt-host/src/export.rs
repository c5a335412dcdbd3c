//! Functions that nt-host exports to drivers.

/// The exports of one source file, all of one kernel module.
pub(crate) struct Exports {
    pub(crate) module: &'static str,
    pub(crate) exports: &'static [Export],
}

/// An exported function or variable, with the name by which an image imports it.
pub(crate) struct Export {
    pub(crate) name: &'static str,
    pub(crate) address: *const (),
}

/// Defines functions of a kernel module with the names and the ABI that drivers use. A linked
/// driver finds them by their symbols; an image finds them in the list of [`Exports`] that this
/// macro also defines.
macro_rules! export {
    ($module:literal;
        $(
            $(#[$meta:meta])*
            pub unsafe fn $name:ident( $($arg:ident: $ty:ty),* $(,)? ) $(-> $ret:ty)? $body:block
        )*
    ) => {
        pub(crate) const EXPORTS: $crate::export::Exports = $crate::export::Exports {
            module: $module,
            exports: &[
                $( $crate::export::Export {
                    name: stringify!($name),
                    address: $name as *const (),
                } ),*
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
