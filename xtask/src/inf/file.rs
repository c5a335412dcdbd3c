//! An INF file: sections of lines. A line is a key and values, or values alone (Microsoft's
//! "General Syntax Rules for INF Files").

use anyhow::{Result, bail, ensure};

/// A whole file. Names of sections and keys are case-insensitive.
pub(crate) struct Inf {
    pub(crate) sections: Vec<Section>,
}

/// A section.
pub(crate) struct Section {
    pub(crate) name: String,
    pub(crate) lines: Vec<Line>,
}

/// A line, without comment.
pub(crate) struct Line {
    /// From 1.
    pub(crate) number: usize,
    /// The text before the `=`.
    pub(crate) key: Option<String>,
    /// The values between the commas, unquoted, with `%tokens%` unexpanded.
    pub(crate) values: Vec<String>,
}

impl Inf {
    /// Decodes and parses a file.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self> {
        let text = decode(bytes)?;
        let mut sections: Vec<Section> = Vec::new();
        let mut begun = String::new();
        for (index, line) in text.lines().enumerate() {
            let number = index + 1;
            let line = without_comment(line).trim();
            if let Some(part) = line.strip_suffix('\\') {
                begun.push_str(part);
                continue;
            }
            let line = std::mem::take(&mut begun) + line;
            if line.is_empty() {
                continue;
            }
            if let Some(rest) = line.strip_prefix('[') {
                let Some(name) = rest.strip_suffix(']') else {
                    bail!("line {number}: a section's name isn't closed");
                };
                let name = name.trim();
                ensure!(!name.is_empty(), "line {number}: a section without a name");
                ensure!(
                    !sections.iter().any(|section| section.name.eq_ignore_ascii_case(name)),
                    "line {number}: [{name}] is there twice"
                );
                sections.push(Section { name: name.to_owned(), lines: Vec::new() });
                continue;
            }
            let Some(section) = sections.last_mut() else {
                bail!("line {number} is in no section");
            };
            section.lines.push(Line::parse(number, &line)?);
        }
        Ok(Self { sections })
    }

    /// The section of this name.
    pub(crate) fn section(&self, name: &str) -> Option<&Section> {
        self.sections.iter().find(|section| section.name.eq_ignore_ascii_case(name))
    }

    /// The lines of a section; none where there is no such section.
    pub(crate) fn lines(&self, name: &str) -> &[Line] {
        self.section(name).map_or(&[], |section| &section.lines)
    }

    /// The first value of a key, tokens replaced.
    pub(crate) fn value(&self, section: &str, key: &str) -> Option<String> {
        let line = self.lines(section).iter().find(|line| line.is(key))?;
        Some(self.expand(line.values.first()?))
    }

    /// All values of a key, from all lines that have it.
    pub(crate) fn values<'a>(&'a self, section: &str, key: &str) -> Vec<&'a str> {
        let lines = self.lines(section).iter().filter(|line| line.is(key));
        lines.flat_map(|line| line.values.iter().map(String::as_str)).collect()
    }

    /// Replaces `%%` by a percent sign, and tokens by their values in `[Strings]`. Unknown tokens
    /// stay.
    pub(crate) fn expand(&self, text: &str) -> String {
        let mut expanded = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('%') {
            expanded.push_str(before);
            let Some((token, after)) = after.split_once('%') else {
                expanded.push('%');
                rest = after;
                continue;
            };
            let value = self.lines("Strings").iter().find(|line| line.is(token));
            match value.and_then(|line| line.values.first()) {
                Some(value) => expanded.push_str(value),
                None if token.is_empty() => expanded.push('%'),
                None => expanded.push_str(&format!("%{token}%")),
            }
            rest = after;
        }
        expanded + rest
    }
}

impl Line {
    fn parse(number: usize, line: &str) -> Result<Self> {
        let (key, rest) = match find_bare(line, '=') {
            Some(at) => (Some(line[..at].trim().to_owned()), &line[at + 1..]),
            None => (None, line),
        };
        let mut values = Vec::new();
        let mut rest = rest;
        loop {
            let end = find_bare(rest, ',');
            let value = rest[..end.unwrap_or(rest.len())].trim();
            values.push(unquote(value).ok_or_else(|| {
                anyhow::anyhow!("line {number}: the quotes of {value} don't match")
            })?);
            match end {
                Some(end) => rest = &rest[end + 1..],
                None => break,
            }
        }
        Ok(Self { number, key, values })
    }

    /// Whether the line has a key.
    pub(crate) fn is(&self, key: &str) -> bool {
        self.key.as_ref().is_some_and(|its_key| its_key.eq_ignore_ascii_case(key))
    }

    /// A value; empty if there is none.
    pub(crate) fn at(&self, place: usize) -> &str {
        self.values.get(place).map_or("", String::as_str)
    }
}

/// Decodes ASCII, or UTF-16 with a byte order mark. Windows reads a file without one in the
/// machine's code page.
fn decode(bytes: &[u8]) -> Result<String> {
    let text = match bytes {
        [0xff, 0xfe, rest @ ..] => {
            ensure!(rest.len() % 2 == 0, "encoding: half a UTF-16 character at the end");
            let units = rest.chunks_exact(2).map(|unit| u16::from_le_bytes([unit[0], unit[1]]));
            let text: Result<String, _> = char::decode_utf16(units).collect();
            text.map_err(|_| anyhow::anyhow!("encoding: not UTF-16"))?
        }
        _ => {
            ensure!(bytes.is_ascii(), "encoding: neither ASCII nor UTF-16 with a byte order mark");
            String::from_utf8_lossy(bytes).into_owned()
        }
    };
    ensure!(!text.contains('\0'), "encoding: a NUL");
    Ok(text)
}

fn without_comment(line: &str) -> &str {
    find_bare(line, ';').map_or(line, |at| &line[..at])
}

/// Finds a character outside of quotes.
fn find_bare(text: &str, wanted: char) -> Option<usize> {
    let mut is_quoted = false;
    text.char_indices().find_map(|(at, character)| {
        is_quoted ^= character == '"';
        (character == wanted && !is_quoted).then_some(at)
    })
}

/// Removes quotes; two of them within quotes are one.
fn unquote(value: &str) -> Option<String> {
    if !value.matches('"').count().is_multiple_of(2) {
        return None;
    }
    match value.strip_prefix('"').and_then(|value| value.strip_suffix('"')) {
        Some(inner) => Some(inner.replace("\"\"", "\"")),
        None => Some(value.to_owned()),
    }
}
