//! What an image's instructions don't tell of calls: the possible targets of an indirect call, and
//! how often a function may be in one chain.
//!
//! It is in `driver/stack.tsv`, whose head explains it.

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail};

/// The rules, each kind in the order of the file.
#[derive(Default)]
pub(crate) struct Rules {
    /// Functions that call through pointers, and possible targets.
    pointers: Vec<Rule>,
    /// Imports that call back before they return, and possible targets.
    imports: Vec<Rule>,
    /// Functions in a cycle, and how often each may be in one chain; others once.
    repeats: Vec<(Rule, u8)>,
}

/// A line of the file.
pub(crate) struct Rule {
    /// Its number, from 1.
    pub(crate) line: usize,
    /// What it is about.
    name: String,
    value: String,
}

impl Rules {
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let mut rules = Self::default();
        for (index, line) in text.lines().enumerate() {
            if line.starts_with('#') || line.is_empty() {
                continue;
            }
            let fields: Vec<&str> = line.split('\t').collect();
            let [kind, name, value, ..] = fields[..] else { bail!("stack.tsv: {line}") };
            let rule = Rule { line: index + 1, name: name.to_owned(), value: value.to_owned() };
            match kind {
                "pointer" => rules.pointers.push(rule),
                "import" => rules.imports.push(rule),
                "repeat" => {
                    let times = value.parse().with_context(|| format!("stack.tsv: {line}"))?;
                    rules.repeats.push((rule, times));
                }
                _ => bail!("stack.tsv: {line}"),
            }
        }
        Ok(rules)
    }

    /// The rules for a function that calls through pointers, those of the first pattern that
    /// matches it.
    pub(crate) fn of_caller(&self, caller: &[String]) -> Vec<&Rule> {
        let first = self.pointers.iter().find(|rule| is_one(&rule.name, caller));
        let all = self.pointers.iter();
        all.filter(|rule| first.is_some_and(|first| first.name == rule.name)).collect()
    }

    /// The rules for an import.
    pub(crate) fn of_import(&self, import: &str) -> impl Iterator<Item = &Rule> {
        self.imports.iter().filter(move |rule| matches(&rule.name, import))
    }

    /// The index of the rule that bounds how often a function may be in a chain.
    pub(crate) fn repeat(&self, function: &[String]) -> Option<usize> {
        self.repeats.iter().position(|(rule, _)| is_one(&rule.name, function))
    }

    /// The rule with an index.
    pub(crate) fn repeat_rule(&self, index: usize) -> Option<&Rule> {
        self.repeats.get(index).map(|(rule, _)| rule)
    }

    /// How often the functions of each such rule may be in a chain.
    pub(crate) fn repeat_limits(&self) -> Vec<u8> {
        self.repeats.iter().map(|(_, times)| *times).collect()
    }

    /// The rules whose lines aren't among these.
    pub(crate) fn unused(&self, used: &BTreeSet<usize>) -> Vec<String> {
        let repeats = self.repeats.iter().map(|(rule, _)| rule);
        let all = self.pointers.iter().chain(&self.imports).chain(repeats);
        let mut unused: Vec<&Rule> = all.filter(|rule| !used.contains(&rule.line)).collect();
        unused.sort_by_key(|rule| rule.line);
        let fault = |rule: &Rule| {
            let Rule { line, name, value } = rule;
            format!("stack.tsv:{line}: no image needs this rule: {name}, {value}")
        };
        unused.into_iter().map(fault).collect()
    }
}

impl Rule {
    /// The pattern of its targets; none where they are all outside of the image.
    pub(crate) fn target(&self) -> Option<&str> {
        (self.value != "-").then_some(&self.value)
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
        assert!(Rules::parse("pointer\ta\tb\nrepeat\tc\t2\twhy\n").is_ok());
        for bad in ["pointer\ta", "frame\ta\t3000", "repeat\ta\tmuch"] {
            assert!(Rules::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn of_several_patterns_the_first_counts() {
        let rules = Rules::parse("pointer\ta*\tb\npointer\t*\tc\npointer\ta*\td\n").unwrap();
        let lines = |caller: &str| {
            let rules = rules.of_caller(&[caller.to_owned()]);
            rules.into_iter().map(|rule| rule.line).collect::<Vec<_>>()
        };
        assert_eq!(lines("a1"), [1, 3]);
        assert_eq!(lines("b"), [2]);
    }
}
