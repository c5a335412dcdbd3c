//! Test vectors in hexadecimal, with blanks for readability.

/// The bytes that `text` stands for.
pub(crate) fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .chars()
        .filter(|character| !character.is_whitespace())
        .map(|character| u8::try_from(character.to_digit(16).expect("a hex digit")).expect("small"))
        .collect();
    assert!(digits.len().is_multiple_of(2), "half a byte in {text}");
    digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

/// As [`hex`], for a text of known length.
pub(crate) fn array<const LEN: usize>(text: &str) -> [u8; LEN] {
    hex(text).try_into().expect("as many bytes as the test wants")
}
