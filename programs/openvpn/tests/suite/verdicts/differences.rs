//! The cases on which ours and stock OpenVPN differ, each with the reason.

use std::collections::BTreeMap;

const TABLE: &str = include_str!("differences.tsv");
/// In place of a version: all of them.
const ALL: &str = "all";

/// The table.
pub(crate) struct Differences {
    /// By case and version.
    rows: BTreeMap<(&'static str, &'static str), Row>,
}

struct Row {
    /// Of stock, and of ours.
    verdicts: [&'static str; 2],
    is_seen: bool,
}

impl Differences {
    pub(crate) fn read() -> Self {
        let mut rows = BTreeMap::new();
        for line in TABLE.lines().filter(|line| !line.starts_with('#')) {
            let fields: Vec<&str> = line.split('\t').collect();
            let [name, version, stock, ours, reason] = fields[..] else {
                panic!("malformed: {line:?}")
            };
            assert!([ALL, "2.6", "2.7"].contains(&version) && !reason.is_empty(), "{line:?}");
            // Ours trusts nothing that stock doesn't.
            assert_eq!([stock, ours], ["accepts", "rejects"], "{line:?}");
            let row = Row { verdicts: [stock, ours], is_seen: false };
            assert!(rows.insert((name, version), row).is_none(), "twice: {name}");
        }
        for (name, version) in rows.keys() {
            let is_twice = *version != ALL && rows.contains_key(&(name, ALL));
            assert!(!is_twice, "twice: {name}");
        }
        Self { rows }
    }

    /// What is wrong with the verdicts on a case; `None` if they are equal, or differ as the table
    /// argues.
    pub(crate) fn object(
        &mut self,
        name: &str,
        version: &str,
        stock: bool,
        ours: bool,
    ) -> Option<String> {
        let word = |is_accepted| if is_accepted { "accepts" } else { "rejects" };
        let found = [word(stock), word(ours)];
        let key = self
            .rows
            .keys()
            .copied()
            .find(|(row, of)| *row == name && (*of == ALL || *of == version));
        match key.and_then(|key| self.rows.get_mut(&key)) {
            None if stock == ours => None,
            Some(row) if row.verdicts == found && stock != ours => {
                row.is_seen = true;
                None
            }
            row => {
                let argued = row.map(|row| row.verdicts);
                Some(format!("{name}\t{version}\t{}\t{}\t{argued:?}", found[0], found[1]))
            }
        }
    }

    /// The number of cases that differ. Each row of these versions must have been seen.
    pub(crate) fn finish(&self, versions: &[&str]) -> usize {
        let unseen: Vec<_> = self
            .rows
            .iter()
            .filter(|((_, version), _)| *version == ALL || versions.contains(version))
            .filter(|(_, row)| !row.is_seen)
            .map(|(key, _)| key)
            .collect();
        assert!(unseen.is_empty(), "no such case: {unseen:?}");
        self.rows.values().filter(|row| row.is_seen).count()
    }
}
