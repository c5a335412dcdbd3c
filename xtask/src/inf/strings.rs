//! `[Strings]`: tokens that are missing, and tokens and sections that are unused.

use super::file::Inf;

/// Sections that Windows finds by name.
const WELL_KNOWN: [&str; 6] = [
    "Version",
    "Manufacturer",
    "SourceDisksNames",
    "SourceDisksFiles",
    "DestinationDirs",
    "Strings",
];

/// Whether setupapi replaces a token itself: it does with numbers of directories.
fn is_directory(token: &str) -> bool {
    token.parse::<u16>().is_ok()
}

pub(super) fn check(inf: &Inf, problems: &mut Vec<String>) {
    let mut used = Vec::new();
    for section in inf.sections.iter().filter(|section| !is(&section.name, "Strings")) {
        for line in &section.lines {
            for text in line.key.iter().chain(&line.values) {
                used.extend(tokens(text).map(|token| (line.number, token.to_owned())));
            }
        }
    }
    let strings = inf.lines("Strings");
    for (number, token) in &used {
        if !is_directory(token) && !strings.iter().any(|line| line.is(token)) {
            problems.push(format!("strings: line {number}: %{token}% is not in [Strings]"));
        }
    }
    for key in strings.iter().filter_map(|line| line.key.as_ref()) {
        if !used.iter().any(|(_, token)| is(token, key)) {
            problems.push(format!("strings: nothing uses %{key}%"));
        }
    }
    check_referred(inf, problems);
}

/// Checks that each section is referred to. One that isn't has a misspelt name.
fn check_referred(inf: &Inf, problems: &mut Vec<String>) {
    let values: Vec<&str> = inf
        .sections
        .iter()
        .filter(|section| !is(&section.name, "Strings"))
        .flat_map(|section| &section.lines)
        .flat_map(|line| line.values.iter().map(String::as_str))
        .collect();
    for section in inf.sections.iter().map(|section| section.name.as_str()) {
        // Models have a decoration, installations and their services a suffix.
        let stem = section.split(".NT").next().unwrap_or(section);
        let is_known =
            WELL_KNOWN.iter().chain(&values).any(|known| is(known, section) || is(known, stem));
        if !is_known {
            problems.push(format!("sections: nothing refers to [{section}]"));
        }
    }
}

fn tokens(text: &str) -> impl Iterator<Item = &str> {
    // A token is between two percent signs. `%%` is a percent sign.
    text.split('%').skip(1).step_by(2).filter(|token| !token.is_empty())
}

fn is(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
}
