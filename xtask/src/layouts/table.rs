//! The committed table, `nic-core/nt-sys/src/layouts.rs`: one line a type and one a field.
//!
//! It is Rust, so that the compiler holds nt-sys to it on every target, and regular enough to be
//! read here.

use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::source::Declared;

/// Windows' layouts of the types that nt-sys declares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Table {
    pub(super) layouts: Vec<Layout>,
}

/// The layout of a type, on all supported processors or on x64 only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    /// The path in nt-sys.
    pub(super) path: String,
    pub(super) is_x64_alone: bool,
    pub(super) size: u64,
    pub(super) align: u64,
    /// The first version of NDIS with this size; `-` if it doesn't depend on NDIS.
    pub(super) ndis: String,
    pub(super) fields: Vec<Field>,
}

/// The layout of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) offset: u64,
    pub(super) size: u64,
    /// The first version of NDIS with this field and size.
    pub(super) ndis: String,
}

impl Table {
    pub(super) fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path);
        let text = text.with_context(|| format!("cannot read {}", path.display()))?;
        Self::parse(&text).with_context(|| path.display().to_string())
    }

    /// Parses what [`fmt::Display`] wrote.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let mut layouts: Vec<Layout> = Vec::new();
        let mut is_x64_alone = false;
        let rows = text.lines().skip_while(|line| *line != "layouts! {").skip(1);
        for line in rows.map(str::trim).filter(|line| !matches!(*line, "}" | "")) {
            if line == X64_ALONE {
                is_x64_alone = true;
                continue;
            }
            let is_type = line.ends_with('{');
            let parts: Vec<&str> = line.trim_end_matches([';', ' ', '{']).split(", ").collect();
            let [name, first, second, ndis] = parts[..] else {
                anyhow::bail!("{line:?} is no row");
            };
            let number = |text: &str| text.parse().with_context(|| format!("in {line:?}"));
            let (name, first, second) = (name.to_owned(), number(first)?, number(second)?);
            let ndis = ndis.trim_matches('"').to_owned();
            if is_type {
                let fields = Vec::new();
                let (size, align) = (first, second);
                layouts.push(Layout { path: name, is_x64_alone, size, align, ndis, fields });
                is_x64_alone = false;
            } else {
                let layout = layouts.last_mut().context("a field before any type")?;
                layout.fields.push(Field { name, offset: first, size: second, ndis });
            }
        }
        ensure!(!layouts.is_empty(), "there is no table");
        Ok(Self { layouts })
    }

    /// Declarations that are missing in the table or in nt-sys.
    pub(super) fn gaps(&self, declared: &[Declared]) -> Vec<String> {
        let mut gaps = Vec::new();
        for declared in declared {
            let Some(layout) = self.layouts.iter().find(|layout| layout.path == declared.path)
            else {
                gaps.push(format!("{} is not in the table", declared.path));
                continue;
            };
            let is_known = |name: &String| layout.fields.iter().any(|field| field.name == *name);
            for field in declared.members().filter(|field| !is_known(field)) {
                gaps.push(format!("{}.{field} is not in the table", declared.path));
            }
        }
        for layout in &self.layouts {
            if !declared.iter().any(|declared| declared.path == layout.path) {
                gaps.push(format!("{} is in the table, not in nt-sys", layout.path));
            }
        }
        gaps
    }

    /// The differences between the table and Windows' headers.
    pub(super) fn differences(&self, windows: &Self) -> Vec<String> {
        let mut differences = Vec::new();
        for theirs in &windows.layouts {
            let Some(ours) = self.layouts.iter().find(|ours| ours.path == theirs.path) else {
                differences.push(format!("{} is not in the table", theirs.path));
                continue;
            };
            if (ours.size, ours.align) != (theirs.size, theirs.align) {
                differences.push(format!(
                    "{} has {} bytes aligned to {}, Windows' has {} aligned to {}",
                    ours.path, ours.size, ours.align, theirs.size, theirs.align,
                ));
            }
            for theirs in &theirs.fields {
                let name = format!("{}.{}", ours.path, theirs.name);
                let Some(ours) = ours.fields.iter().find(|ours| ours.name == theirs.name) else {
                    differences.push(format!("{name} is not in the table"));
                    continue;
                };
                if (ours.offset, ours.size) != (theirs.offset, theirs.size) {
                    differences.push(format!(
                        "{name} is at {} with {} bytes, Windows' is at {} with {}",
                        ours.offset, ours.size, theirs.offset, theirs.size,
                    ));
                }
            }
        }
        if differences.is_empty() && self != windows {
            differences.push("versions of NDIS, order or processors".into());
        }
        differences
    }
}

const X64_ALONE: &str = "#[cfg(target_arch = \"x86_64\")]";

const HEAD: &str = "\
//! Sizes and offsets as Windows has them, on x64 and ARM64: written by `cargo xtask check-layouts
//! --headers DIR --write`, not by hand.
//!
//! Computed by clang from the headers of the WDK (build 22621) in microsoft/wdkmetadata, which are
//! no part of Tunic. The last column is the version of NDIS from which on the numbers are these. A
//! number that nt-sys doesn't have stops the compiler.

use crate::{ex, io, ke, mm, ndis, netioapi, ntdef, rtl, wsk};

// type, size, alignment, NDIS { field, offset, size, NDIS }
#[rustfmt::skip]
layouts! {
";

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HEAD)?;
        for layout in &self.layouts {
            let Layout { path, size, align, ndis, .. } = layout;
            if layout.is_x64_alone {
                writeln!(f, "    {X64_ALONE}")?;
            }
            writeln!(f, "    {path}, {size}, {align}, \"{ndis}\" {{")?;
            for Field { name, offset, size, ndis } in &layout.fields {
                writeln!(f, "        {name}, {offset}, {size}, \"{ndis}\";")?;
            }
            writeln!(f, "    }}")?;
        }
        writeln!(f, "}}")
    }
}
