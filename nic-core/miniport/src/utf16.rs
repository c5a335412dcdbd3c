//! UTF-16 literals.

/// An ASCII literal as UTF-16.
#[macro_export]
macro_rules! utf16 {
    ($text:literal) => {
        const { $crate::utf16::units::<{ $text.len() }>($text) }
    };
}

/// The implementation of [`utf16!`].
pub const fn units<const N: usize>(text: &str) -> [u16; N] {
    let bytes = text.as_bytes();
    let mut units = [0; N];
    let mut index = 0;
    while index < N {
        assert!(bytes[index].is_ascii(), "only ASCII is the same in UTF-16");
        units[index] = bytes[index] as u16;
        index += 1;
    }
    units
}
