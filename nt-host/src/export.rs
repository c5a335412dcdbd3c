//! The shape of a function that nt-host gives to a driver.

/// Defines functions under the names and with the ABI that drivers call, linked or loaded.
#[macro_export]
macro_rules! export {
    ($( $(#[$meta:meta])* pub unsafe fn $name:ident( $($arg:ident: $ty:ty),* $(,)? ) $(-> $ret:ty)? $body:block )*) => {
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
