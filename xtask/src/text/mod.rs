//! `cargo xtask check-text`: the form of sources and pages.
//!
//! * No line is longer than [`MAX_COLUMNS`], but for those that [`may_be_long`] names.
//! * Nothing cites what a reader of the repository doesn't have ([`UNPUBLISHED`]), and each link to
//!   a file of the repository leads to one.
//! * A SAFETY comment says its reason, instead of pointing at another.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::driver::workspace;

/// The length of a line, in characters.
const MAX_COLUMNS: usize = 100;

/// The files that are checked, by the ends of their names. `.ci/` is checked as a whole. Not
/// checked: `Cargo.lock` and `tunic.h`, which are generated, keys and certificates.
const KINDS: [&str; 6] = [".rs", ".md", ".toml", ".tsv", ".sh", ".inx"];

/// What only the authors' machines have.
const UNPUBLISHED: [&str; 6] =
    ["../shared", "shared/design", "shared/reference", "shared/tools", "DESIGN.md", "/work/"];

/// A SAFETY comment that gives no reason.
const NO_REASON: &str = "SAFETY: as above";

/// The characters of a word that can't be wrapped: a key, a hash, a packet.
const DATA_CHARACTERS: usize = 64;

/// The sources of this check, which must spell what it refuses.
const OWN: &str = "xtask/src/text/";

/// Checks all files that git tracks.
pub(crate) fn run() -> Result<()> {
    let output = Command::new("git").current_dir(workspace()).args(["ls-files", "-z"]).output()?;
    ensure!(output.status.success(), "git ls-files: {}", String::from_utf8_lossy(&output.stderr));
    let listed = String::from_utf8(output.stdout).context("git ls-files")?;
    let tracked: BTreeSet<&str> = listed.split_terminator('\0').collect();
    let is_checked =
        |path: &str| path.starts_with(".ci/") || KINDS.iter().any(|kind| path.ends_with(kind));
    let mut faults = Vec::new();
    let mut lines = 0;
    for path in tracked.iter().copied().filter(|path| is_checked(path)) {
        // One that is deleted and not yet committed is still tracked.
        let Ok(text) = fs::read_to_string(workspace().join(path)) else { continue };
        lines += text.lines().count();
        faults.extend(check(path, &text, &tracked));
    }
    if !faults.is_empty() {
        bail!("{} faults of the text:\n  {}", faults.len(), faults.join("\n  "));
    }
    println!("{lines} lines are in form");
    Ok(())
}

/// The faults of one file.
fn check(path: &str, text: &str, tracked: &BTreeSet<&str>) -> Vec<String> {
    let mut faults = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let mut refuse = |fault: String| faults.push(format!("{path}:{}: {fault}", index + 1));
        let columns = line.chars().count();
        if columns > MAX_COLUMNS && !may_be_long(path, line) {
            refuse(format!("{columns} columns, more than {MAX_COLUMNS}"));
        }
        if path.starts_with(OWN) {
            continue;
        }
        for cited in UNPUBLISHED.iter().filter(|cited| line.contains(*cited)) {
            refuse(format!("{cited} is neither in the repository nor public"));
        }
        if line.contains(NO_REASON) {
            refuse(format!("\"{NO_REASON}\": say the reason, or number the conditions once"));
        }
        for page in cited_pages(line).filter(|page| !tracked.contains(page)) {
            refuse(format!("{page} doesn't exist"));
        }
        if path.ends_with(".md") {
            for link in links(line).filter(|link| !leads(path, link, tracked)) {
                refuse(format!("the link to {link} leads nowhere"));
            }
        }
    }
    faults
}

/// Whether a line can't well be shorter: a URL, a row of a table, a long word of data.
fn may_be_long(path: &str, line: &str) -> bool {
    let is_row = path.ends_with(".md") && line.trim_start().starts_with('|')
        || path.ends_with(".tsv") && !line.starts_with('#');
    let mut words = line.split(|character: char| !character.is_ascii_alphanumeric());
    is_row || line.contains("://") || words.any(|word| word.len() >= DATA_CHARACTERS)
}

/// The pages of `docs/` that a line names.
fn cited_pages(line: &str) -> impl Iterator<Item = &str> {
    line.match_indices("docs/").filter_map(|(start, _)| {
        let is_whole = !line[..start].ends_with(|it: char| it.is_alphanumeric() || it == '/');
        let rest = &line[start..];
        let end = rest.find(".md")? + ".md".len();
        let page = &rest[..end];
        let is_name = |it: char| it.is_ascii_alphanumeric() || "/-_.".contains(it);
        (is_whole && page.chars().all(is_name)).then_some(page)
    })
}

/// The targets of a line's Markdown links that are files.
fn links(line: &str) -> impl Iterator<Item = &str> {
    line.match_indices("](").filter_map(|(start, opening)| {
        let rest = &line[start + opening.len()..];
        let target = rest.split([')', '#']).next()?;
        (!target.is_empty() && !target.contains(':')).then_some(target)
    })
}

/// Whether a link in a page leads to a file or a folder.
fn leads(page: &str, link: &str, tracked: &BTreeSet<&str>) -> bool {
    let mut target: Vec<&str> = page.split('/').collect();
    target.pop();
    for part in link.split('/') {
        match part {
            "" | "." => {}
            ".." => _ = target.pop(),
            _ => target.push(part),
        }
    }
    let target = target.join("/");
    let within = format!("{target}/");
    tracked.contains(target.as_str()) || tracked.iter().any(|path| path.starts_with(&within))
}
