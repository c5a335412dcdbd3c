//! Splits an option into words, with quotes and escapes.

use std::fmt;

/// Splits a line into words as OpenVPN's manual defines: `"..."` with `\` as escape, `'...'`
/// verbatim; `#` or `;` at the start of a word begins a comment.
///
/// # Errors
///
/// When a quotation or an escape is unterminated.
pub fn words(line: &str) -> Result<Vec<String>, WordsError> {
    let mut words = Vec::new();
    let mut characters = line.chars().peekable();
    loop {
        while characters.next_if(|character| is_blank(*character)).is_some() {}
        match characters.peek() {
            None | Some('#' | ';') => return Ok(words),
            Some(_) => {}
        }
        let mut word = String::new();
        let mut quote = None;
        loop {
            match (characters.next(), quote) {
                (None, None) => break,
                (None, Some(_)) => return Err(WordsError),
                (Some(character), Some('\'')) if character != '\'' => word.push(character),
                (Some('\\'), _) => word.push(characters.next().ok_or(WordsError)?),
                (Some(character), Some(end)) if character == end => quote = None,
                (Some(character), Some(_)) => word.push(character),
                (Some(character @ ('"' | '\'')), None) => quote = Some(character),
                (Some(character), None) if is_blank(character) => break,
                (Some(character), None) => word.push(character),
            }
        }
        words.push(word);
    }
}

/// Whether a character separates words: those of ASCII only, as in OpenVPN. Others, such as a
/// no-break space, are parts of file names.
const fn is_blank(character: char) -> bool {
    character.is_ascii_whitespace() || character == '\u{b}'
}

/// An unterminated quotation or escape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WordsError;

impl fmt::Display for WordsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("unterminated quotation or escape")
    }
}

impl std::error::Error for WordsError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_come_out_of_quotes() {
        let of = |line| words(line).unwrap();
        assert_eq!(of("  route 10.0.0.0\t255.0.0.0  # all"), ["route", "10.0.0.0", "255.0.0.0"]);
        assert_eq!(
            of(r#"key "my \"own\" file" 'C:\keys' a\ b;c"#),
            ["key", r#"my "own" file"#, r"C:\keys", "a b;c"]
        );
        assert_eq!(of(r#"empty "" ''"#), ["empty", "", ""]);
        assert_eq!(of("; nothing"), Vec::<String>::new());
        let (no_break, line) =
            ("my\u{a0}key\u{3000}\u{85}", "\u{b}key\x0cmy\u{a0}key\u{3000}\u{85}\r");
        assert_eq!(of(line), ["key", no_break]);
        for bad in [r#"a "b"#, "a 'b", r"a\"] {
            assert_eq!(words(bad), Err(WordsError), "{bad}");
        }
    }
}
