//! docs/performance.md: the tables, the machine, and the command that made them.

use std::fmt::Write as _;
use std::process::Command;

use crate::Options;
use crate::probe::Sample;

/// A column's title, its figure, and the figure's decimals.
type Column = (&'static str, fn(&Sample) -> f64, usize);

/// The length of a line, which `cargo xtask check-text` holds pages to; tables may be longer.
const COLUMNS: usize = 100;

/// The report as it grows.
pub(crate) struct Report(String);

impl Report {
    /// The head: which machine, which commit, which command.
    pub(crate) fn new(options: &Options) -> Self {
        let mut text = String::from(
            "# Performance\n\n\
             Made by `cargo xtask bench`; not edited by hand. Absolute figures drift with the\n\
             machine and its neighbours: compare only within one run. In every section the\n\
             candidates took turns, and the figures are medians.\n\n",
        );
        let Options { seconds, rounds, .. } = options;
        let machine = [
            ("Command", format!("`cargo xtask bench --seconds {seconds} --rounds {rounds}`")),
            ("Commit", output("git", &["describe", "--always", "--dirty"])),
            ("Date", output("date", &["-u", "+%F %R UTC"])),
            ("Processor", processor()),
            ("Processors", output("nproc", &[])),
            ("Kernel", output("uname", &["-sr"])),
            ("Compiler", output("rustc", &["--version"])),
        ];
        for (name, value) in machine {
            let _ = writeln!(text, "* {name}: {value}");
        }
        Self(text)
    }

    /// Adds a section with its table.
    pub(crate) fn section(&mut self, title: &str, introduction: &str, table: &str) {
        let (introduction, table) = (wrap(introduction), table.trim_end());
        let _ = write!(self.0, "\n## {title}\n\n{introduction}\n\n{table}\n");
    }

    /// Adds the tunnels' section.
    pub(crate) fn tunnels(&mut self, samples: &[(String, Sample)]) {
        self.section(
            "Tunnels",
            "The same program at both ends, each end in a network namespace of this one machine, \
             joined by a veth pair; default settings, inner MTU 1420; iperf3. Sender, both ends of \
             the tunnel and receiver share the processors, so a figure is the cost of the whole \
             path.",
            &table(samples),
        );
    }

    /// Adds the OpenVPN clients' section.
    pub(crate) fn openvpn(&mut self, samples: &[(String, Sample)]) {
        self.section(
            "OpenVPN",
            "Clients that take turns at one stock openvpn server, without DCO on either side; \
             namespaces and iperf3 as above, inner MTU 1500. The server's own data path, in \
             userspace, is part of every figure and bounds it.",
            &table(samples),
        );
    }

    /// The text.
    pub(crate) fn finish(self) -> String {
        self.0
    }
}

/// Wraps a paragraph.
fn wrap(paragraph: &str) -> String {
    let mut text = String::new();
    let mut columns = 0;
    for word in paragraph.split_whitespace() {
        let length = word.chars().count();
        let is_first = columns == 0;
        let fits = columns + 1 + length <= COLUMNS;
        if !is_first {
            text.push(if fits { ' ' } else { '\n' });
        }
        columns = if is_first || !fits { length } else { columns + 1 + length };
        text.push_str(word);
    }
    text
}

/// A table of medians, a row for each name, in the order in which names first come.
fn table(samples: &[(String, Sample)]) -> String {
    let columns: [Column; 6] = [
        ("TCP 1 stream, Mbit/s", |sample| sample.tcp_1, 0),
        ("TCP 4 streams, Mbit/s", |sample| sample.tcp_4, 0),
        ("UDP 1300 B, kpps", |sample| sample.udp_1300, 1),
        ("UDP 64 B, kpps", |sample| sample.udp_64, 1),
        ("ping under UDP 64 B, ms", |sample| sample.ping_loaded, 2),
        ("ping idle, ms", |sample| sample.ping_idle, 3),
    ];
    let mut table = String::from("| |");
    for (title, ..) in columns {
        let _ = write!(table, " {title} |");
    }
    let _ = write!(table, "\n|---|{}\n", "---:|".repeat(columns.len()));
    let mut names: Vec<&str> = Vec::new();
    for (name, _) in samples {
        if !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    for name in names {
        let _ = write!(table, "| {name} |");
        for (_, value, digits) in columns {
            let values = samples.iter().filter(|(of, _)| of == name);
            let median = median(values.map(|(_, sample)| value(sample)).collect());
            let _ = write!(table, " {median:.digits$} |");
        }
        table.push('\n');
    }
    table
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn output(program: &str, arguments: &[&str]) -> String {
    Command::new(program).args(arguments).output().map_or_else(
        |error| format!("({program}: {error})"),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    )
}

fn processor() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    model.map_or_else(|| "unknown".to_owned(), |(_, name)| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{COLUMNS, wrap};

    #[test]
    fn paragraphs_wrap() {
        let words = ["word"; 60];
        let text = wrap(&words.join(" "));
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.iter().map(|line| line.len()).collect::<Vec<_>>(), [99, 99, 99]);
        assert!(lines.iter().all(|line| line.len() <= COLUMNS));
        assert_eq!(text.split_whitespace().collect::<Vec<_>>(), words);
    }
}
