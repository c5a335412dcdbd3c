use std::collections::BTreeSet;

use super::check;

fn faults(path: &str, text: &str) -> Vec<String> {
    check(path, text, &BTreeSet::from(["README.md", "docs/windows.md", "nt-host/src/lib.rs"]))
}

#[test]
fn a_long_line_is_refused() {
    let long = format!("// {}", "long ".repeat(20));
    assert_eq!(faults("a.rs", &long), ["a.rs:1: 103 columns, more than 100"]);
    // By characters, not bytes.
    assert!(faults("a.rs", &"é".repeat(100)).is_empty());
}

#[test]
fn urls_rows_and_data_may_be_long() {
    let words = "word ".repeat(20);
    let url = format!("{words} https://example.org/");
    for (path, line) in [
        ("a.rs", url),
        ("a.md", format!("| {words} | {words} |")),
        ("a.tsv", format!("{words}\t{words}")),
        ("a.rs", format!("    let key = \"{}\";", "00ff".repeat(30))),
    ] {
        assert!(faults(path, &line).is_empty(), "{line}");
    }
    assert_eq!(faults("a.tsv", &format!("# {words}")).len(), 1);
    assert_eq!(faults("a.rs", &format!("| {words} |")).len(), 1);
}

#[test]
fn what_a_clone_lacks_is_not_cited() {
    for line in ["// See shared/reference/style.md.", "// ../shared/tools", "cd /work/main"] {
        assert!(!faults("a.rs", line).is_empty(), "{line}");
    }
    assert!(faults("a.rs", "#include <shared/ntdef.h>").is_empty());
}

#[test]
fn a_safety_comment_gives_its_reason() {
    assert_eq!(faults("a.rs", "// SAFETY: as above.").len(), 1);
    assert!(faults("a.rs", "// SAFETY: the caller holds the lock.").is_empty());
}

#[test]
fn links_lead_somewhere() {
    let good = "[a](windows.md#install) [b](../nt-host/) [c](https://example.org) [d](#here)";
    assert_eq!(faults("docs/a.md", good), Vec::<String>::new());
    assert_eq!(
        faults("docs/a.md", "[a](gone.md)"),
        ["docs/a.md:1: the link to gone.md leads nowhere"]
    );
    assert!(faults("a.rs", "// docs/windows.md says so.").is_empty());
    assert_eq!(faults("a.rs", "// docs/gone.md says so."), ["a.rs:1: docs/gone.md doesn't exist"]);
}
