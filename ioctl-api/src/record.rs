//! Records: plain C structs whose layout is checked at compile time and known to the header
//! generator.

/// A field of a [`Layout`].
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Its name in Rust.
    pub name: &'static str,
    /// Its type in Rust.
    pub rust_type: &'static str,
    /// Its offset in bytes.
    pub offset_bytes: usize,
    /// Its documentation.
    pub doc: &'static str,
}

/// The layout of a record, for the C header.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// Its name in C.
    pub c_name: &'static str,
    /// Its size in bytes.
    pub size_bytes: usize,
    /// It is aligned to 8 bytes, whatever its fields need.
    pub is_aligned_to_8: bool,
    /// Its fields, by offset.
    pub fields: &'static [Field],
    /// Its documentation.
    pub doc: &'static str,
}

/// Declares a record: a `repr(C)` struct whose size and offsets are checked at compile time. Its
/// alignment is 8 unless it is declared `natural`.
macro_rules! record {
    (
        $( #[doc = $doc:literal] )+
        pub struct $($rest:tt)*
    ) => {
        record! { @declare #[repr(C, align(8))] true; $( #[doc = $doc] )+ pub struct $($rest)* }
    };
    (
        $( #[doc = $doc:literal] )+
        natural
        pub struct $($rest:tt)*
    ) => {
        record! { @declare #[repr(C)] false; $( #[doc = $doc] )+ pub struct $($rest)* }
    };
    (
        @declare #[$repr:meta] $is_aligned:literal; $( #[doc = $doc:literal] )+
        pub struct $name:ident = $c_name:literal, $size:literal {
            $( $( #[doc = $field_doc:literal] )+ $field:ident: $ty:ty = $offset:literal, )*
        }
    ) => {
        $( #[doc = $doc] )+
        #[derive(Clone, Copy)]
        #[$repr]
        pub struct $name {
            $( $( #[doc = $field_doc] )+ pub $field: $ty, )*
        }

        impl $name {
            /// Size in bytes.
            pub const SIZE: usize = $size;
            /// The layout, for the C header.
            pub const LAYOUT: $crate::Layout = $crate::Layout {
                c_name: $c_name,
                size_bytes: $size,
                is_aligned_to_8: $is_aligned,
                doc: concat!($($doc),+),
                fields: &[$( $crate::Field {
                    name: stringify!($field),
                    rust_type: stringify!($ty),
                    offset_bytes: $offset,
                    doc: concat!($($field_doc),+),
                }, )*],
            };
        }

        const _: () = {
            assert!(::core::mem::size_of::<$name>() == $size);
            $( assert!(::core::mem::offset_of!($name, $field) == $offset); )*
        };
    };
}
