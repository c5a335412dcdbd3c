//! Panics: the number of places at which the code could stop the system.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::file::Image;
use crate::stack::calls::Calls;
use crate::stack::names::Names;

/// The number of places at which an image may begin a panic: to be lowered, never to be raised. No
/// input is known to reach one. They are indices and pushes to reserved `Vec`s, whose bounds hold
/// but aren't known to the compiler.
pub(crate) const BUDGET: u32 = 80;

/// The panic handler, by its name in a map.
const HANDLER: &str = "nt::bugcheck::on_panic";

pub(crate) fn check(image: &Image<'_>, map: &Path, budget: u32) -> Result<Vec<String>> {
    if !map.is_file() {
        return Ok(vec![format!("there is no {}", map.display())]);
    }
    let by_caller = count(image, &fs::read_to_string(map)?)?;
    let total: u32 = by_caller.values().sum();
    if total <= budget {
        return Ok(Vec::new());
    }
    let callers: String =
        by_caller.iter().map(|(name, times)| format!("\n  {times:3} {name}")).collect();
    Ok(vec![format!("{total} calls begin a panic, more than {budget}:{callers}")])
}

/// The number of calls in each function that begin a panic.
///
/// Functions that lead on to the handler are part of the panic machinery: functions of `core` and
/// `alloc` that call it, or one another, and never return, such as `panic_bounds_check` and
/// `handle_alloc_error`.
pub(crate) fn count(image: &Image<'_>, map: &str) -> Result<BTreeMap<String, u32>> {
    let names = Names::parse(map)?;
    let calls = Calls::read(image, &names)?;
    let is_of = |address: u32, crates: &[&str]| {
        names.all(address).iter().any(|name| crates.iter().any(|start| name.starts_with(start)))
    };
    let handler = calls.functions.keys().find(|address| is_of(**address, &[HANDLER]));
    let mut panics = BTreeSet::from([*handler.with_context(|| format!("no {HANDLER}"))?]);
    loop {
        let known = panics.len();
        for (address, function) in &calls.functions {
            let leads_on = function.calls.keys().any(|callee| panics.contains(callee));
            // The compiler's own glue has names of `__rustc`.
            if leads_on && !function.returns && is_of(*address, &["core::", "alloc::", "__rustc::"])
            {
                panics.insert(*address);
            }
        }
        if panics.len() == known {
            break;
        }
    }
    let mut by_caller = BTreeMap::new();
    for (address, function) in &calls.functions {
        let begun = function.calls.iter().filter(|(callee, _)| panics.contains(callee));
        let times: u32 = begun.map(|(_, times)| times).sum();
        if times > 0 && !panics.contains(address) {
            *by_caller.entry(names.one(*address)).or_default() += times;
        }
    }
    Ok(by_caller)
}
