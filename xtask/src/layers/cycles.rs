//! Cycles among the files of a crate.
//!
//! A cycle here is a simple one: it visits no file twice. A parent and any number of children that
//! each use the parent, and which the parent uses, are cycles of two. So what counts is not the
//! size of a strongly connected component, but the longest way around in it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::path::Path;

/// The most files that may form a cycle.
pub(super) const MAX_MODULES: usize = 3;

/// Edges that don't count, each for a reason.
const EXCEPTIONS: &[Exception] = &[];

/// How many cycles of a crate are reported.
const MAX_REPORTED: usize = 8;

/// An edge that may close a longer cycle.
struct Exception {
    /// Of the package.
    folder: &'static str,
    from: &'static str,
    to: &'static str,
    /// Why the cycle is better than what would cut it.
    #[expect(dead_code, reason = "for who reads the list")]
    reason: &'static str,
}

/// Files, and which uses which.
pub(super) struct Graph {
    names: Vec<String>,
    /// With a name that is used.
    edges: BTreeMap<(usize, usize), String>,
}

/// A cycle, as files and what each uses of the next.
pub(super) struct Cycle(Vec<(String, String)>);

/// The exceptions, and which of them was needed.
#[derive(Default)]
pub(super) struct Cuts {
    used: BTreeSet<usize>,
}

impl Graph {
    pub(super) fn new(names: Vec<String>) -> Self {
        Self { names, edges: BTreeMap::new() }
    }

    /// Adds that one file uses a name of another.
    pub(super) fn add(&mut self, from: usize, to: usize, name: &str) {
        if from != to {
            self.edges.entry((from, to)).or_insert_with(|| name.to_owned());
        }
    }

    /// Each edge by its files' names.
    pub(super) fn edges(&self) -> impl Iterator<Item = ((&str, &str), &str)> {
        self.edges.iter().map(|((from, to), name)| {
            ((self.names[*from].as_str(), self.names[*to].as_str()), name.as_str())
        })
    }

    /// Cycles that are too long, the shortest of them first. No two share an edge.
    pub(super) fn long_cycles(&self) -> Vec<Cycle> {
        let mut left = self.edges.keys().copied().collect();
        let mut cycles = Vec::new();
        while cycles.len() < MAX_REPORTED {
            let Some(cycle) = self.shortest_long_cycle(&left) else { break };
            let next = cycle.iter().cycle().skip(1);
            let edges: Vec<(usize, usize)> = cycle.iter().copied().zip(next.copied()).collect();
            edges.iter().for_each(|edge| _ = left.remove(edge));
            let step =
                |edge: &(usize, usize)| (self.names[edge.0].clone(), self.edges[edge].clone());
            cycles.push(Cycle(edges.iter().map(step).collect()));
        }
        cycles
    }

    /// The shortest simple cycle of more than [`MAX_MODULES`] files, by these edges.
    ///
    /// Any such cycle is a path of [`MAX_MODULES`] steps, and a way back that avoids what lies
    /// between its ends.
    fn shortest_long_cycle(&self, edges: &BTreeSet<(usize, usize)>) -> Option<Vec<usize>> {
        let mut next = vec![Vec::new(); self.names.len()];
        for (from, to) in edges {
            next[*from].push(*to);
        }
        let mut best: Option<Vec<usize>> = None;
        let mut paths: Vec<Vec<usize>> = (0..next.len()).map(|start| vec![start]).collect();
        while let Some(path) = paths.pop() {
            let last = path[path.len() - 1];
            if path.len() <= MAX_MODULES {
                let more = next[last].iter().filter(|file| !path.contains(file));
                paths.extend(more.map(|file| [path.as_slice(), &[*file]].concat()));
            } else if best.as_ref().is_none_or(|best| best.len() > path.len())
                && let Some(back) = way(&next, last, path[0], &path[1..path.len() - 1])
            {
                let cycle = [path.as_slice(), &back].concat();
                if best.as_ref().is_none_or(|best| best.len() > cycle.len()) {
                    best = Some(cycle);
                }
            }
        }
        best
    }
}

/// The files between `from` and `to` on the shortest way that avoids some.
fn way(next: &[Vec<usize>], from: usize, to: usize, avoided: &[usize]) -> Option<Vec<usize>> {
    let mut before = BTreeMap::from([(from, from)]);
    let mut queue = VecDeque::from([from]);
    while let Some(file) = queue.pop_front() {
        if next[file].contains(&to) {
            let mut way: Vec<usize> =
                std::iter::successors(Some(file), |file| before.get(file).copied())
                    .take_while(|file| *file != from)
                    .collect();
            way.reverse();
            return Some(way);
        }
        for following in &next[file] {
            if !avoided.contains(following) && !before.contains_key(following) {
                before.insert(*following, file);
                queue.push_back(*following);
            }
        }
    }
    None
}

impl fmt::Display for Cycle {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(steps) = self;
        write!(formatter, "import cycle of {} modules: ", steps.len())?;
        for (file, name) in steps {
            write!(formatter, "{file} -({name})-> ")?;
        }
        formatter.write_str(steps.first().map_or("", |(file, _)| file))
    }
}

impl Cuts {
    /// Removes the edges of a package that don't count.
    pub(super) fn apply(&mut self, folder: &str, graph: &mut Graph) {
        for (index, exception) in EXCEPTIONS.iter().enumerate() {
            let names = &graph.names;
            let is_it = |from: usize, to: usize| {
                exception.folder == folder
                    && exception.from == names[from]
                    && exception.to == names[to]
            };
            let before = graph.edges.len();
            graph.edges.retain(|(from, to), _| !is_it(*from, *to));
            if graph.edges.len() < before {
                self.used.insert(index);
            }
        }
    }

    /// The exceptions that no edge needed, of packages that there are.
    pub(super) fn unused(&self, root: &Path) -> Vec<String> {
        let all = EXCEPTIONS.iter().enumerate();
        let unused = all.filter(|(index, exception)| {
            !self.used.contains(index) && root.join(exception.folder).is_dir()
        });
        unused
            .map(|(_, it)| format!("{}: {} doesn't use {} (cycles.rs)", it.folder, it.from, it.to))
            .collect()
    }
}
