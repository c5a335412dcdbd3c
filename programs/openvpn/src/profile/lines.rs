//! Splits a profile's text into options.

use std::path::Path;

use zeroize::Zeroizing;

use super::error::ProfileError;
use crate::options::words;

/// An option as written.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// Line number, from 1.
    pub(crate) number: usize,
    /// Its name, without leading dashes.
    pub(crate) name: String,
    /// The arguments.
    pub(crate) arguments: Vec<String>,
    /// The text between `<name>` and `</name>`.
    pub(crate) block: Option<Zeroizing<String>>,
}

/// Splits a text into options. `first` is the number of its first line.
pub(crate) fn lines(text: &str, first: usize) -> Result<Vec<Line>, ProfileError> {
    let mut lines = Vec::new();
    let mut rest = text.trim_start_matches('\u{feff}').lines().zip(first..);
    while let Some((line, number)) = rest.next() {
        if let Some(name) = block_name(line) {
            let end = format!("</{name}>");
            let mut block = Zeroizing::new(String::with_capacity(text.len()));
            loop {
                let Some((line, _)) = rest.next() else {
                    return Err(ProfileError::Line(number, format!("<{name}> has no {end}")));
                };
                if line.trim() == end {
                    break;
                }
                block.push_str(line);
                block.push('\n');
            }
            let name = name.to_owned();
            lines.push(Line { number, name, arguments: Vec::new(), block: Some(block) });
            continue;
        }
        let mut words =
            words(line).map_err(|error| ProfileError::Line(number, error.to_string()))?.into_iter();
        if let Some(name) = words.next() {
            let name = name.trim_start_matches("--").to_owned();
            lines.push(Line { number, name, arguments: words.collect(), block: None });
        }
    }
    Ok(lines)
}

/// The name in `<name>`.
fn block_name(line: &str) -> Option<&str> {
    let name = line.trim().strip_prefix('<')?.strip_suffix('>')?;
    (!name.is_empty() && !name.starts_with('/')).then_some(name)
}

impl Line {
    /// The arguments.
    pub(crate) fn arguments(&self) -> Vec<&str> {
        self.arguments.iter().map(String::as_str).collect()
    }

    /// The option as written, for messages; without a block's contents.
    pub(crate) fn text(&self) -> String {
        [&[self.name.as_str()], &self.arguments()[..]].concat().join(" ")
    }

    /// An error about this line.
    pub(crate) fn error(&self, what: impl Into<String>) -> ProfileError {
        ProfileError::Line(self.number, what.into())
    }

    /// The contents: the inline block, or the file that the first argument names. `None` for
    /// `name [inline]`, whose block follows separately.
    pub(crate) fn contents(
        &self,
        folder: &Path,
    ) -> Result<Option<Zeroizing<String>>, ProfileError> {
        if let Some(block) = &self.block {
            return Ok(Some(block.clone()));
        }
        match self.arguments.first().map(String::as_str) {
            None => Err(self.error(format!("{} names no file", self.name))),
            Some("[inline]") => Ok(None),
            Some(file) => {
                let path = folder.join(file);
                std::fs::read_to_string(&path)
                    .map(|text| Some(Zeroizing::new(text)))
                    .map_err(|error| ProfileError::File(path, error))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_and_words_are_told_apart() {
        let text = "\u{feff}client # yes\r\n\n--dev tun\n <ca> \n # not a comment\n</ca>\nverb 3";
        let found = lines(text, 1).unwrap();
        let shown: Vec<_> = found.iter().map(|line| (line.number, line.text())).collect();
        assert_eq!(
            shown,
            [(1, "client".into()), (3, "dev tun".into()), (4, "ca".into()), (7, "verb 3".into())]
        );
        assert_eq!(found[2].block.as_deref().map(String::as_str), Some(" # not a comment\n"));
    }

    #[test]
    fn what_does_not_end_is_said_with_its_line() {
        for (text, message) in [
            ("a\n<ca>\nb", "line 2: <ca> has no </ca>"),
            ("\n\"", "line 2: unterminated quotation or escape"),
        ] {
            assert_eq!(lines(text, 1).unwrap_err().to_string(), message);
        }
    }
}
