//! The shape of a function that nt-host gives to a driver.

/// Defines functions under the names and with the ABI that a linked driver calls.
///
/// One macro, so that a loaded driver's ABI can be added in one place.
#[macro_export]
macro_rules! export {
    ($( $(#[$meta:meta])* pub unsafe fn $name:ident( $($arg:ident: $ty:ty),* $(,)? ) $(-> $ret:ty)? $body:block )*) => {
        $(
            $(#[$meta])*
            #[unsafe(no_mangle)]
            pub unsafe extern "system" fn $name($($arg: $ty),*) $(-> $ret)? {
                let _host = $crate::stack::leave_driver_code();
                $body
            }
        )*
    };
}
