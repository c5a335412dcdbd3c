//! The demo's results, as a table.

use std::fmt::{self, Write as _};
use std::time::Duration;

use nt_host::edge::memory::PingReport;

pub(crate) use indicatif::BinaryBytes as Bytes;

/// Measurements and failures.
#[derive(Default)]
pub(crate) struct Report {
    rows: Vec<(String, String)>,
    failures: Vec<String>,
}

impl Report {
    /// Adds a row.
    pub(crate) fn row(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.rows.push((name.into(), value.into()));
    }

    /// Adds a failure.
    pub(crate) fn fail(&mut self, what: String) {
        self.failures.push(what);
    }

    /// Adds a failure unless `holds`.
    pub(crate) fn require(&mut self, holds: bool, otherwise: impl FnOnce() -> String) {
        if !holds {
            self.failures.push(otherwise());
        }
    }

    /// Whether there is no failure.
    pub(crate) fn is_good(&self) -> bool {
        self.failures.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
        let mut previous = "";
        for (name, value) in &self.rows {
            // Consecutive rows of one name show it once.
            let shown = if name == previous { "" } else { name };
            writeln!(f, "  {shown:width$}   {value}")?;
            previous = name;
        }
        f.write_char('\n')?;
        if self.is_good() {
            return f.write_str("everything was right");
        }
        f.write_str("WRONG:")?;
        for failure in &self.failures {
            write!(f, "\n  {failure}")?;
        }
        Ok(())
    }
}

/// The round trips of a run of pings, for the report.
pub(crate) struct RoundTrips<'a>(pub(crate) &'a PingReport);

impl RoundTrips<'_> {
    /// The round trip at a quantile, in thousandths.
    fn permille(&self, permille: usize) -> Option<Duration> {
        let mut times = self.0.round_trips.clone();
        times.sort_unstable();
        let rank = (times.len() * permille).div_ceil(1000).saturating_sub(1);
        times.get(rank).copied()
    }
}

impl fmt::Display for RoundTrips<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sent, lost) = (self.0.sent, self.0.lost());
        let (Some(median), Some(p99)) = (self.permille(500), self.permille(990)) else {
            return write!(f, "no answer to {sent} pings");
        };
        let (median, p99) = (Millis(median), Millis(p99));
        write!(f, "median {median}, p99 {p99}, {lost} of {sent} lost")
    }
}

/// A short time in milliseconds.
pub(crate) struct Millis(pub(crate) Duration);

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3} ms", self.0.as_secs_f64() * 1e3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_decide() {
        let mut report = Report::default();
        report.row("a", "1");
        report.row("a", "2");
        report.row("long", "3");
        report.require(true, || unreachable!());
        assert!(report.is_good());
        assert_eq!(
            report.to_string(),
            "  a      1\n         2\n  long   3\n\neverything was right"
        );
        report.require(false, || "bad".into());
        assert!(!report.is_good());
        assert!(report.to_string().ends_with("WRONG:\n  bad"));
    }

    #[test]
    fn percentiles() {
        let round_trips = (1..=100).rev().map(Duration::from_millis).collect();
        let pings = PingReport { sent: 101, round_trips };
        assert_eq!(
            RoundTrips(&pings).to_string(),
            "median 50.000 ms, p99 99.000 ms, 1 of 101 lost"
        );
        let pings = PingReport { sent: 3, ..PingReport::default() };
        assert_eq!(RoundTrips(&pings).to_string(), "no answer to 3 pings");
    }
}
