//! Layout assertions.

/// Checks types against a table of sizes, alignments, and offsets and sizes of fields. A different
/// layout does not compile.
///
/// ```
/// nt_sys::layouts! {
///     nt_sys::ntdef::LIST_ENTRY, 16, 8, "-" {
///         Flink, 0, 8, "-";
///         Blink, 8, 8, "-";
///     }
/// }
/// ```
///
/// ```compile_fail,E0080
/// nt_sys::layouts! {
///     nt_sys::ntdef::LIST_ENTRY, 16, 8, "-" {
///         Flink, 0, 8, "-";
///         Blink, 16, 8, "-"; // off by 8
///     }
/// }
/// ```
#[macro_export]
macro_rules! layouts {
    ($(
        $(#[$meta:meta])*
        $ty:ty, $size:literal, $align:literal, $ndis:literal {
            $($field:ident, $offset:literal, $bytes:literal, $since:literal;)*
        }
    )*) => {$(
        $(#[$meta])*
        #[cfg(target_pointer_width = "64")]
        const _: () = {
            assert!(
                ::core::mem::size_of::<$ty>() == $size && ::core::mem::align_of::<$ty>() == $align,
                concat!(stringify!($ty), ": size or alignment is not Windows'"),
            );
            $(
                assert!(
                    ::core::mem::offset_of!($ty, $field) == $offset,
                    concat!(stringify!($ty), ".", stringify!($field), ": offset is not Windows'"),
                );
                assert!(
                    $crate::layout::field_bytes(
                        // SAFETY: never called; only the type of the function is used.
                        |this: *const $ty| unsafe { &raw const (*this).$field },
                    ) == $bytes,
                    concat!(stringify!($ty), ".", stringify!($field), ": size is not Windows'"),
                );
            )*
        };
    )*};
}

/// The size of the field that `_field` finds.
#[doc(hidden)]
pub const fn field_bytes<T, F>(_field: fn(*const T) -> *const F) -> usize {
    size_of::<F>()
}
