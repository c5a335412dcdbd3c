//! What the instructions can't say of calls: whom a pointer may lead to, how often a function may
//! be in one chain.
//!
//! It is in `driver/stack.tsv`, whose head explains it.

use anyhow::{Context, Result, bail};

/// The rules.
#[derive(Default)]
pub(crate) struct Rules {
    /// Callers through pointers, and whom they reach; nobody of ours where there is no name.
    pointers: Vec<(String, Option<String>)>,
    /// Imports that call back before they return, and whom.
    imports: Vec<(String, String)>,
    /// How often functions may be in one chain; others once.
    again: Vec<(String, u8)>,
}

impl Rules {
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let mut rules = Self::default();
        for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
            let fields: Vec<&str> = line.split('\t').collect();
            let [kind, name, value, ..] = fields[..] else { bail!("stack.tsv: {line}") };
            let name = name.to_owned();
            match kind {
                "pointer" => rules.pointers.push((name, (value != "-").then(|| value.to_owned()))),
                "import" => rules.imports.push((name, value.to_owned())),
                "again" => {
                    let times = value.parse().with_context(|| format!("stack.tsv: {line}"))?;
                    rules.again.push((name, times));
                }
                _ => bail!("stack.tsv: {line}"),
            }
        }
        Ok(rules)
    }

    /// Whom a function may reach through pointers, by name; `None` where no rule speaks of it. Of
    /// several patterns the first counts.
    pub(crate) fn targets(&self, caller: &[String]) -> Option<Vec<&str>> {
        let (first, _) = self.pointers.iter().find(|(name, _)| is_one(name, caller))?;
        let of_first = self.pointers.iter().filter(|(name, _)| name == first);
        Some(of_first.filter_map(|(_, target)| target.as_deref()).collect())
    }

    /// Whom an import calls back.
    pub(crate) fn called_back(&self, import: &str) -> impl Iterator<Item = &str> {
        self.imports
            .iter()
            .filter(move |(name, _)| matches(name, import))
            .map(|(_, target)| &**target)
    }

    /// Which rule says how often this function may be in a chain, and how often.
    pub(crate) fn again(&self, function: &[String]) -> Option<(usize, u8)> {
        let index = self.again.iter().position(|(name, _)| is_one(name, function))?;
        Some((index, self.again[index].1))
    }

    /// How many rules say how often functions may be in a chain.
    pub(crate) fn again_limits(&self) -> Vec<u8> {
        self.again.iter().map(|(_, times)| *times).collect()
    }
}

/// Whether a pattern matches one of the names.
pub(crate) fn is_one(pattern: &str, names: &[String]) -> bool {
    names.iter().any(|name| matches(pattern, name))
}

/// Whether a pattern, in which a star is any text, matches a name.
fn matches(pattern: &str, name: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(name) = name.strip_prefix(start) else { return false };
    rest.is_empty() || name.char_indices().any(|(at, _)| matches(rest, &name[at..]))
}

#[cfg(test)]
mod tests {
    use super::{Rules, matches};

    #[test]
    fn a_star_is_any_text() {
        assert!(matches("a::b", "a::b"));
        assert!(!matches("a::b", "a::bc"));
        assert!(matches("a::*", "a::b::c"));
        assert!(matches("*::c", "a::b::c"));
        assert!(matches("a*c", "abcbc"));
        assert!(!matches("a*c", "abcb"));
    }

    #[test]
    fn lines_have_three_fields_and_a_known_kind() {
        assert!(Rules::parse("pointer\ta\tb\nagain\tc\t2\twhy\n").is_ok());
        for bad in ["pointer\ta", "frame\ta\t3000", "again\ta\tmuch"] {
            assert!(Rules::parse(bad).is_err(), "{bad}");
        }
    }
}
