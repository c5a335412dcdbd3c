//! Layout assertions.

/// Asserts the size of a struct and the offsets of its fields at compile time.
///
/// `layout!(MDL, 48, { Next: 0, Size: 8 });`
#[macro_export]
macro_rules! layout {
    ($ty:ty, $size:expr, { $($field:ident $(. $more:ident)* : $offset:expr),* $(,)? }) => {
        #[cfg(target_pointer_width = "64")]
        const _: () = {
            assert!(::core::mem::size_of::<$ty>() == $size);
            $( assert!(::core::mem::offset_of!($ty, $field $(. $more)*) == $offset); )*
        };
    };
}
