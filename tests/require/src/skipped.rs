//! Skipped tests: each is reported at once, and all of them at the end of `cargo test`.
//!
//! libtest captures what the print macros write in a test that passes, so reports go to standard
//! error directly. Each test process appends its skips to a file that is named after its parent,
//! the `cargo test` that runs it. The last test binary of that run prints the summary.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::process::parent_id;
use std::path::{Path, PathBuf};
use std::thread;

/// The tests that a run of `cargo test` has skipped.
#[derive(Debug, Default)]
pub struct Skipped {
    /// How many tests lack each thing, by what provides it.
    remedies: BTreeMap<String, usize>,
    tests: BTreeSet<String>,
}

impl Skipped {
    /// Takes the records of the tests that the parent process has run. Those of runs that have
    /// ended without a summary are removed.
    pub fn take() -> Self {
        let Some(folder) = folder() else { return Self::default() };
        let own = folder.join(parent_id().to_string());
        let records = fs::read_to_string(&own).unwrap_or_default();
        let _ = fs::remove_file(own);
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            if !Path::new("/proc").join(entry.file_name()).exists() {
                let _ = fs::remove_file(entry.path());
            }
        }
        Self::parse(&records)
    }

    fn parse(records: &str) -> Self {
        let mut skipped = Self::default();
        let mut needs = BTreeSet::new();
        for (test, remedy) in records.lines().filter_map(|line| line.split_once('\t')) {
            skipped.tests.insert(test.to_owned());
            if needs.insert((test, remedy)) {
                *skipped.remedies.entry(remedy.to_owned()).or_default() += 1;
            }
        }
        skipped
    }
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.tests.len() {
            0 => return writeln!(f, "no test was skipped"),
            1 => writeln!(f, "1 test was skipped and is counted as passed. What it needs:")?,
            count => {
                writeln!(
                    f,
                    "{count} tests were skipped and are counted as passed. What they need:"
                )?;
            }
        }
        for (remedy, count) in &self.remedies {
            writeln!(f, "  {count:>3}  {remedy}")?;
        }
        writeln!(f, "TUNIC_REQUIRE_ALL=1 makes a skipped test fail.")
    }
}

/// Reports a skip and records it, with what would make the test run.
pub(crate) fn record(test: &str, reasons: &str, remedies: &[String]) {
    let _ = writeln!(std::io::stderr(), "SKIPPED {test}: {reasons}");
    let Some(folder) = folder() else { return };
    if fs::create_dir_all(&folder).is_err() {
        return;
    }
    let file = folder.join(parent_id().to_string());
    let Ok(mut file) = File::options().append(true).create(true).open(file) else { return };
    let lines: String =
        remedies.iter().map(|remedy| format!("{}\t{remedy}\n", name(test))).collect();
    // One write, so that processes don't interleave.
    let _ = file.write_all(lines.as_bytes());
}

/// The test's path, under which it is counted once; the given name where libtest runs it on the
/// main thread.
fn name(test: &str) -> String {
    let thread = thread::current();
    let path = thread.name().filter(|name| *name != "main").unwrap_or(test);
    let program = std::env::current_exe().unwrap_or_default();
    let program = program.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    format!("{program}::{path}")
}

/// Where records lie; `None` in a program that is not a test.
fn folder() -> Option<PathBuf> {
    let program = std::env::current_exe().ok()?;
    // target/PROFILE/deps/PROGRAM
    let deps = program.parent().filter(|folder| folder.ends_with("deps"))?;
    Some(deps.parent()?.join("skipped"))
}

#[cfg(test)]
mod tests {
    use super::Skipped;

    #[test]
    fn a_test_is_counted_once_and_its_needs_each() {
        let records = "one\trun as root\none\tapt-get install iperf3\none\trun as root\n\
                       two\trun as root\n";
        assert_eq!(
            Skipped::parse(records).to_string(),
            "2 tests were skipped and are counted as passed. What they need:\n\
             \x20   1  apt-get install iperf3\n    2  run as root\n\
             TUNIC_REQUIRE_ALL=1 makes a skipped test fail.\n"
        );
        assert_eq!(Skipped::parse("").to_string(), "no test was skipped\n");
    }
}
